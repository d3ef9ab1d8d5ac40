"""``diffex doctor --sanity RUN``."""

import json
from dataclasses import replace

import pandas as pd
import pytest
import torch

from diffex.runs import read_run


@pytest.fixture
def wide_run(run_folder, tmp_path):
    """The tiny run with four concepts, as many as the check asks for."""
    made = read_run(run_folder)
    names = [f"latent:{k}" for k in range(4)]
    rows = [made.effects.assign(concept=name) for name in names]
    return replace(
        made,
        effects=pd.concat(rows, ignore_index=True),
        concepts=tuple({"id": name, "kind": "latent", "name": name, "parent": None} for name in names),
        directions=dict(zip(names, torch.eye(4), strict=True)),
    ).save(tmp_path / "wide")


def test_robbed_classifiers_are_shown_and_kept(cli, make, wide_run, tmp_path):
    out = tmp_path / "checkup"
    done = cli("doctor", make.flat(), "--sanity", wide_run, "--out", out)
    assert done.code == 0, done
    assert "last 25% of the layers shuffled" in done.out
    kept = json.loads((out / "sanity.json").read_text())
    assert [row["kind"] for row in kept["table"]] == ["cascade"] * 3 + ["random"] * 3
    assert kept["sentence"] in " ".join(done.out.split())
    assert (out / "checkup.json").exists()
    assert json.loads((wide_run / "sanity.json").read_text()) == kept


def test_the_run_changes_in_nothing_else_and_its_report_tells(cli, make, wide_run):
    def contents():
        return {path: path.read_bytes() for path in wide_run.rglob("*") if path.is_file()}

    before = contents()
    assert cli("doctor", make.flat(), "--sanity", wide_run).code == 0
    after = contents()
    assert set(after) - set(before) == {wide_run / "sanity.json"}
    assert all(after[path] == content for path, content in before.items())
    assert cli("report", wide_run).code == 0
    assert "Does it depend on the classifier?" in (wide_run / "report.html").read_text(encoding="utf-8")


def test_unfit_runs_are_refused_before_anything_is_written(refused, make, run_folder, tmp_path):
    folder, out = make.flat(), tmp_path / "checkup"
    assert "nowhere" in refused("doctor", folder, "--sanity", tmp_path / "nowhere", "--out", out)
    assert "1 concepts, expected 4" in refused("doctor", folder, "--sanity", run_folder, "--out", out)
    made = read_run(run_folder)
    ruled = replace(made, summary=dict(made.summary) | {"method": "rules"}).save(tmp_path / "ruled")
    assert "a run of rules, expected" in refused("doctor", folder, "--sanity", ruled, "--out", out)
