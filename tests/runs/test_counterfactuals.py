import os

import numpy as np
import pytest

from diffex.base.errors import FolderError
from diffex.runs import salvage_run, write_run
from diffex.runs.counterfactuals import (
    MOST_KEPT,
    Counterfactual,
    Told,
    keep_counterfactuals,
    kept_counterfactuals,
    read_counterfactual,
)


def counterfactual(seed=0, **changes):
    told = {
        "id": f"../{seed}.tif",
        "target": "yes",
        "class_names": ["no", "yes"],
        "flipped": True,
        "distance": 1.5,
        "logits": {"original": [1.0, -1.0], "null": [0.9, -0.9], "counterfactual": [-0.5, 0.5]},
        "shares": [{"concept": "c0", "words": "nucleus grows", "amount": 1.2, "share": 0.75}],
        "rest": 0.25,
        "changes": "area +12 %",
    }
    pixels = np.random.default_rng(seed).random((3, 1, 8, 8), dtype=np.float32)
    return Counterfactual(Told.model_validate(told | changes), *pixels)


@pytest.fixture
def run(make, tmp_path):
    return write_run(make(), tmp_path / "run")


def test_kept_as_found_and_nothing_else_changes(run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert keep_counterfactuals(run, [counterfactual()]) == 1
    (name,) = kept_counterfactuals(run)
    again = read_counterfactual(run / name, 1)
    assert again.told == counterfactual().told
    for key in ("original", "null", "moved"):
        np.testing.assert_array_equal(getattr(again, key), getattr(counterfactual(), key))
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert after == before | {run / name: (run / name).read_bytes()}
    assert len(salvage_run(run).counterfactuals) == 1


def test_the_same_image_replaces_and_the_oldest_go(run):
    assert keep_counterfactuals(run, [counterfactual(k) for k in range(MOST_KEPT + 3)]) == MOST_KEPT
    assert len(kept_counterfactuals(run)) == MOST_KEPT
    for k, name in enumerate(kept_counterfactuals(run)):
        os.utime(run / name, (k, k))
    oldest = kept_counterfactuals(run)[0]
    keep_counterfactuals(run, [counterfactual(99)])
    assert oldest not in kept_counterfactuals(run) and len(kept_counterfactuals(run)) == MOST_KEPT
    keep_counterfactuals(run, [counterfactual(99, id="the same pixels")])
    ids = [one.told.id for one in salvage_run(run).counterfactuals]
    assert len(ids) == MOST_KEPT and ids.count("the same pixels") == 1 and "../99.tif" not in ids


@pytest.mark.parametrize("harm", ["cut", "channels", "told", "pickled", "shapes", "logits"])
def test_a_damaged_one_is_named_and_the_others_are_read(run, harm):
    keep_counterfactuals(run, [counterfactual(0), counterfactual(1)])
    name = kept_counterfactuals(run)[0]
    path = run / name
    with np.load(path) as kept:
        arrays = {key: kept[key] for key in kept.files}
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:100])
    else:
        said = str(arrays["told"])
        harmed = {
            "channels": {key: np.zeros((2, 8, 8)) for key in ("original", "null", "moved")},
            "told": {"told": np.array("{}")},
            "pickled": {"told": np.array({"id": "x"}, dtype=object)},
            "shapes": {"null": np.zeros((1, 8, 9))},
            "logits": {"told": np.array(said.replace("[1.0,-1.0]", "[1.0]").replace("[1.0, -1.0]", "[1.0]"))},
        }
        np.savez(path, **(arrays | harmed[harm]))
    found = salvage_run(run)
    assert list(found.problems) == [name] and len(found.counterfactuals) == 1
    assert "is damaged" in found.problems[name]
    with pytest.raises(FolderError, match="is damaged"):
        read_counterfactual(path, 1)


def test_another_run_in_the_folder_does_not_inherit_them(run, make):
    keep_counterfactuals(run, [counterfactual()])
    write_run(make(), run)
    assert kept_counterfactuals(run) == () and not (run / "counterfactuals").exists()
