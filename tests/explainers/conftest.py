"""A tiny model of planted cells and one explanation with it, made once a session."""

import importlib.util
from pathlib import Path

import pytest

from diffex.explainers.attributes import explain_attributes
from diffex.explainers.preparing import prepare
from diffex.generators.model import open_model


@pytest.fixture(scope="session")
def tiny():
    spec = importlib.util.spec_from_file_location("tiny_model", Path(__file__).with_name("tiny_model.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fitting_cells(tiny):
    return tiny.cells()


@pytest.fixture(scope="session")
def model_folder(tiny, fitting_cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny.fit(fitting_cells, folder)
    return folder


@pytest.fixture(scope="session")
def model(tiny, model_folder):
    return open_model(model_folder, tiny.CPU)


@pytest.fixture(scope="session")
def new_cells(tiny):
    """Cells the model has not seen."""
    return tiny.cells(64, seed=2)


@pytest.fixture(scope="session")
def prepared(tiny, new_cells, model):
    return prepare(new_cells, model, tiny.config())


@pytest.fixture(scope="session")
def explained(tiny, new_cells, model):
    """Of so lax a discovery rate that something is verified, measured and shown; every row rendered."""
    return explain_attributes(new_cells, model, tiny.config(q=0.9, search="exact"))
