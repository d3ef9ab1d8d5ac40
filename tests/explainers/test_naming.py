from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from diffex.effects.attenuation import Shown
from diffex.explainers.naming import (
    measure_like,
    measured_changes,
    name_of,
    named_quantities,
    naming_rows,
    off_target,
    phrase,
)
from diffex.measurements import Quantity

QUANTITIES = (
    Quantity("area_px", "nucleus area", "px", "size", True),
    Quantity("ratio_fkhr", "log2 nucleus/ring ratio of FKHR", "log2", "ratio", True),
    Quantity("mean_fkhr", "mean FKHR", "grey levels", "intensity", True),
    Quantity("total_fkhr", "total FKHR", "grey levels", "intensity", True),
    Quantity("puncta", "puncta of DNA", "count", "puncta", False),
)
COLUMNS = [q.name for q in QUANTITIES]


@pytest.mark.parametrize(
    ("words", "unit", "log", "change", "said"),
    [
        ("log2 nucleus/ring ratio of FKHR", "log2", False, 2.0, "nucleus/ring ratio of FKHR x 4"),
        ("log2 nucleus/ring ratio of FKHR", "log2", False, -1.0, "nucleus/ring ratio of FKHR x 0.5"),
        ("mean FKHR", "grey levels", True, 140.2, "mean FKHR +140 %"),
        ("puncta of DNA", "count", False, -3.14, "puncta of DNA -3.1 count"),
        ("eccentricity", "", False, 0.123, "eccentricity +0.12"),
    ],
)
def test_phrases(words, unit, log, change, said):
    assert phrase({"words": words, "unit": unit, "log": log, "change": change}) == said


def measured_of(**change_sd):
    """Every quantity certain, with a change of so many standard deviations."""
    rows = []
    for q in QUANTITIES:
        change = change_sd.get(q.name, 0.0)
        rows.append(
            {"quantity": q.name, "words": q.words, "unit": q.unit, "kind": q.kind,
             "log": q.unit != "log2" and q.log, "before": 1.0, "after": 1.0 + change, "change": change,
             "low": change - 0.01, "high": change + 0.01, "change_sd": change}
        )  # fmt: skip
    return pd.DataFrame(rows)


def test_name_tells_the_largest_changes_first_and_that_the_area_stays():
    name = name_of(measured_of(ratio_fkhr=2.0, mean_fkhr=1.0, total_fkhr=0.9, puncta=-0.5), "latent:0")
    assert name == (
        "nucleus/ring ratio of FKHR x 4, mean FKHR +1 %, puncta of DNA -0.5 count, nucleus area unchanged"
    ), "one intensity of FKHR is enough"


def test_name_starts_with_the_concepts_own_quantity():
    measured = measured_of(ratio_fkhr=2.0, mean_fkhr=1.0)
    assert name_of(measured, "morphology:mean_fkhr").startswith("mean FKHR +1 %, nucleus/ring")


def test_another_size_is_told_before_the_intensities_that_follow_from_it():
    name = name_of(measured_of(ratio_fkhr=2.0, mean_fkhr=9.0, area_px=1.0), "latent:0")
    assert name.startswith("nucleus area +1 %, mean FKHR +9 %")


@pytest.mark.parametrize(
    ("nucleus", "ring", "first"),
    [((20, 22), (60, 80), "ring"), ((20, 90), (60, 60), "nucleus"), ((5, 5), (8, 8), "nucleus")],
    ids=["stained in the ring", "moves into the nucleus", "dark object on bright ground"],
)
def test_a_stain_is_told_where_it_is(nucleus, ring, first):
    kinds = {"nucleus": "intensity", "ring": "ratio", "background": "position"}
    table = pd.DataFrame(
        {"quantity": f"{place}_mean_er", "words": f"mean er, {place}", "unit": "", "kind": kinds[place],
         "log": True, "before": ends[0], "after": ends[1], "change": sd, "low": sd - 0.01, "high": sd + 0.01,
         "change_sd": sd}
        for place, ends, sd in (("nucleus", nucleus, 1.0), ("ring", ring, 0.8), ("background", (10, 10), 0.0))
    )  # fmt: skip
    assert naming_rows(table, "latent:0")[0]["quantity"] == f"{first}_mean_er"


def test_own_quantity_is_not_told_where_it_does_not_change():
    assert name_of(measured_of(ratio_fkhr=2.0), "morphology:mean_fkhr").startswith("nucleus/ring ratio")


def test_area_is_not_called_unchanged_where_it_changes():
    assert "unchanged" not in name_of(measured_of(ratio_fkhr=2.0, area_px=0.2), "latent:0")
    assert name_of(measured_of(area_px=1.0), "latent:0") == "nucleus area +1 %"


def test_small_and_uncertain_changes_have_no_name():
    assert name_of(measured_of(ratio_fkhr=0.2), "latent:0") == "changes nothing that is measured"
    wide = measured_of(ratio_fkhr=2.0).assign(low=-1.0, high=5.0)
    assert name_of(wide, "latent:0") == "changes nothing that is measured"


