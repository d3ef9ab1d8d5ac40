"""A small explanation, as a run folder keeps it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.runs import Explanation


def effects(names):
    count = len(names)
    numbers = "strength max_strength effect ci_low ci_high p q flip_rate flip_low flip_high size off_target"
    table = pd.DataFrame({column: np.linspace(0.9, 0.1, count) for column in numbers.split()})
    return table.assign(
        concept=[f"c{i}" for i in range(count)],
        kind="direction",
        name=names,
        parent=None,
        words=names,
        sign=[1 if i % 2 == 0 else -1 for i in range(count)],
        n=8,
        groups=0,
        rank=range(1, count + 1),
        rank_low=1,
        rank_high=count,
        significant=[i == 0 for i in range(count)],
        on_manifold=True,
    )


def dose():
    numbers = "strength effect low high flip_rate flip_low flip_high n discriminator_auroc"
    table = pd.DataFrame({column: [0.5, 1.0] for column in numbers.split()})
    return table.assign(concept="c0", sign=1, on_manifold=[True, False])


def measured():
    table = pd.DataFrame(
        {column: [1.0] for column in ["strength", "before", "after", "change", "low", "high", "change_sd"]}
    )
    return table.assign(
        concept="c0", sign=1, quantity="area_px", words="area", unit="px", kind="size", log=True
    )


def cells():
    return pd.DataFrame(
        {
            "id": ["a.tif", "b.tif"],
            "label": ["no", "yes"],
            "group": [None, None],
            "logit_no": [0.5, -0.5],
            "logit_yes": [-0.5, 0.5],
            "code_0": [0.1, 0.2],
            "score_c0": [1.0, -1.0],
        }
    )


def examples():
    rng = np.random.default_rng(0)
    return {
        "ids": np.array(["a.tif", "b.tif"]),
        "concepts": np.array(["c0"]),
        "strengths": np.array([0.5, 1.0]),
        "original": rng.random((2, 1, 8, 8), dtype=np.float32),
        "null": rng.random((2, 1, 8, 8), dtype=np.float32),
        "edits": rng.random((1, 2, 2, 1, 8, 8), dtype=np.float32),
    }


def summary():
    return {
        "schema": 1,
        "method": "attributes",
        "target": "yes",
        "class_names": ["no", "yes"],
        "seed": 0,
        "answer": ["One.", "Two.", "Three."],
        "classifier": {"address": "clf", "state_hash": "aa", "card": {}, "balanced_accuracy": None},
        "model": {"address": "model", "state_hash": "bb", "forced": False},
        "gates": [
            {"name": "g", "words": "a gate", "value": 1.0, "threshold": 0.5, "at_least": True, "passed": True}
        ],
        "images": {
            "source": "cells",
            "channel_names": ["dna"],
            "value_range": [0.0, 1.0],
            "dtype": "uint8",
            "size": [8, 8],
            "pixel_size_um": None,
        },
        "counts": {"images": 2, "by_class": {"no": 1, "yes": 1}},
        "splits": {"selection": ["a.tif"], "estimation": ["b.tif"]},
        "unit": "images",
        "labels_are_predictions": False,
        "warnings": [],
        "versions": {"diffex": "0.1.0"},
        "created": "2026-01-15T12:00:00+00:00",
    }


@pytest.fixture
def make():
    """Make an explanation; ``summary`` is merged, other parts are replaced."""

    def build(*names, **parts):
        head = {**summary(), **parts.pop("summary", {})}
        whole = Explanation(
            summary=head,
            effects=effects(list(names) or ["nucleus size", "nuclear stain", "debris"]),
            cells=cells(),
            examples=examples(),
            dose=dose(),
            measured=measured(),
            concepts=({"id": "c0", "kind": "direction", "name": "nucleus size", "parent": None},),
            directions={"c0": torch.arange(4.0)},
            config={"seed": 0, "where": {"plate": ["1", "2"]}},
            cost={"nfe_total": 12},
        )
        return replace(whole, **parts)

    return build
