"""The pictures behind the slider are those of the run, as far as bytes allow."""

import base64
import io

import numpy as np
from PIL import Image

from diffex.report.pictures import open_gallery, open_plate
from diffex.report.ranking import best_rows
from diffex.report.slider import cell_data, edit_data, open_reel


def opened(explanation, concept=0):
    gallery = open_gallery(explanation)
    reel = open_reel(gallery)
    plate = open_plate(gallery, best_rows(explanation.effects)[gallery.concepts[concept]])
    return reel, cell_data(reel), edit_data(reel, plate)


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))).astype(float)


def test_an_edit_is_the_null_edit_plus_its_change(explanation):
    _, cells, edits = opened(explanation)
    e = explanation.examples
    for c, channel in enumerate(cells["channels"]):
        share = decoded(cells["null"][c]) / 255
        share = share**2 if channel["root"] else share
        null = channel["floor"] + (channel["ceiling"] - channel["floor"]) * share
        change = (decoded(edits["changes"][c]) - 128) / 127 * edits["scales"][c]
        for cell in range(4):
            rows = np.s_[64 * cell : 64 * (cell + 1)]
            for step in range(4):
                shown = null[rows] + change[rows, 64 * step : 64 * (step + 1)]
                wide = channel["ceiling"] - channel["floor"]
                inside = (e["null"][cell, c] > channel["floor"]) & (e["null"][cell, c] < channel["ceiling"])
                assert np.abs(shown - e["edits"][0, step, cell, c])[inside].max() < 0.01 * wide


def test_steps_say_what_the_run_says(explanation):
    _, _, edits = opened(explanation)
    assert [step["strength"] for step in edits["steps"]] == ["0.5", "1", "1.5", "2"]
    assert [step["real"] for step in edits["steps"]] == [True, True, True, False]
    assert edits["steps"][1]["said"] == "effect +2.10 (+1.94 to +2.26), 64\N{NO-BREAK SPACE}% flip"
    assert edits["start"] == 2 and edits["shown"] == 1


def test_signed_strengths_know_their_way(explanation, changed):
    examples = {**explanation.examples, "strengths": np.array([1.0, -1.0, 0.5, -0.5])}
    _, _, edits = opened(changed(examples=examples))
    assert [step["strength"] for step in edits["steps"]] == [
        "\N{MINUS SIGN}1",
        "\N{MINUS SIGN}0.5",
        "0.5",
        "1",
    ]
    assert edits["steps"][0]["said"].startswith("effect \N{MINUS SIGN}2.10")


def test_large_pictures_lose_cells_first_and_then_detail(explanation, changed):
    e = explanation.examples
    large = {
        key: np.repeat(np.repeat(e[key], 4, axis=-1), 4, axis=-2) for key in ("original", "null", "edits")
    }
    reel, cells, _ = opened(changed(examples={**e, **large}))
    assert (reel.cells, reel.block) == (3, 2)
    assert reel.size == (128, 128) and cells["size"] == (128, 128) and cells["bar"] == 10
    assert reel.words() == "3 of 4 example cells. Blocks of 2 by 2 pixels are averaged."
