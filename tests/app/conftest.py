"""A tiny run with a model whose code changes picture and logits, and the app around it."""

import dataclasses
import json
import multiprocessing
import threading
from contextlib import contextmanager

import httpx2
import numpy as np
import pandas as pd
import pytest
import torch
import uvicorn
from starlette.testclient import TestClient

from diffex.app.serving import guarded, require_run, take_port
from diffex.app.studio import Studio
from diffex.classifiers import Classifier
from diffex.classifiers.blackbox import BlackBoxReport, SmallConvNet, load_black_box, save_black_box
from diffex.classifiers.card import make_card
from diffex.generators.autoencoder import DiffusionAutoencoder, ImageForm
from diffex.generators.config import GeneratorConfig
from diffex.generators.gates import Gate
from diffex.generators.model import write_model
from diffex.generators.pixels import PixelTransform
from diffex.runs import Explanation

SIZE = 28
CELLS = 30
HOSTILE = "<script>alert(1)</script>"
CLASSES = ("DMSO", HOSTILE)
TOKEN = "a-token-of-the-tests"


def make_model(folder, shake):
    config = GeneratorConfig(latents=4, widths=(16, 16), steps=1, depth=3)
    pixels = PixelTransform((0.0,), (255.0,), (1.0,), (60.0,), (0.0, 255.0))
    generator = shake(DiffusionAutoencoder(config, ImageForm(("grey",), (SIZE, SIZE), 2), pixels))
    generator.save(folder)
    card = make_card({"class_names": CLASSES, "size": (SIZE, SIZE), "channels": 1, "value_range": (0, 255)})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = SmallConvNet(1, 2)
    with torch.no_grad():  # untrained, it would hardly tell one picture from another
        net.head.weight.mul_(1000)
    network = Classifier(net, card, differentiable=True)
    save_black_box(folder / "classifier", network, BlackBoxReport(0.9, 0.8, 0.95, 40, 1.0))
    gate = Gate("logit_spearman", "rank correlation of the logit", 0.95, 0.9, True)
    class_codes = torch.tensor([[-1.0, 0, 0, 0], [1.0, 0, 0, 0]])
    write_model(folder, load_black_box(folder / "classifier"), [gate], class_codes, {"seconds": 1.0})
    return gate, DiffusionAutoencoder.load(folder, torch.device("cpu")).state_hash()


def effects():
    numbers = "effect ci_low ci_high p q flip_rate flip_low flip_high size off_target"
    table = pd.DataFrame({column: [0.5, 0.1, 0.2, 0.1] for column in numbers.split()})
    return table.assign(
        concept=["latent:0", "latent:0", "latent:1", "latent:1"], kind="latent",
        name=["size", "size", "shape", "shape"], words=[f"cell {HOSTILE} grows"] * 2 + [None] * 2,
        parent=None, sign=[-1, 1, 1, -1], strength=1.0, max_strength=[1.5, 0.5, np.nan, np.nan], n=8,
        groups=0, rank=[1, 2, 3, 4], rank_low=1, rank_high=4, significant=[True, False, False, False],
        on_manifold=[True, True, False, False],
    )  # fmt: skip


def cells(ids):
    rng = np.random.default_rng(0)
    margin = rng.normal(size=len(ids))
    return pd.DataFrame(
        {
            "id": ids, "label": [CLASSES[i % 2] for i in range(len(ids))], "group": None,
            f"logit_{CLASSES[0]}": -margin / 2, f"logit_{CLASSES[1]}": margin / 2,
            **{f"code_{k}": rng.normal(size=len(ids)) for k in range(4)},
        }
    )  # fmt: skip


