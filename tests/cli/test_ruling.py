"""What bad input to ``diffex rules`` gets: one sentence, exit code 2, nothing written."""

import pytest


@pytest.fixture
def base(make, tmp_path, model_folder):
    return ("rules", make.cells(), "--model", model_folder, "--out", tmp_path / "out")


def test_unknown_factors(refused, base):
    sentence = refused(*base, "--factors", "pixels")
    assert "--factors got 'pixels', expected one of measurements, autoencoder, tcvae" in sentence


def test_unknown_engine(refused, base):
    sentence = refused(*base, "--engine", "gplearn")
    assert "--engine got 'gplearn', expected one of all, library, operon" in sentence


def test_unknown_target(refused, base):
    sentence = refused(*base, "--target", "placebo")
    assert "--target got 'placebo', expected one of the classes DMSO, drug" in sentence


def test_size_that_is_too_small(refused, base):
    assert "Invalid value for '--nodes'" in refused(*base, "--nodes", "4")


def test_no_model(refused, make, tmp_path):
    rest = ("--out", tmp_path / "out")
    sentence = refused("rules", make.cells(), "--model", tmp_path / "nowhere", *rest)
    assert "nowhere does not exist: make one with diffex fit" in sentence
    assert "Missing option '--model'" in refused("rules", tmp_path / "cells", *rest)
    assert "Missing option '--out'" in refused("rules", tmp_path / "cells", "--model", "m")


def test_failed_gates(refused, make, tmp_path, failed_model):
    sentence = refused("rules", make.cells(), "--model", failed_model, "--out", tmp_path / "out")
    assert "failed 1 of 1 gates" in sentence


def test_missing_images(refused, base, tmp_path):
    assert "nowhere does not exist" in refused("rules", tmp_path / "nowhere", *base[2:])


def test_too_few_images(refused, make, tmp_path, model_folder):
    folder = make.cells(count=4)
    sentence = refused("rules", folder, "--model", model_folder, "--out", tmp_path / "out")
    assert "Got 8 images" in sentence
    assert "add images" in sentence


def test_images_of_another_form(refused, make, tmp_path, model_folder):
    folder = make.cells(dtype="uint16", suffix=".tif")
    sentence = refused("rules", folder, "--model", model_folder, "--out", tmp_path / "out")
    assert "grey of 28x28 px in [0, 65535]" in sentence


def test_output_folder_that_holds_a_run_of_another_method(refused, make, model_folder, run_folder):
    sentence = refused(
        "rules", make.cells(), "--model", model_folder, "--target", "drug", "--out", run_folder
    )
    assert "holds another run (attributes of target 'drug'" in sentence
    assert "expected an empty folder or a run of rules, target 'drug'" in sentence


def test_output_folder_with_something_else(refused, base, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    assert "it holds mine.txt" in refused(*base)
