from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.evaluation.demo import PLANTED, SHIPPED_RULES, Finding, demo_cells, findings
from diffex.images.planted_factors import FACTORS
from diffex.runs import Explanation

COUNT = 60


@pytest.fixture(scope="module")
def cells():
    return demo_cells("linear", 3, COUNT)


def explanation_of(images, rows, order=slice(None)):
    """Codes that are the factors themselves; `rows` are concept, factor, sign, significant, effect, kind."""
    codes = images.table[[f"factor_{name}" for name in FACTORS]].to_numpy()[order]
    table = pd.DataFrame({"id": np.array(images.ids)[order]})
    table = table.assign(**{f"code_{k}": codes[:, k] for k in range(len(FACTORS))})
    effects = pd.DataFrame(
        [
            {"concept": c, "words": f"words of {c}", "sign": sign, "rank": rank, "significant": significant,
             "effect": effect, "kind": kind}
            for rank, (c, _, sign, significant, effect, kind) in enumerate(rows, 1)
        ]
    )  # fmt: skip
    directions = {c: torch.eye(len(FACTORS))[FACTORS.index(factor)] for c, factor, *_ in rows}
    return Explanation({}, effects, table, {}, pd.DataFrame(), pd.DataFrame(), (), directions, {}, {})


GOOD = [
    ("a", "puncta_number", 1, True, 2.0, "latent"),
    ("b", "cytoplasm_intensity", -1, True, 1.5, "latent"),
    ("c", "nucleus_area", 1, True, 1.0, "morphology"),
]


def test_planted_factors_are_found_with_their_rank_and_sign(cells):
    found = {f.factor: f for f in findings(explanation_of(cells, GOOD), cells, "linear")}
    assert set(found) == set(PLANTED["linear"])
    assert all(f.found and f.correlation == pytest.approx(1.0) for f in found.values())
    assert found["nucleus_area"].attribute == "words of c" and found["nucleus_area"].rank == 3
    assert found["cytoplasm_intensity"].rank == 2


def test_cells_may_come_in_another_order(cells):
    order = np.random.default_rng(0).permutation(COUNT)[:40]
    found = findings(explanation_of(cells, GOOD, order), cells, "linear")
    assert all(f.correlation == pytest.approx(1.0) for f in found)


@pytest.mark.parametrize(
    "change",
    [{"significant": False}, {"kind": "random"}, {"sign": -1}],
    ids=["not significant", "random", "wrong way"],
)
def test_what_does_not_count_is_not_found(cells, change):
    names = ["concept", "factor", "sign", "significant", "effect", "kind"]
    changed = tuple((dict(zip(names, GOOD[2], strict=True)) | change).values())
    found = {f.factor: f for f in findings(explanation_of(cells, [*GOOD[:2], changed]), cells, "linear")}
    assert not found["nucleus_area"].found
    assert found["puncta_number"].found


def test_nothing_significant_finds_nothing(cells):
    rows = [(*row[:3], False, *row[4:]) for row in GOOD]
    assert findings(explanation_of(cells, rows), cells, "linear") == tuple(
        Finding(factor, "", 0, 0.0) for factor in PLANTED["linear"]
    )


def test_followed_quantities_find_planted_factors_too(cells):
    drivers = pd.DataFrame(
        {"quantity": ["puncta_count_organelle", "nucleus_mean_cytoplasm", "area_um2"],
         "words": ["puncta", "cytoplasm", "area"], "effect": [2.0, -1.0, 3.0],
         "significant": [True, True, False]}
    )  # fmt: skip
    run = replace(explanation_of(cells, [(*row[:3], False, *row[4:]) for row in GOOD]), drivers=drivers)
    found = {f.factor: f for f in findings(run, cells, "linear")}
    assert found["puncta_number"].found and found["puncta_number"].quantity == "puncta"
    assert found["cytoplasm_intensity"].found and found["cytoplasm_intensity"].quantity == "cytoplasm"
    assert not found["nucleus_area"].found, "not significant"
    turned = replace(run, drivers=drivers.assign(effect=-drivers["effect"]))
    assert not any(f.found for f in findings(turned, cells, "linear")), "the wrong way"


@pytest.mark.parametrize("rule", SHIPPED_RULES)
def test_planted_signs_are_those_of_the_rule(rule):
    """Raising a planted factor as it is signed raises the share of the treated class."""
    images = demo_cells(rule, 0, 800)
    assert images.labels.mean() == pytest.approx(0.5, abs=0.2)
    for factor, sign in PLANTED[rule].items():
        assert sign * np.corrcoef(images.table[f"factor_{factor}"], images.labels)[0, 1] > 0.15, factor


def test_another_seed_gives_other_cells():
    assert not set(demo_cells("linear", 1, 5).ids) & set(demo_cells("linear", 2, 5).ids)