@pytest.fixture
def known(prepared):
    """The sample, as if these quantities had been measured."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(40, 5)), columns=COLUMNS)
    evidence = replace(prepared.evidence, measured=table / table.std() * 10, quantities=QUANTITIES)
    return replace(prepared, evidence=evidence)


def before_and_after(count=30, gain=(20.0, 1.0, 0.0, 0.0, -4.0)):
    random = np.random.default_rng(1)
    before = pd.DataFrame(random.normal([200, 0, 50, 900, 6], 1.0, size=(count, 5)), columns=COLUMNS)
    return before, before + random.normal(gain, 0.5, size=(count, 5))


def test_changes_are_divided_by_what_renders_show(known):
    before, after = before_and_after()
    bare = measured_changes(before, after, known, None).set_index("quantity")
    renders = Shown(np.array([0.8, np.nan, 1.0, 1.0, 0.5]), np.array([0.0, np.nan, 0.0, 0.0, 0.1]))
    found = measured_changes(before, after, known, None, renders).set_index("quantity")
    whole = ["change", "low", "high", "change_sd"]
    assert found.loc["area_px", whole].to_numpy(float) == pytest.approx(bare.loc["area_px", whole] / 0.8)
    assert found.loc["ratio_fkhr", whole].equals(bare.loc["ratio_fkhr", whole]), "not told: as rendered"
    row, plain = found.loc["puncta"], bare.loc["puncta"]
    assert row["change"] == pytest.approx(2 * plain["change"])
    assert row["after"] == pytest.approx(row["before"] + row["change"])
    assert row["high"] - row["low"] > 2 * (plain["high"] - plain["low"]), "the share's error is in it"
    own, of_share = plain["high"] - plain["change"], 1.96 * 0.1 * abs(row["change"])
    assert row["high"] - row["change"] == pytest.approx(np.hypot(own, of_share) / 0.5), "both at 95 %"
    assert found["rendered"].isna().sum() == 1 and bare["rendered"].isna().all()


def test_changes_come_in_units_with_intervals(known):
    before, after = before_and_after()
    found = measured_changes(before, after, known, None).set_index("quantity")
    assert found.loc["area_px", "change"] == pytest.approx(10, abs=0.3), "percent of the mean before"
    assert bool(found.loc["area_px", "log"]) and not bool(found.loc["ratio_fkhr", "log"])
    assert found.loc["ratio_fkhr", "change"] == pytest.approx(1, abs=0.4), "log2 stays as it is"
    assert found.loc["puncta", "change"] == pytest.approx(-4, abs=0.4)
    assert found.loc["area_px", "change_sd"] == pytest.approx(2, abs=0.1)
    assert ((found["low"] <= found["change"]) & (found["change"] <= found["high"])).all()
    assert found.loc["mean_fkhr", "low"] < 0 < found.loc["mean_fkhr", "high"]
    np.testing.assert_allclose(found["before"], before.mean())
    np.testing.assert_allclose(found["after"], after.mean())


def test_intervals_widen_with_wells_that_differ(known):
    before, after = before_and_after(count=60)
    wells = np.array([f"w{i % 6}" for i in range(60)])
    after = after + 3.0 * (np.arange(60) % 6)[:, None]
    plain, grouped = (measured_changes(before, after, known, g) for g in (None, wells))
    assert ((grouped["high"] - grouped["low"]) > (plain["high"] - plain["low"])).all()
    np.testing.assert_allclose(grouped["change"], plain["change"])


def test_off_target_of_the_null_edit_is_zero():
    original, null = before_and_after()
    assert off_target(original, null, null, np.full(5, 10.0), set()) == 0.0


def test_off_target_counts_what_the_name_does_not_say():
    original, _ = before_and_after()
    null = original + 0.1
    edit = null + np.array([20.0, 0, 0, 0, 0])
    spread = np.array([10.0, 1, 1, 1, 0.0])
    assert off_target(original, null, edit, spread, set()) == pytest.approx(2 / 4), (
        "a constant one is left out"
    )
    assert off_target(original, null, edit, spread, {"area_px"}) == pytest.approx(0.0, abs=1e-9)


def test_named_quantities_take_their_kin_with_them():
    measured = measured_of(mean_fkhr=3.0, ratio_fkhr=1.0, puncta=0.5)
    named = named_quantities(measured, "latent:0", QUANTITIES)
    assert named == {"mean_fkhr", "total_fkhr", "ratio_fkhr", "puncta"}


def test_named_quantities_are_those_of_the_name_and_no_others():
    """Not the three largest changes: a name tells one of a kind, a certain one, and a notable one."""
    measured = measured_of(mean_fkhr=3.0, total_fkhr=2.9, ratio_fkhr=1.0, puncta=0.5, area_px=0.2)
    assert named_quantities(measured, "latent:0", QUANTITIES) == set(COLUMNS) - {"area_px"}
    uncertain = measured.assign(low=measured["low"].where(measured["quantity"] != "ratio_fkhr", -1.0))
    assert named_quantities(uncertain, "latent:0", QUANTITIES) == {"mean_fkhr", "total_fkhr", "puncta"}
    assert named_quantities(measured_of(puncta=0.2), "latent:0", QUANTITIES) == set()


def test_real_cells_measured_twice_are_the_same(prepared):
    rows = np.array([3, 5])
    found = measure_like(prepared.images, prepared.x[rows], rows, prepared.shape_channel)
    assert list(found.columns) == [q.name for q in prepared.evidence.quantities]
    again = measure_like(prepared.images, prepared.x[rows], rows, prepared.shape_channel)
    pd.testing.assert_frame_equal(found, again)
