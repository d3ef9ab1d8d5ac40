"""napari finds the plugin, and reads a run with it."""

import pytest
from napari_diffex.errors import RunError
from napari_diffex.placing import KEY
from napari_diffex.run import read_run
from npe2 import PluginManager, PluginManifest


def test_the_manifest_holds():
    manifest = PluginManifest.from_distribution("napari-diffex")
    manifest.validate_imports()
    assert manifest.contributions.readers[0].accepts_directories
    assert manifest.contributions.widgets[0].display_name == "diffex concepts"


def test_napari_asks_this_plugin_for_a_folder_and_a_head(run):
    manager = PluginManager.instance()
    for path in (run, run / "explanation.json"):
        names = [one.plugin_name for one in manager.iter_compatible_readers([str(path)])]
        assert "napari-diffex" in names


def test_a_run_opens_as_layers(viewer, run):
    shown = read_run(run)
    viewer.open(str(run), plugin="napari-diffex")
    kinds = [layer.metadata[KEY]["kind"] for layer in viewer.layers]
    channels = len(shown.channel_names)
    assert kinds.count("original") == kinds.count("null") == channels
    assert kinds.count("edit") == channels * len(shown.edited)
    edit = next(layer for layer in viewer.layers if layer.metadata[KEY]["kind"] == "edit")
    assert edit.data.shape == (len(shown.strengths) + 1, *shown.original[:, 0].shape)
    assert edit.scale[-1] == (shown.pixel_size or 1.0)
    first = edit.metadata[KEY]
    assert shown.concepts[0].id in {layer.metadata[KEY].get("concept") for layer in viewer.layers}
    assert first["low"] <= first["effect"] <= first["high"]
    assert viewer.dims.axis_labels == ("strength", "cell", "y", "x")


def test_a_damaged_run_is_one_sentence(viewer, broken, dock):
    (broken / "effects.parquet").write_bytes(b"no table")
    with pytest.raises(RunError, match=r"effects\.parquet is damaged"):
        viewer.open(str(broken), plugin="napari-diffex")
    dock.open(broken)
    assert "effects.parquet is damaged" in dock.status.text() and not viewer.layers
