import json

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.base.errors import FolderError, InputError
from diffex.explainers.counterfactual import counterfactuals
from diffex.runs import salvage_run, write_run


@pytest.fixture(scope="session")
def two(new_cells, model):
    """Two cells that the classifier calls by their class."""
    said = model.classifier.logits(new_cells.read(), new_cells.value_range).argmax(1).numpy()
    rows = [int(np.flatnonzero(said == k)[0]) if (said == k).any() else k for k in (0, 1)]
    return new_cells.subset(rows)


@pytest.fixture(scope="session")
def done(two, model, explained, tmp_path_factory):
    return counterfactuals(two, model, "treated", explained, tmp_path_factory.mktemp("cf") / "out")


def test_a_row_per_image_with_words(done, two):
    table = done.table
    assert list(table["id"]) == list(two.ids)
    assert (table["distance"] >= 0).all()
    assert (table["flipped"] == (table["margin_counterfactual"] > 0)).all()
    moved_toward = table["margin_counterfactual"] >= table["margin_null"] - 0.05
    assert (moved_toward | table["flipped"]).all()
    assert all(table["changes"] != "")
    assert all("none of these" in text or "no attribute" in text for text in table["parts"])
    assert str(done).count("margin") == 2 and f"Pictures are in {done.out}." in str(done)


def test_a_run_keeps_logits_and_shares(two, model, explained, done, tmp_path):
    run = write_run(explained, tmp_path / "run")
    found = counterfactuals(two, model, "treated", explained, tmp_path / "out", keep_in=run)
    kept = {one.told.id: one for one in salvage_run(run).counterfactuals}
    pixels = two.read()
    for row, image in zip(found.table.to_dict("records"), pixels, strict=True):
        one = kept[row["id"]]
        told = one.told
        np.testing.assert_array_equal(one.original, image)
        for name, margin in (("original", "original"), ("null", "null"), ("counterfactual",) * 2):
            logits = getattr(told.logits, name)
            assert logits[1] - logits[0] == pytest.approx(row[f"margin_{margin}"], abs=1e-3)
        assert sum(part.share for part in told.shares) + told.rest == pytest.approx(1, abs=1e-3)
        assert (told.flipped, told.changes, told.target) == (row["flipped"], row["changes"], "treated")
    assert any(one.told.shares for one in kept.values())


def test_pictures_and_tables_are_written(done, two):
    for kind in ("counterfactual", "null"):
        assert sum(path.is_file() for path in (done.out / kind).rglob("*")) == len(two)
    assert len(pd.read_csv(done.out / "counterfactuals.csv")) == len(two)
    rows = json.loads((done.out / "counterfactuals.json").read_text())
    assert [row["id"] for row in rows] == list(two.ids)


def test_what_is_the_target_already_needs_no_move(two, model, tmp_path):
    """Whatever the null edits are called costs next to nothing to reach."""
    found = counterfactuals(two, model, "control", None, tmp_path / "out").table
    easy = found["margin_null"] > 0.5
    assert easy.any()
    assert (found.loc[easy, "distance"] < 0.1).all()
    assert (found["parts"] == "").all()


def test_the_same_request_may_go_on_and_no_other(done, two, model, explained):
    again = counterfactuals(two, model, "treated", explained, done.out)
    assert list(again.table["id"]) == list(done.table["id"])
    assert again.table["margin_null"].to_numpy() == pytest.approx(
        done.table["margin_null"].to_numpy(), abs=0.02
    )
    before = (done.out / "counterfactuals.csv").read_text()
    with pytest.raises(FolderError, match="another command"):
        counterfactuals(two, model, "control", explained, done.out)
    assert (done.out / "counterfactuals.csv").read_text() == before


def test_bad_requests_write_nothing(two, model, tmp_path):
    with pytest.raises(InputError, match="--target got 'dead'"):
        counterfactuals(two, model, "dead", None, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(FolderError, match=r"thesis\.txt"):
        counterfactuals(two, model, "treated", None, tmp_path / "full")


def test_the_classifier_is_left_alone(done, two, model):
    assert not any(p.requires_grad for p in model.generator.parameters())
    assert torch.is_grad_enabled()
    assert model.classifier.state_hash() == model.record["classifier"]["state_hash"]
