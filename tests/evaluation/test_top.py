import numpy as np
import pandas as pd
import pytest
import torch

from diffex.concepts import Concept
from diffex.evaluation.attributes.fkhr import edit_numbers
from diffex.evaluation.attributes.top import Pairs, Top, render_pairs, top_attribute
from diffex.images import images_from_arrays
from diffex.runs import Explanation

DIRECTION = torch.ones(16)


def top_of(*, on_manifold=True):
    return Top(Concept("latent:0", "latent", "size", DIRECTION), -1, 2.0, on_manifold, "grows")


def explanation_of(dose, max_strength=1.5):
    effects = pd.DataFrame(
        {
            "concept": ["latent:0", "latent:0"],
            "sign": [1, -1],
            "max_strength": [np.nan, max_strength],
            "words": ["x", "grows"],
        }
    )
    concept = {"id": "latent:0", "kind": "latent", "name": "size", "parent": None}
    tables = {"effects": effects, "cells": pd.DataFrame(), "dose": dose, "measured": pd.DataFrame()}
    return Explanation(
        summary={},
        **tables,
        examples={},
        concepts=(concept,),
        directions={"latent:0": DIRECTION},
        config={},
        cost={},
    )


def test_top_attribute_is_the_first_verified():
    dose = pd.DataFrame({"concept": ["latent:0"] * 2, "sign": -1, "strength": [0.5, 1.0]})
    top = top_attribute(explanation_of(dose))
    assert (top.sign, top.strength, top.on_manifold, top.words) == (-1, 1.5, True, "grows")


def test_attribute_off_the_manifold_is_taken_at_its_smallest_strength():
    dose = pd.DataFrame({"concept": ["latent:0"] * 2, "sign": -1, "strength": [0.5, 1.0]})
    top = top_attribute(explanation_of(dose, np.nan))
    assert (top.strength, top.on_manifold) == (0.5, False)


def test_nothing_significant_gives_no_top():
    assert top_attribute(explanation_of(pd.DataFrame(columns=["concept", "sign", "strength"]))) is None


def test_strength_zero_is_the_null_edit(cells, model):
    some = cells.subset(range(4))
    pairs = render_pairs(some, model, top_of(), 0.0, 1, 0)
    assert torch.equal(pairs.null, pairs.edit)
    assert pairs.fresh.tolist() == (~pairs.flipped).tolist()
    moved = render_pairs(some, model, top_of(), 1.0, 1, 0)
    assert not torch.equal(moved.null, moved.edit)


def moved_protein():
    """Cells whose protein is outside the nucleus, and the same cells with it inside."""
    y, x = np.mgrid[:64, :64] - 32
    nucleus = np.hypot(x, y) < 10
    ring = (np.hypot(x, y) < 18) & ~nucleus
    noise = np.random.default_rng(0).normal(0, 2, (12, 2, 64, 64))
    outside, inside = (20 + noise for _ in range(2))
    for pixels, protein in ((outside, ring), (inside, nucleus)):
        pixels[:, 1] += 100 * nucleus
        pixels[:, 0] += 80 * protein
    masks = np.broadcast_to(nucleus, (12, 64, 64)).copy()
    return outside.astype(np.float32).clip(0, 255), inside.astype(np.float32).clip(0, 255), masks


@pytest.mark.parametrize(("way", "passes"), [(1, True), (-1, False)])
def test_protein_that_enters_the_nucleus_is_measured(bench, way, passes):
    outside, inside, masks = moved_protein()
    names = {"channel_names": ("FKHR", "DNA"), "value_range": (0.0, 255.0)}
    real = images_from_arrays(
        np.concatenate([outside, inside]), **names, labels=np.repeat([0, 1], 12),
        class_names=("negative", "positive"), masks=np.concatenate([masks, masks]),
    )  # fmt: skip
    cells = real.subset(range(12))
    fresh = np.ones(12, dtype=bool)
    pairs = Pairs(torch.from_numpy(outside), torch.from_numpy(inside), fresh, fresh)
    found = list(edit_numbers(bench, "A3", real, cells, pairs, top_of(), way))
    assert len(found) == 4
    flips, share, gap, energy = (one.value for one in found)
    assert flips == 1.0
    assert (share == 1.0) is passes
    assert gap == pytest.approx(way, abs=0.05)
    assert energy > 0.95
    assert all(one.low <= one.value <= one.high for one in found)


def test_numbers_off_the_manifold_do_not_pass(bench):
    outside, inside, masks = moved_protein()
    names = {"channel_names": ("FKHR", "DNA"), "value_range": (0.0, 255.0)}
    cells = images_from_arrays(
        np.concatenate([outside, inside]), **names, labels=np.repeat([0, 1], 12),
        class_names=("negative", "positive"), masks=np.concatenate([masks, masks]),
    )  # fmt: skip
    fresh = np.ones(12, dtype=bool)
    pairs = Pairs(torch.from_numpy(outside), torch.from_numpy(inside), fresh, fresh)
    top = top_of(on_manifold=False)
    assert not any(
        one.holds for one in edit_numbers(bench, "A3", cells, cells.subset(range(12)), pairs, top, 1)
    )
