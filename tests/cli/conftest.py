"""Image folders, a tiny model and a tiny run, and the command line as a function."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from PIL import Image

from diffex.classifiers import Classifier, export_classifier
from diffex.classifiers.blackbox import BlackBoxReport, SmallConvNet, load_black_box, save_black_box
from diffex.classifiers.card import make_card
from diffex.cli import run
from diffex.generators.autoencoder import DiffusionAutoencoder, ImageForm
from diffex.generators.config import GeneratorConfig
from diffex.generators.gates import Gate
from diffex.generators.model import write_model
from diffex.generators.pixels import PixelTransform
from diffex.runs import Explanation

SIZE = 28
CLASSES = ("DMSO", "drug")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def sentence(self):
        """The last line of stderr; log lines may come before it."""
        return self.err.strip().splitlines()[-1]


@pytest.fixture
def cli(capsys):
    """Run a command line in this process."""

    def call(*arguments):
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def refused(cli, tmp_path):
    """Run a command line that must exit with 2, say one sentence, and write nothing."""

    def call(*arguments):
        before = tree(tmp_path)
        done = cli(*arguments)
        assert done.code == 2, done
        assert "Traceback" not in done.err
        assert done.out == ""
        assert done.sentence.endswith(".")
        assert tree(tmp_path) == before
        return done.sentence

    return call


def tree(folder):
    return {
        path.relative_to(folder): (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else None
        for path in folder.rglob("*")
    }


def disc(seed, bright):
    """A cell: a disc on a noisy ground, brighter in the second class."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    inside = np.hypot(x, y) < 6 + rng.random() * 2
    return np.clip(rng.normal(20, 5, (SIZE, SIZE)) + inside * (120 + 60 * bright), 0, 255)


@dataclass(frozen=True)
class Maker:
    root: Path

    def save(self, name, array):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".tif":
            tifffile.imwrite(path, array, photometric="minisblack")
        else:
            Image.fromarray(array).save(path)
        return path

    def cells(self, folder="cells", count=24, classes=CLASSES, dtype="uint8", suffix=".png"):
        for label, name in enumerate(classes):
            for i in range(count):
                array = disc(1000 * label + i, label)
                scaled = array / 255 if dtype == "float32" else array * (257 if dtype == "uint16" else 1)
                self.save(f"{folder}/{name}/{i}{suffix}", scaled.astype(dtype))
        return self.root / folder

    def flat(self, folder="flat", count=24):
        for i in range(count):
            self.save(f"{folder}/{i}.png", disc(i, i % 2).astype("uint8"))
        return self.root / folder


@pytest.fixture
def make(tmp_path):
    return Maker(tmp_path)


@pytest.fixture(scope="session")
def classifier_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier") / "clf"
    save_black_box(folder, Classifier(network(), card(), differentiable=True), None)
    return folder


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SmallConvNet(1, 2)


def card(**changes):
    fields = {"class_names": CLASSES, "size": (SIZE, SIZE), "channels": 1, "value_range": (0, 255)}
    return make_card(fields | changes)


def gate(value=0.95):
    return Gate("logit_spearman", "rank correlation of the logit", value, 0.9, True)


def write_tiny_model(folder, gates):
    config = GeneratorConfig(latents=4, widths=(16, 16), steps=1, depth=2)
    pixels = PixelTransform((0.0,), (255.0,), (1.0,), (60.0,), (0.0, 255.0))
    generator = DiffusionAutoencoder(config, ImageForm(("grey",), (SIZE, SIZE), 2), pixels)
    generator.save(folder)
    made = Classifier(network(), card(), differentiable=True)
    save_black_box(folder / "classifier", made, BlackBoxReport(0.9, 0.8, 0.95, 40, 1.0))
    write_model(folder, load_black_box(folder / "classifier"), gates, torch.zeros(2, 4), {"seconds": 1.0})
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("model") / "model", [gate()])


@pytest.fixture(scope="session")
def failed_model(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("failed") / "model", [gate(0.1)])


def effects():
    numbers = "effect ci_low ci_high p q flip_rate flip_low flip_high size off_target"
    table = pd.DataFrame({column: [0.5, 0.1] for column in numbers.split()})
    return table.assign(
        concept=["latent:0", "latent:0"], kind="latent", name="size", words="cell grows", parent=None,
        sign=[1, -1], strength=1.0, max_strength=1.5, n=8, groups=0, rank=[1, 2], rank_low=1, rank_high=2,
        significant=[True, False], on_manifold=True,
    )  # fmt: skip


