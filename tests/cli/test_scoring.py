import json

import numpy as np
import pandas as pd
import pytest

from diffex.explainers.scores import parts
from diffex.explainers.scores.effects import fit_line

COLUMNS = (
    [f"logit_{name}" for name in ("DMSO", "drug")] + [f"code_{k}" for k in range(4)] + ["score_latent:0"]
)


@pytest.fixture
def line(make, run_folder, tmp_path):
    images = make.cells(count=20)
    return lambda *more, out="scores": ("score", images, "--run", run_folder, "--out", tmp_path / out, *more)


def test_a_row_per_cell(cli, line, tmp_path):
    done = cli(*line("--json"))
    assert done.code == 0, done
    found = json.loads(done.out)
    table = pd.read_parquet(tmp_path / "scores" / "cells.parquet")
    assert table.columns.tolist() == ["id", "label", "group", *COLUMNS]
    assert table["label"].tolist() == ["DMSO"] * 20 + ["drug"] * 20 and found["cells"] == 40
    assert np.isfinite(table[COLUMNS]).all(axis=None)
    assert {path.name for path in (tmp_path / "scores").iterdir()} - {"cells.h5ad"} == {
        "cells.parquet", "request.json", "summary.json",
    }  # fmt: skip


def test_annotated(cli, line, tmp_path):
    anndata = pytest.importorskip("anndata")
    assert cli(*line("--effects")).code == 0
    cells = anndata.read_h5ad(tmp_path / "scores" / "cells.h5ad")
    table = pd.read_parquet(tmp_path / "scores" / "cells.parquet")
    assert cells.shape == (40, 4) and cells.obs_names.tolist() == table["id"].tolist()
    np.testing.assert_array_equal(cells.obsm["scores"][:, 0], table["score_latent:0"])
    assert "effect_latent:0" in cells.obs and np.isfinite(table["effect_latent:0"]).all()
    [effect] = json.loads((tmp_path / "scores" / "summary.json").read_text())["effects"]
    assert effect["cells"] == 40 and effect["low"] < effect["correlation"] < effect["high"]


def test_effects_that_do_not_vary():
    same = fit_line("one", np.zeros(12), np.full(12, 0.5))
    assert (same.slope, same.intercept) == (0, 0.5) and same(np.ones(3)).tolist() == [0.5] * 3
    assert same.words == "Effects of one do not vary over 12 cells: all cells have the same."


def test_an_interrupted_scoring_goes_on(cli, line, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "BLOCK", 16)
    assert cli(*line(out="whole")).code == 0
    left = iter(range(2))
    np_save = np.save

    def interrupted(*arguments, **options):
        if next(left, None) is None:
            raise KeyboardInterrupt
        np_save(*arguments, **options)

    with monkeypatch.context() as during:
        during.setattr(parts.np, "save", interrupted)
        assert cli(*line()).code == 130
    assert not (tmp_path / "scores" / "cells.parquet").exists()
    done = cli(*line())
    assert "; 32 were there from an earlier try" in done.out
    one, two = (pd.read_parquet(tmp_path / name / "cells.parquet") for name in ("whole", "scores"))
    pd.testing.assert_frame_equal(one, two)
    again = cli(*line())
    assert again.code == 0 and again.out == done.out


def test_cells_without_labels_get_predictions(cli, make, run_folder, tmp_path):
    done = cli("score", make.flat(count=12), "--run", run_folder, "--out", tmp_path / "scores")
    assert done.code == 0, done
    table = pd.read_parquet(tmp_path / "scores" / "cells.parquet")
    assert (table["label"] == np.where(table["logit_drug"] > table["logit_DMSO"], "drug", "DMSO")).all()


def test_what_is_refused(refused, cli, line, make, run_folder, tmp_path):
    few = make.flat(count=5)
    said = refused("score", few, "--run", run_folder, "--out", tmp_path / "o", "--effects")
    assert "Effects got 5 cells, expected 12 or more" in said
    assert cli(*line()).code == 0
    assert "holds the result of another command" in refused(*line("--top", "1"))
