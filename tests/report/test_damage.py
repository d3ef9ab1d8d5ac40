"""Runs that are damaged, of another schema, or still being written: the rest is shown."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from diffex.base.errors import FolderError
from diffex.report import render_report
from diffex.runs import salvage_run, write_run

PANELS = {
    "ranking": "What matters, and how much",
    "pictures": "original",
    "dose": "How it grows with strength",
    "measured": "What the edit changes, measured",
    "cells": "In which cells",
    "gates": "May this be trusted?",
    "cost": "What it cost",
}
LOSSES = {
    "effects.parquet": {"ranking", "pictures", "dose", "measured", "cells"},
    "examples/examples.npz": {"pictures"},
    "dose.parquet": {"dose"},
    "measured.parquet": {"measured"},
    "cells.parquet": {"cells"},
    "cost.json": {"cost"},
    "explanation.json": {"gates"},
    "concepts.json": set(),
    "concepts.safetensors": set(),
    "config.yaml": set(),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, explanation):
    e = explanation.examples
    few = {**e, "ids": e["ids"][:1], "original": e["original"][:1], "null": e["null"][:1]}
    few |= {"concepts": e["concepts"][:1], "edits": e["edits"][:1, :, :1]}
    return write_run(replace(explanation, examples=few), tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def run(tmp_path, whole):
    return shutil.copytree(whole, tmp_path / "run")


@pytest.fixture
def page(parse):
    def read(folder):
        return parse(render_report(folder).read_text(encoding="utf-8"))

    return read


def test_a_whole_run_has_no_problems(whole):
    found = salvage_run(whole)
    assert found.problems == {} and found.has("dose.parquet")


@pytest.mark.parametrize("harm", ["missing", "damaged"])
@pytest.mark.parametrize("file", LOSSES)
def test_a_lost_part_is_named_and_the_rest_is_shown(run, page, file, harm):
    if harm == "missing":
        (run / file).unlink()
    else:
        (run / file).write_bytes(b"\x00damaged")
    found = page(run)
    assert f"{file} is {harm}" in found.text
    assert "1 part of this run is missing or damaged. The rest is shown." in found.text
    assert str(run) not in found.text
    shown = {name for name, words in PANELS.items() if words in found.text}
    assert shown == set(PANELS) - LOSSES[file]


def test_a_run_still_being_written(run, page):
    (run / "explanation.json").unlink()
    (run / "cost.json").unlink()
    found = page(run)
    for words in ("A run whose head cannot be read", "still being written", "2 parts", "95 % intervals."):
        assert words in found.text
    assert "Seed" not in found.text and "No attribute has an effect" not in found.text


def test_a_run_of_another_schema(run, page):
    head = json.loads((run / "explanation.json").read_text())
    (run / "explanation.json").write_text(json.dumps({**head, "schema": 2}))
    found = page(run)
    assert "explanation.json is of schema 2, expected 1" in found.text
    assert "nuclear stain rises" in found.text  # effects keep their contract, so they are shown
    assert head["answer"][0][:30] not in found.text


def test_pictures_that_do_not_fit(run, page, changed, tmp_path, explanation):
    examples = {k: v.copy() for k, v in explanation.examples.items()}
    examples["edits"][0, 0, 0, 0, 0, 0] = np.nan
    write_run(changed(examples=examples), tmp_path / "nan")
    assert "pixels that are not finite" in page(tmp_path / "nan").text
    names = {**explanation.summary["images"], "channel_names": ["one"]}
    write_run(changed(summary={"images": names}), tmp_path / "channels")
    assert "pictures of 2 channels, expected the 1" in page(tmp_path / "channels").text


def test_losses_are_logged(run, page, caplog):
    (run / "cost.json").unlink()
    page(run)
    assert "cost.json is missing" in caplog.text


def test_no_run_at_all(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FolderError, match="is no finished run"):
        salvage_run(tmp_path / "empty")
