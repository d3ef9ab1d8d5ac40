"""A real run, the real app in a process of its own, and a viewer without a window."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from napari.components import ViewerModel
from napari_diffex.dock import Concepts
from npe2 import PluginManager

PATIENCE_MS = 900_000


def asked_for(name, what):
    given = os.environ.get(name)
    if not given:
        pytest.fail(f"{name} is not set, expected {what}: run the tests with make test.")
    return given


@pytest.fixture(scope="session")
def run():
    """A run folder that diffex wrote."""
    return Path(asked_for("DIFFEX_RUN", "a run folder, such as that of diffex demo"))


@pytest.fixture(scope="session")
def address(run):
    """The address of the app, which goes on until the tests end."""
    command = [asked_for("DIFFEX", "the diffex command"), "app", run, "--no-browser", "--json"]
    told = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([*command, "--port", "18965"], stdout=subprocess.PIPE, text=True, env=told) as app:
        try:
            lines = iter(app.stdout.readline, "}\n")  # the app goes on after what it tells
            yield json.loads("".join([*lines, "}"]))["address"]
        finally:
            app.terminate()


@pytest.fixture(scope="session", autouse=True)
def _plugins():
    """Find plugins, which a window of napari would do."""
    PluginManager.instance().discover()


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(qtbot, viewer):
    made = Concepts(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def opened(dock, run):
    dock.open(run)
    return dock


@pytest.fixture
def answered(qtbot):
    """Press a button and wait until the app has answered."""

    def press(button):
        button.click()
        assert not button.isEnabled()
        qtbot.waitUntil(button.isEnabled, timeout=PATIENCE_MS)

    return press


@pytest.fixture
def broken(run, tmp_path):
    return shutil.copytree(run, tmp_path / "broken")
