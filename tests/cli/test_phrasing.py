"""``diffex semantics`` end to end on a tiny text model, and what bad input to it gets."""

import json

import numpy as np
import pytest
from PIL import Image

from diffex.runs import read_run

MODULE = """
from torch import nn

def net():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))

net.card = {"class_names": ["DMSO", "drug"], "size": [32, 32], "channels": 3}

def upper(pixels):
    return pixels[:, 0, :8].mean((1, 2))

def one(pixels):
    return 1.0

number = 3
"""


@pytest.fixture(scope="session")
def text_folder(text_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("text") / "model"
    text_model.save(folder)
    return folder


@pytest.fixture
def base(make, tmp_path, classifier_folder, text_folder):
    rest = ("--classifier", classifier_folder, "--editor", text_folder, "--out", tmp_path / "out")
    return ("semantics", make.cells(), *rest)


def test_unknown_search(refused, base):
    assert "--search got 'beam', expected race, rank or exact" in refused(*base, "--search", "beam")


def test_unknown_target(refused, base):
    assert "expected one of the classes DMSO, drug" in refused(*base, "--target", "placebo")


def test_no_such_text_model(refused, base, tmp_path):
    sentence = refused(*base[:-3], tmp_path / "nowhere", *base[-2:])
    assert "nowhere" in sentence
    assert "Stable Diffusion's layout" in sentence


def test_unknown_describer(refused, base):
    assert "Describer got 'oracle:x'" in refused(*base, "--describer", "oracle:x")


def test_a_tree_that_is_none(refused, base, tmp_path):
    file = tmp_path / "tree.json"
    file.write_text(json.dumps({"nodes": []}))
    assert "tree" in refused(*base, "--taxonomy", file).lower()
    assert "nowhere.yaml" in refused(*base, "--taxonomy", tmp_path / "nowhere.yaml")


def test_missing_options(refused, make, tmp_path):
    assert "Missing option '--classifier'" in refused("semantics", make.cells(), "--out", tmp_path / "out")


@pytest.fixture
def own(text_folder, tmp_path, monkeypatch):
    """A tree with a phrase that a function of the user's measures; the option's value is to follow."""
    (tmp_path / "measures_for_diffex.py").write_text(MODULE)
    (tmp_path / "fails_for_diffex.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for k in range(12):
        place = tmp_path / "cells" / ("DMSO", "drug")[k % 2] / f"{k}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(place)
    nodes = [{"id": "high", "phrase": "high object", "measurement": "upper"}]
    file = tmp_path / "tree.json"
    file.write_text(json.dumps({"nodes": nodes}))
    return (
        "semantics", tmp_path / "cells", "--classifier", "py:measures_for_diffex:net",
        "--editor", text_folder, "--out", tmp_path / "out", "--taxonomy", file, "--images", 12, "--force",
        "--measure",
    )  # fmt: skip


def test_a_measurement_of_ones_own(cli, own, tmp_path):
    done = cli(*own, "upper=py:measures_for_diffex:upper")
    assert done.code == 0, done
    table = read_run(tmp_path / "out").effects
    assert set(table["edit"]) <= {"done", "failed", "leaks"}
    assert table["on_target"].notna().all()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("upper", "expected NAME=py:MODULE:FUNCTION"),
        ("upper=measures_for_diffex:upper", "expected NAME=py:MODULE:FUNCTION"),
        ("lower=py:measures_for_diffex:upper", "no phrase of the tree moves it"),
        ("upper=py:measures_for_diffex:absent", "cannot be imported"),
        ("upper=py:measures_for_diffex:number", "is a int"),
        ("upper=py:fails_for_diffex:upper", "cannot be imported (ZeroDivisionError: division by zero)"),
        ("upper=py:measures_for_diffex:one", "gave shape ()"),
    ],
)
def test_a_measurement_that_is_none(refused, own, given, words):
    assert words in refused(*own, given)
