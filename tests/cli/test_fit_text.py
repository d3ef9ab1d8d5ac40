"""``diffex fit --text``: a text-to-image model from the command line."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from diffex.generators.text.model import open_text_model


@pytest.fixture
def table(tmp_path):
    """Colour images, the second half brighter, and a table with captions."""
    rng = np.random.default_rng(0)
    (tmp_path / "cells").mkdir()
    rows = []
    for i in range(16):
        bright = i >= 8
        y, x = np.mgrid[:32, :32] - 16
        inside = (np.hypot(y, x) < 6 + 4 * (i % 2))[..., None]
        pixels = rng.normal(20, 3, (32, 32, 3)) + inside * (80 + 100 * bright)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / "cells" / f"{i}.png")
        rows.append({"file": f"cells/{i}.png", "said": "bright cell" if bright else "dim cell"})
    pd.DataFrame(rows).to_csv(tmp_path / "cells.csv", index=False)
    return tmp_path / "cells.csv"


@pytest.fixture
def start(text_model, tmp_path):
    text_model.save(tmp_path / "start")
    return tmp_path / "start"


def test_a_model_is_trained_further_on_captions_of_a_column(cli, table, start, tmp_path):
    out = tmp_path / "model"
    line = ("fit", table, "--columns", "path=file", "--text", "--captions", "said", "--from", start,
            "--steps", "2", "--out", out)  # fmt: skip
    done = cli(*line, "--json")
    assert done.code == 0, done.err
    assert "The fit takes about" in done.err
    said = json.loads(done.out)
    assert open_text_model(str(out / "text"), torch.device("cpu")).state_hash() == said["state_hash"]
    assert pd.read_csv(out / "captions.csv")["caption"].tolist() == ["dim cell"] * 8 + ["bright cell"] * 8
    assert json.loads(cli(*line, "--json").out) == said


def test_captions_are_measured_where_there_is_no_column(cli, table, start, tmp_path):
    out = tmp_path / "model"
    done = cli("fit", table.parent / "cells", "--text", "--from", start, "--steps", "1", "--out", out)
    assert done.code == 0, done.err
    assert f"--editor {out / 'text'}" in done.out.replace("\n", " ")
    captions = pd.read_csv(out / "captions.csv")["caption"].fillna("")
    assert captions.str.len().gt(0).sum() >= 8


def test_what_does_not_go_together_is_refused(refused, table, tmp_path):
    line = ("fit", table, "--columns", "path=file", "--out", tmp_path / "model")
    assert "add --text" in refused(*line, "--captions", "said")
    assert "leave them out" in refused(*line, "--text", "--quick")
    assert "the table has" in refused(*line, "--text", "--captions", "nothing")
    assert "could not be opened" in refused(*line, "--text", "--from", tmp_path / "nowhere")