def summary(model, gate, state_hash):
    return {
        "schema": 1, "method": "attributes", "target": HOSTILE, "class_names": list(CLASSES), "seed": 0,
        "answer": ["One.", "Two.", "Three."],
        "classifier": {"address": "clf", "state_hash": "aa", "card": {}, "balanced_accuracy": None},
        "model": {"address": str(model), "state_hash": state_hash, "forced": False},
        "gates": [gate.as_dict()],
        "images": {
            "source": "cells", "channel_names": ["grey"], "value_range": [0.0, 255.0], "dtype": "uint8",
            "size": [SIZE, SIZE], "pixel_size_um": None,
        },
        "counts": {
            "images": CELLS, "by_class": dict.fromkeys(CLASSES, CELLS // 2), "concepts": 2, "merged": 0,
            "groups": 0, "selection": 1, "estimation": 1,
        },
        "splits": {"selection": ["a.png"], "estimation": ["b.png"]},
        "unit": "images", "labels_are_predictions": False, "warnings": [], "versions": {"diffex": "0.1.0"},
        "created": "2026-01-15T12:00:00+00:00", "search": {"strength_size": 0.3, "depth": 1},
    }  # fmt: skip


def disc(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    return np.clip(rng.normal(20, 5, (SIZE, SIZE)) + (np.hypot(x, y) < 7) * 140, 0, 255).astype("uint8")


@pytest.fixture(scope="session")
def explanation(tmp_path_factory, random_weights):
    model = tmp_path_factory.mktemp("app") / "model"
    gate, state_hash = make_model(model, random_weights)
    ids = [f"{HOSTILE}{i}.png" for i in range(CELLS)]
    pictures = np.stack([disc(i) for i in range(2)])[:, None].astype(np.float32)
    measured = pd.DataFrame(
        {column: [1.0] for column in ["strength", "before", "after", "change", "low", "high", "change_sd"]}
    )
    numbers = "strength effect low high flip_rate flip_low flip_high n discriminator_auroc"
    dose = pd.DataFrame({column: [0.5, 1.0] for column in numbers.split()})
    return Explanation(
        summary=summary(model, gate, state_hash), effects=effects(), cells=cells(ids),
        examples={
            "ids": np.array(ids[:2]), "concepts": np.array(["latent:0"]), "strengths": np.array([0.5, 1.0]),
            "original": pictures, "null": pictures, "edits": np.stack([pictures + 5, pictures + 9])[None],
        },
        dose=dose.assign(concept="latent:0", sign=-1, on_manifold=True),
        measured=measured.assign(
            concept="latent:0", sign=1, quantity="area_px", words="area", unit="px", kind="size", log=True
        ),
        concepts=tuple(
            {"id": f"latent:{k}", "kind": "latent", "name": name, "parent": None}
            for k, name in enumerate(("size", "shape"))
        ),
        directions={f"latent:{k}": 2 * torch.eye(4)[k] for k in range(2)},
        config={"seed": 0},
        cost={"nfe": {"matrix": 2}, "nfe_total": 2, "classifier_calls": 2, "seconds": {"matrix": 1.0},
              "seconds_total": 1.0, "cpu_seconds": 1.0, "peak_memory_mb": 100.0},
    )  # fmt: skip


@pytest.fixture(scope="session")
def run(explanation, tmp_path_factory):
    return explanation.save(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def changed(explanation, tmp_path):
    """Write the run with parts replaced."""

    def write(**parts):
        return dataclasses.replace(explanation, **parts).save(tmp_path / "changed")

    return write


@pytest.fixture(scope="session")
def studio(run):
    return Studio(run, torch.device("cpu"))


@dataclasses.dataclass
class Running:
    """The app in a thread, its worker in a process of its own."""

    port: int
    server: uvicorn.Server
    client: httpx2.Client

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/?token={TOKEN}"

    def post(self, path, body=None, **keywords):
        origin = {"origin": f"http://127.0.0.1:{self.port}"}
        return self.client.post(path, json=body, headers=origin, **keywords)

    def edit(self, strengths=(0, 0), cell="run-0", page="one", number=0, **more):
        body = {"page": page, "number": number, "cell": cell, "strengths": list(strengths), **more}
        return self.post("/edit", body)

    def until(self, wanted, seconds=120):
        """Read the news until one is wanted."""
        with self.client.stream("GET", "/news", timeout=seconds) as response:
            for line in response.iter_lines():
                if line.startswith("data: ") and wanted(told := json.loads(line.removeprefix("data: "))):
                    return told
        raise AssertionError("the news ended")

    def worker_id(self):
        """Process id of the newest worker; tests serve in this process."""
        return max(child.pid for child in multiprocessing.active_children())

    def ready(self):
        return self.until(lambda told: told.get("worker") == "ready")


@contextmanager
def serving(run):
    listening = take_port(18765)
    port = listening.getsockname()[1]
    guard = guarded(require_run(run), run, "cpu", TOKEN, port)
    server = uvicorn.Server(uvicorn.Config(guard, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
        client.get("/", params={"token": TOKEN})
        yield Running(port, server, client)
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="session")
def app(run):
    with serving(run) as running:
        running.ready()
        yield running


@pytest.fixture
def only_pages():
    """The pages of a run without a worker."""

    def client(folder):
        home = "http://127.0.0.1:18764"
        made = TestClient(guarded(require_run(folder), folder, "cpu", TOKEN, 18764), base_url=home)
        made.get("/", params={"token": TOKEN})
        return made

    return client