def dose():
    numbers = "strength effect low high flip_rate flip_low flip_high n discriminator_auroc"
    table = pd.DataFrame({column: [0.5, 1.0] for column in numbers.split()})
    return table.assign(concept="latent:0", sign=1, on_manifold=True)


def measured():
    table = pd.DataFrame(
        {column: [1.0] for column in ["strength", "before", "after", "change", "low", "high", "change_sd"]}
    )
    return table.assign(
        concept="latent:0", sign=1, quantity="area_px", words="area", unit="px", kind="size", log=True
    )


def summary(model):
    return {
        "schema": 1,
        "method": "attributes",
        "target": "drug",
        "class_names": list(CLASSES),
        "seed": 0,
        "answer": ["One.", "Two.", "Three."],
        "classifier": {"address": "clf", "state_hash": "aa", "card": {}, "balanced_accuracy": None},
        "model": {"address": str(model), "state_hash": state_hash(model), "forced": False},
        "gates": [gate().as_dict()],
        "images": {
            "source": "cells", "channel_names": ["grey"], "value_range": [0.0, 255.0], "dtype": "uint8",
            "size": [SIZE, SIZE], "pixel_size_um": None,
        },
        "counts": {
            "images": 2, "by_class": {"DMSO": 1, "drug": 1}, "concepts": 1, "merged": 1, "groups": 0,
            "selection": 1, "estimation": 1,
        },
        "splits": {"selection": ["a.png"], "estimation": ["b.png"]},
        "unit": "images",
        "labels_are_predictions": False,
        "warnings": [],
        "versions": {"diffex": "0.1.0"},
        "created": "2026-01-15T12:00:00+00:00",
        "search": {"strength_size": 0.3, "depth": 1},
    }  # fmt: skip


def state_hash(model):
    return DiffusionAutoencoder.load(model, torch.device("cpu")).state_hash()


@pytest.fixture
def run_folder(tmp_path, model_folder):
    cells = pd.DataFrame(
        {"id": ["a.png", "b.png"], "label": CLASSES, "group": [None, None], "logit_DMSO": 0.5,
         "logit_drug": 0.1, "code_0": 0.2, "code_1": 0.1, "code_2": 0.0, "code_3": 0.3, "score_latent:0": 0.1}
    )  # fmt: skip
    pictures = np.random.default_rng(0).random((2, 1, SIZE, SIZE)).astype(np.float32) * 255
    made = Explanation(
        summary=summary(model_folder),
        effects=effects(),
        cells=cells,
        examples={
            "ids": np.array(["a.png", "b.png"]), "concepts": np.array(["latent:0"]),
            "strengths": np.array([0.5, 1.0]), "original": pictures, "null": pictures,
            "edits": np.stack([pictures, pictures])[None],
        },
        dose=dose(),
        measured=measured(),
        concepts=({"id": "latent:0", "kind": "latent", "name": "size", "parent": None},),
        directions={"latent:0": torch.eye(4)[0]},
        config={"seed": 0},
        cost={"nfe": {"matrix": 2}, "nfe_total": 2, "classifier_calls": 2, "seconds": {"matrix": 1.0},
              "seconds_total": 1.0, "cpu_seconds": 1.0, "peak_memory_mb": 100.0},
    )  # fmt: skip
    return made.save(tmp_path / "made_run")


@pytest.fixture
def line(tmp_path, model_folder, run_folder):
    """The command line of any command on images, otherwise right."""
    out = ("--out", tmp_path / "out")

    def build(command, images, *more):
        options = {
            "doctor": (),
            "fit": ("--quick", *out),
            "explain": ("--quick", *out),
            "attributes": ("--model", model_folder, "--target", "drug", *out),
            "edit": ("--run", run_folder, "--concept", "latent:0", *out),
        }
        return (command, images, *options[command], *more)

    return build


@pytest.fixture
def exported(tmp_path):
    """Export a small network, then change fields of its card."""

    def make(**change):
        net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        classifier = Classifier.wrap(net, class_names=["DMSO", "drug"], size=28, value_range=(0, 255))
        export_classifier(classifier, tmp_path / "net.pt2")
        card = next(file for file in tmp_path.glob("*.json"))
        card.write_text(json.dumps(json.loads(card.read_text()) | change))

    return make
