import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.effects.breakdown import effects_by_part
from diffex.effects.intervals import mean_interval


def test_each_part_has_its_own_mean_and_interval():
    rng = np.random.default_rng(0)
    parts = np.repeat(["treated", "control"], 40)
    groups = np.array([f"w{i % 8}" for i in range(80)])
    effects = np.where(parts == "treated", 2.0, -1.0) + rng.normal(0, 0.1, 80) + (groups == "w3")
    found = effects_by_part(effects, parts, groups).set_index("name")
    for name in ("treated", "control"):
        own = parts == name
        told = mean_interval(effects[own], groups[own])
        assert found.loc[name, ["effect", "low", "high"]].tolist() == [told.value, told.low, told.high]
    assert found["unit"].tolist() == ["groups"] * 2 and found["groups"].tolist() == [8, 8]
    few = effects_by_part(effects, parts, np.array(["a", "b"] * 40)).set_index("name")
    assert few["unit"].tolist() == ["images"] * 2, "too few groups for an interval over them"
    width = found["high"] - found["low"]
    assert (width > few["high"] - few["low"]).all(), "wells that differ make the mean less sure"


def test_what_was_not_rendered_counts_nowhere():
    effects = np.array([1.0, np.nan, 3.0, 7.0, np.nan])
    found = effects_by_part(effects, np.array(["a", "a", "a", "b", "c"]))
    assert found["name"].tolist() == ["a", "b"] and found["n"].tolist() == [2, 1]
    assert found["effect"].tolist() == [2.0, 7.0]
    assert np.isnan(found["low"][1]) and np.isfinite(found["low"][0])


def test_bad_input():
    with pytest.raises(InputError, match="infinite"):
        effects_by_part([np.inf, 1.0], np.array(["a", "b"]))
    with pytest.raises(InputError, match="parts"):
        effects_by_part([1.0, 1.0], np.array(["a"]))
