import json
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
import torch

from diffex.base.errors import ClassifierError, FolderError, GateError, InputError
from diffex.classifiers import Classifier
from diffex.generators.making import FitRequest, fit_model
from diffex.generators.model import open_model
from diffex.images import images_from_arrays

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def _installed():
    try:
        version("diffex")
    except PackageNotFoundError:
        pytest.skip("diffex is not installed (pip install -e .): a model keeps its version")


@pytest.fixture(scope="module")
def images(tiny):
    return tiny.discs(48, size=28)


@pytest.fixture(scope="module")
def request_of(tiny, images):
    def make(**more):
        return FitRequest(**{"images": images, "config": tiny.config(steps=2), "black_box_steps": 3} | more)

    return make


@pytest.fixture(scope="module")
def model(request_of, tmp_path_factory):
    """A model whose black box is our own."""
    return fit_model(request_of(), tmp_path_factory.mktemp("out") / "model", CPU)


def black_box(x):
    value = x.mean((1, 2, 3)).numpy()
    return np.stack([-value, value], axis=1)


def wrapped():
    return Classifier.wrap(
        black_box, class_names=["small", "large"], size=28, channels=2, value_range=(0, 255), mean=60, std=20
    )


def model_folder(model):
    return Path(model.address)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_is_whole_and_can_be_opened(model, images):
    record = json.loads((model_folder(model) / "model.json").read_text())
    assert [gate["name"] for gate in record["gates"]] == [gate.name for gate in model.gates]
    assert not set(record["held_out"]) - set(images.ids)
    opened = open_model(model_folder(model), CPU)
    assert opened.state_hash() == model.state_hash()
    assert opened.classifier.state_hash() == record["classifier"]["state_hash"]
    assert opened.guide is opened.classifier
    assert opened.gates == model.gates
    opened.check_images(images)
    held_out = opened.held_out_of(images)
    assert [name for name, held in zip(images.ids, held_out, strict=True) if held] == record["held_out"]


def test_another_set_with_the_same_names_was_not_fitted_on(model, images):
    pixels = images.read()
    others = images_from_arrays(
        1 - pixels, value_range=images.value_range, channel_names=images.channel_names, ids=images.ids
    )
    assert not model.held_out_of(others).any()
    part = images.subset([i for i, held in enumerate(model.held_out_of(images)) if held][:3])
    assert model.held_out_of(part).all()


def test_the_same_command_again_changes_nothing(model, request_of):
    before = files(model_folder(model))
    assert fit_model(request_of(), model_folder(model), CPU).state_hash() == model.state_hash()
    assert files(model_folder(model)) == before


def test_interrupted_before_the_end_it_goes_on(model, request_of):
    before = files(model_folder(model))
    (model_folder(model) / "model.json").unlink()
    assert fit_model(request_of(), model_folder(model), CPU).gates == model.gates
    for name in ("generator.safetensors", "model.safetensors", "request.json"):
        assert files(model_folder(model))[name] == before[name]


def test_another_command_is_refused_and_nothing_changes(tiny, model, request_of, tmp_path):
    before = files(model_folder(model))
    with pytest.raises(FolderError, match="other images, settings or classifier"):
        fit_model(request_of(config=tiny.config(steps=3)), model_folder(model), CPU)
    assert files(model_folder(model)) == before
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FolderError, match="not empty"):
        fit_model(request_of(), tmp_path, CPU)
    assert list(files(tmp_path)) == ["thesis.txt"]


def test_gates_are_asked_before_explaining(model):
    assert not model.passed
    model.require_gates(force=True)
    with pytest.raises(GateError, match=r"failed \d of 4 gates"):
        model.require_gates(force=False)


@pytest.mark.slow
def test_a_black_box_without_gradients_gets_a_twin(images, request_of, tmp_path):
    model = fit_model(request_of(classifier=wrapped(), images=replace(images, labels=None)), tmp_path, CPU)
    assert not model.classifier.differentiable and model.guide.differentiable
    assert (tmp_path / "twin" / "config.json").exists() and not (tmp_path / "classifier").exists()
    assert open_model(tmp_path, CPU, wrapped()).state_hash() == model.state_hash()


def test_another_classifier_is_refused(tiny, model):
    other = tiny.classifier_of()
    with pytest.raises(ClassifierError, match="not the one"):
        open_model(model_folder(model), CPU, other)


def test_other_images_are_refused(tiny, model):
    with pytest.raises(ClassifierError, match="32x32"):
        model.check_images(tiny.discs(4, size=32))


def test_adaptation_keeps_the_contrast(tiny, model, request_of, tmp_path):
    adapted = fit_model(request_of(classifier=tiny.classifier_of(), start=model_folder(model)), tmp_path, CPU)
    assert adapted.generator.pixels == model.generator.pixels
    assert adapted.record["adapted_from"] == model.address


def test_too_few_images(tiny, request_of, tmp_path):
    with pytest.raises(InputError, match="39 images"):
        fit_model(request_of(images=tiny.discs(39, size=28)), tmp_path / "out", CPU)
    assert not (tmp_path / "out").exists()


def test_folders_that_hold_no_model(tmp_path):
    with pytest.raises(FolderError, match="holds no finished model"):
        open_model(tmp_path, CPU)
    with pytest.raises(FolderError, match="does not exist"):
        open_model(tmp_path / "nowhere", CPU)
    for text in ('{"schema": 99}', "[]"):
        (tmp_path / "model.json").write_text(text)
        with pytest.raises(FolderError, match="this diffex reads 1"):
            open_model(tmp_path, CPU)
