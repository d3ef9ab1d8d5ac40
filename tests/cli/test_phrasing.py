"""``diffex semantics`` end to end on a tiny text model, and what bad input to it gets."""

import json

import pytest

TREE = {
    "nodes": [
        {"id": "object/large", "phrase": "large object", "measurement": "area"},
        {"id": "object/odd", "phrase": "odd object"},
    ]
}


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
