"""The dock widget, asked and answering without a window; the app is a real one."""

import json
import socket
from html import escape

import numpy as np
import pytest
from napari_diffex.placing import KEY
from napari_diffex.run import read_run
from qtpy.QtCore import QTimer


def live(viewer):
    told = [(layer.metadata[KEY], layer) for layer in viewer.layers]
    return {(one["kind"], one.get("channel")): layer for one, layer in told if one["kind"].startswith("live")}


@pytest.fixture
def connected(opened, address, answered):
    opened.address.setText(f" {address} ")
    answered(opened.connect_button)
    return opened


def movable(dock, run):
    concepts = [one.id for one in read_run(run).concepts if dock.table.spin_box(one.id) is not None]
    assert concepts, "the run has nothing to move"
    return concepts


def test_concepts_are_listed_with_effect_interval_and_significance(opened, run):
    concepts = read_run(run).concepts
    table = opened.table
    assert table.rowCount() == len(concepts)
    for row, one in enumerate(concepts):
        rank, told, effect, sure = (table.item(row, column).text() for column in range(4))
        assert told.startswith(one.name) and escape(one.title) in table.item(row, 1).toolTip()
        assert (rank, effect) == (f"{one.rank:.0f}", one.effect_words)
        assert sure == ("yes" if one.significant else "no")
    assert not opened.edit_button.isEnabled() and "diffex app" in opened.status.text()


def test_the_run_of_a_selected_layer_is_listed(qtbot, viewer, dock, run):
    assert dock.table.rowCount() == 0 and not dock.connect_button.isEnabled()
    viewer.open(str(run), plugin="napari-diffex")
    assert dock.table.rowCount() == len(read_run(run).concepts) and dock.connect_button.isEnabled()


def test_names_from_files_stay_text(broken, dock):
    head = json.loads((broken / "explanation.json").read_text())
    (broken / "explanation.json").write_text(json.dumps({**head, "target": "<h1>a class</h1>"}))
    dock.open(broken)
    assert "<h1>" in dock.title.text() and dock.title.textFormat().name == "PlainText"


def test_an_edit_becomes_layers_and_the_next_one_takes_their_place(connected, viewer, run, answered):
    assert connected.address.text() == "", "the token stays in the field"
    concept = movable(connected, run)[0]
    shown, before = read_run(run), len(viewer.layers)
    connected.table.spin_box(concept).setValue(connected.table.spin_box(concept).maximum())
    answered(connected.edit_button)
    first = live(viewer)
    channel = shown.channel_names[-1]
    edit, null = (first[kind, channel] for kind in ("live edit", "live null edit"))
    assert edit.data.shape == shown.original.shape[2:] and np.abs(edit.data - null.data).max() > 0
    told = edit.metadata[KEY]
    assert told["strengths"] == {concept: connected.table.spin_box(concept).value()}
    assert told["margin_edit"] != told["margin_null"] and told["cells"] == (connected.cell.currentText(),)
    assert told["cells"][0] in connected.status.text() and "logit margin" in connected.status.text()
    pictures = edit.data.copy()
    connected.table.spin_box(concept).setValue(0)
    answered(connected.edit_button)
    assert live(viewer)["live edit", channel] is edit and np.abs(edit.data - pictures).max() > 0
    assert len(viewer.layers) == before + len(first)


def test_a_cell_without_a_picture_is_edited_too(connected, viewer, run, answered):
    shown = read_run(run)
    absent = next(name for name in shown.cells if name not in shown.shown)
    connected.cell.setCurrentIndex(connected.cell.findText(absent))
    answered(connected.edit_button)
    assert {kind for kind, _ in live(viewer)} == {"live null edit", "live edit", "live captions"}
    assert live(viewer)["live captions", None].features["caption"][0] == ""
    places = {kind: layer.translate for (kind, _), layer in live(viewer).items()}
    connected.cell.setCurrentIndex(0)
    answered(connected.edit_button)
    assert {kind for kind, _ in live(viewer)} == {*places, "live original"}
    for (kind, _), layer in live(viewer).items():
        assert kind == "live original" or np.array_equal(layer.translate, places[kind])
    assert viewer.layers.selection.active.metadata[KEY]["kind"] == "edit"
    connected.cell.setEditText("no such cell")
    connected.edit_button.click()
    assert "no cell 'no such cell'" in connected.status.text()


def test_an_app_that_is_not_there_is_said(opened, answered):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    opened.address.setText(f"http://127.0.0.1:{port}/?token=a")
    answered(opened.connect_button)
    assert f"No app answers at 127.0.0.1:{port}" in opened.status.text()
    assert not opened.edit_button.isEnabled()


def test_a_wrong_token_is_said(opened, address, answered):
    opened.address.setText(address.replace("token=", "token=x"))
    answered(opened.connect_button)
    assert "refused" in opened.status.text() and not opened.edit_button.isEnabled()


def test_napari_does_not_freeze_while_the_app_is_silent(opened, qtbot):
    ticks = []
    clock = QTimer()
    clock.timeout.connect(lambda: ticks.append(1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        opened.address.setText(f"http://127.0.0.1:{silent.getsockname()[1]}/?token=a")
        opened.connect_button.click()
        clock.start(10)
        qtbot.waitUntil(lambda: len(ticks) > 20, timeout=20_000)
        assert not opened.connect_button.isEnabled() and "Asking" in opened.status.text()
        silent.accept()[0].close()
    qtbot.waitUntil(opened.connect_button.isEnabled, timeout=20_000)
    assert "No app answers" in opened.status.text()
