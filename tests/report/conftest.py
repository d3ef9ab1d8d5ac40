"""An explanation with plausible numbers, of planted cells whose edits are exact."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.images import PlantedCells
from diffex.report import render_report, report_many
from diffex.runs import Explanation, write_run

VOID = {"meta", "img", "br", "col", "input", "line", "circle", "rect", "polygon", "polyline", "link", "hr"}

CONCEPTS = (
    ("attribute-07", "nuclear stain", "nucleus_intensity", "nuclear stain rises by 38 %", 2.1, 0.64),
    ("attribute-12", "nucleus size", "nucleus_area", "nucleus grows by 31 %", 1.3, 0.41),
    (
        "attribute-03",
        "cytoplasmic stain",
        "cytoplasm_intensity",
        "cytoplasmic stain rises by 22 %",
        0.7,
        0.18,
    ),
    ("attribute-31", "chromatin grain", "chromatin_granularity", "chromatin becomes grainier", 0.4, 0.09),
    ("attribute-02", "cell size", "cell_area", "cell area rises by 9 %", 0.12, 0.02),
    ("attribute-19", "cell outline", "cell_roughness", "outline becomes rougher", 0.05, 0.01),
    ("attribute-44", "background", "background_gradient", "background becomes uneven", -0.04, 0.0),
    ("attribute-28", "debris", "debris", "debris in a corner", -0.06, 0.0),
)
STRENGTHS = (0.5, 1.0, 1.5, 2.0)
CHANNELS = ("FKHR-EGFP", "DNA")
QUANTITIES = (
    ("nuclear_fkhr", "nuclear FKHR-EGFP", "grey levels", "intensity", True, 61.2, 38.0),
    ("area_um2", "nucleus area", "um2", "size", True, 52.4, 4.1),
    ("ratio", "nucleus/ring ratio of FKHR-EGFP", "log2", "ratio", False, 0.42, 0.31),
    ("eccentricity", "nucleus eccentricity", "", "shape", False, 0.613, -0.012),
    ("granularity", "DNA granularity", "", "texture", False, 0.0212, 0.0009),
)


def effects_table():
    rows = []
    for cid, name, _, words, effect, flips in CONCEPTS:
        for sign in (1, -1):
            value, wide = sign * effect * (1 if sign > 0 else 0.9), 0.09 + 0.06 * abs(effect)
            sure = abs(value) > wide
            rate = flips if sign > 0 else 0.0
            said = {1: words, -1: words.replace("rises", "falls").replace("grows", "shrinks")}
            rows.append(
                {
                    "concept": cid, "kind": "direction", "name": name, "parent": None, "sign": sign,
                    "strength": 1.0, "words": said[sign],
                    "max_strength": 1.5, "effect": value, "ci_low": value - wide, "ci_high": value + wide,
                    "n": 128,
                    "groups": 16, "p": 1e-6 if sure else 0.4, "q": 2e-5 if sure else 0.55,
                    "significant": sure,
                    "flip_rate": rate, "flip_low": max(0.0, rate - 0.07), "flip_high": rate + 0.07,
                    "size": 0.31, "off_target": 0.14, "on_manifold": True,
                }
            )  # fmt: skip
    table = pd.DataFrame(rows).sort_values("effect", ascending=False, ignore_index=True)
    rank = np.arange(1, len(table) + 1)
    return table.assign(rank=rank, rank_low=np.maximum(1, rank - 1), rank_high=rank + 1)


def dose_table():
    rows = []
    for cid, _, _, _, effect, flips in CONCEPTS[:4]:
        for sign in (1, -1) if effect > 1 else (1,):
            for strength in STRENGTHS:
                value = sign * effect * np.tanh(strength) / np.tanh(1)
                rate = min(1.0, flips * strength) if sign > 0 else 0.0
                rows.append(
                    {
                        "concept": cid, "sign": sign, "strength": strength, "effect": value,
                        "low": value - 0.1 - 0.06 * strength, "high": value + 0.1 + 0.06 * strength,
                        "flip_rate": rate,
                        "flip_low": max(0.0, rate - 0.07), "flip_high": min(1.0, rate + 0.07),
                        "n": 128, "discriminator_auroc": 0.5 + 0.1 * strength, "on_manifold": strength <= 1.5,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def measured_table():
    rows = []
    for cid, *_ in CONCEPTS:
        for sign in (1, -1):
            for quantity, words, unit, kind, log, before, change in QUANTITIES:
                moved = sign * change
                after = before * (1 + moved / 100) if log else before + moved
                rows.append(
                    {
                        "concept": cid, "sign": sign, "strength": 1.0, "quantity": quantity,
                        "words": words, "unit": unit,
                        "kind": kind, "log": log, "before": before, "after": after, "change": moved,
                        "low": moved - 0.1 * abs(change), "high": moved + 0.1 * abs(change),
                        "change_sd": moved / abs(before) * 2,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def example_arrays(cells=4, top=4):
    """Planted cells and their exact edits, in 0..255: cytoplasm as FKHR-EGFP, nucleus as DNA."""
    planted = PlantedCells()
    factors, seeds = planted.sample_factors(cells, seed=3), list(range(10, 10 + cells))
    factors = planted.do(factors, "debris", -6.0)

    def render(table):
        return (planted.render(table, seeds).numpy()[:, [1, 0]] * 255).astype(np.float32)

    original = render(factors)
    null = np.clip(original + np.random.default_rng(0).normal(0, 1.5, original.shape), 0, 255).astype(
        np.float32
    )
    edits = [
        [render(planted.do(factors, factor, delta=1.2 * s)) for s in STRENGTHS]
        for _, _, factor, *_ in CONCEPTS[:top]
    ]
    return {
        "ids": np.array([f"plate1/B{i + 2}/cell-{i:04d}.tif" for i in range(cells)]),
        "concepts": np.array([cid for cid, *_ in CONCEPTS[:top]]),
        "strengths": np.array(STRENGTHS),
        "original": original,
        "null": null,
        "edits": np.array(edits, dtype=np.float32),
    }


def cells_table(count=64):
    rng = np.random.default_rng(1)
    margin = rng.normal(0, 2.5, count)
    return pd.DataFrame(
        {
            "id": [f"plate1/{'BCDE'[i % 4]}{i % 12 + 1}/cell-{i:04d}.tif" for i in range(count)],
            "label": np.where(margin > 0, "positive", "negative"),
            "group": [f"{'BCDE'[i % 4]}{i % 12 + 1}" for i in range(count)],
            "logit_negative": -margin / 2,
            "logit_positive": margin / 2,
            "code_0": rng.normal(size=count),
            **{f"score_{cid}": rng.normal(size=count) for cid, *_ in CONCEPTS},
        }
    )


def summary_of(cells):
    gates = (
        ("logit_spearman", "rank correlation of the logit on image and reconstruction", 0.957, 0.90, True),
        ("flips", "share of reconstructions that change class", 0.021, 0.03, False),
        ("noise_share", "share of the logit's variance that is due to noise", 0.012, 0.05, False),
        ("conditioning", "change of image by code over change by noise, within the object", 4.31, 2.5, True),
    )
    keys = ("name", "words", "value", "threshold", "at_least")
    half = len(cells) // 2
    return {
        "schema": 1,
        "method": "attributes",
        "target": "positive",
        "class_names": ["negative", "positive"],
        "seed": 0,
        "answer": [
            "The classifier calls a cell positive mostly because its nuclear stain is bright: raising it "
            "by 38 % moves the logit margin by +2.10 (+1.88 to +2.32) and flips 64 % of negative cells.",
            "Nucleus size comes second (+1.30, flips 41 %), cytoplasmic stain third (+0.70, flips 18 %).",
            "Background, debris and the outline of the cell make no difference that chance does not explain.",
        ],
        "classifier": {
            "address": "model/classifier",
            "state_hash": "9f2c61f0aa34be0d7721c0ffee123456",
            "card": {"class_names": ["negative", "positive"], "size": [64, 64], "channels": 2},
            "balanced_accuracy": {"value": 0.943, "low": 0.921, "high": 0.962, "images": 512},
        },
        "model": {"address": "model", "state_hash": "01ab23cd45ef67890123456789abcdef", "forced": False},
        "gates": [{**dict(zip(keys, gate, strict=True)), "passed": True} for gate in gates],
        "images": {
            "source": "cells/test",
            "channel_names": list(CHANNELS),
            "value_range": [0.0, 255.0],
            "dtype": "uint8",
            "size": [64, 64],
            "pixel_size_um": 0.5,
        },
        "counts": {
            "images": len(cells),
            "by_class": cells["label"].value_counts().to_dict(),
            "concepts": len(CONCEPTS),
            "merged": 3,
            "groups": 16,
            "selection": half,
            "estimation": len(cells) - half,
        },
        "splits": {"selection": list(cells["id"][:half]), "estimation": list(cells["id"][half:])},
        "unit": "groups",
        "labels_are_predictions": False,
        "warnings": [],
        "versions": {"diffex": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
        "created": "2026-01-15T12:00:00+00:00",
        "search": {"strength_size": 0.31, "depth": 4},
        "drivers": {"moves": 512, "share": 0.44, "straight": 0.38, "full": False},
    }


def drivers_table():
    words = ["mean DNA in the nucleus", "nucleus area", "mean FKHR in the ring around the nucleus"]
    return pd.DataFrame(
        {
            "quantity": ["nucleus_mean_dna", "area_um2", "ring_mean_fkhr"], "words": words,
            "effect": [3.79, -0.61, 0.12], "low": [2.9, -1.0, -0.7], "high": [4.7, -0.2, 0.9],
            "p": [1e-9, 0.004, 0.77], "q": [3e-9, 0.006, 0.77], "significant": [True, True, False],
        }
    )  # fmt: skip


@pytest.fixture(scope="session")
def explanation():
    cells = cells_table()
    return Explanation(
        summary=summary_of(cells),
        effects=effects_table(),
        cells=cells,
        examples=example_arrays(),
        dose=dose_table(),
        measured=measured_table(),
        concepts=tuple(
            {"id": cid, "kind": "direction", "name": name, "parent": None} for cid, name, *_ in CONCEPTS
        ),
        directions={cid: torch.ones(8) for cid, *_ in CONCEPTS},
        config={"command": "attributes", "seed": 0, "target": "positive"},
        drivers=drivers_table(),
        cost={
            "nfe": {"matrix": 25600, "null": 256, "calibration": 3200},
            "nfe_total": 29056,
            "classifier_calls": 25856,
            "seconds": {"matrix": 71.2, "calibration": 9.5},
            "seconds_total": 84.1,
            "cpu_seconds": 160.2,
            "peak_memory_mb": 1210.5,
        },
    )


@pytest.fixture
def changed(explanation):
    """Give the same explanation with parts replaced; ``summary`` is merged."""

    def change(summary=None, **parts):
        return replace(explanation, summary={**explanation.summary, **(summary or {})}, **parts)

    return change


class Page(HTMLParser):
    """What a report holds; refuses tags that do not close."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open, self.words, self.code = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)
        else:
            self.code.append((self.open[-1], data))

    @property
    def style(self):
        return "".join(text for tag, text in self.code if tag == "style")

    @property
    def scripts(self):
        return [text for tag, text in self.code if tag == "script"]

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture
def parse():
    """Read a report."""
    return Page


@pytest.fixture
def report(tmp_path):
    """Write a run and its report, and read it."""

    def build(explanation):
        path = render_report(write_run(explanation, tmp_path / "run"))
        assert path == tmp_path / "run" / "report.html"
        return Page(path.read_text(encoding="utf-8"))

    return build


@pytest.fixture(scope="session")
def file(tmp_path_factory, explanation):
    folder = tmp_path_factory.mktemp("looked at")
    return report_many([write_run(explanation, folder / "run")], folder / "report.html")


@pytest.fixture
def look(browser, file):
    """Open a page; nothing may be asked of the network, said on the console, or thrown."""
    said, asked, contexts = [], [], []

    def open_page(path=file, **options):
        context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900}, **options)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        contexts.append(context)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
