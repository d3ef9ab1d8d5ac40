import numpy as np
import pandas as pd
import pytest

from diffex.report.notebook import responses_html
from diffex.report.responders import render_responders
from diffex.report.svg import ResponsePoint, response_curve

POINTS = [ResponsePoint("control", -1.0, 0.0, -0.2, 0.2, False), ResponsePoint("5", 2.3, 4.0, 3.0, 5.0, True)]


def tables():
    empty = np.nan
    answers = pd.DataFrame(
        {"name": ["a<b", "score"], "kind": ["attribute", "classifier"], "words": "grows", "unit": "sd",
         "lowest": [5.0, empty], "lowest_p": [0.01, empty], "ec50": [2.0, empty], "bottom": [0.0, empty],
         "top": [4.0, empty], "slope": [1.0, empty], "ec50_words": ["EC50 2.", "No EC50."]}
    )  # fmt: skip
    doses = pd.DataFrame(
        {"name": np.repeat(["a<b", "score"], 3), "condition": ["control", "2", "5"] * 2,
         "dose": [0.0, 2, 5] * 2,
         "value": 1.0, "low": 0.5, "high": [1.5, 1.5, np.inf] * 2, "cells": 30, "listed": 1.0,
         "verdict": [None, "none", "mixture", None, "shift", "shift"], "fraction": 0.31, "fraction_low": 0.2,
         "fraction_high": 0.4, "p_none": 0.01, "p_shift": 0.01}
    )  # fmt: skip
    cells = pd.DataFrame(
        {"name": "a<b", "condition": "5", "id": [f"{k}.png" for k in range(41)], "well": None, "value": 3.0,
         "probability": 0.9}
    )  # fmt: skip
    return {"answers": answers, "doses": doses, "responders": cells}


@pytest.fixture
def head():
    share = {"batch_share": 0.5, "batch_q": 0.001, "condition_share": 0.1, "condition_q": 0.4}
    row = {"name": "a<b", "separates": "batch", **share}
    return {
        "target": "drug", "dose": "nM", "controls": "nM 0", "first": "a<b", "warnings": ["One well."],
        "confounds": [{"batch": "plate", "confounded": False, "table": [row]}],
    }  # fmt: skip


@pytest.fixture
def page(tmp_path, head):
    file = render_responders(tmp_path / "responders.html", head, ("One.", "Two.", "Three."), tables())
    return file.read_text(encoding="utf-8")


def test_all_that_was_found_is_on_the_page(page):
    for text in ("One well.", "answers first", "departs from nM 5 on. EC50 2.", "does not depart", "Three."):
        assert text in page
    assert "31 % [20 %, 40 %]" in page.replace("\u00a0", " ").replace("\u202f", " ")
    assert "at most 40" in page
    assert "1 more are in responders.csv" in page
    assert "a&lt;b" in page
    assert "a<b" not in page


def test_responders_are_shown_above_controls(tmp_path, head):
    shown = {
        "name": "a<b", "responders": np.random.default_rng(0).random((3, 2, 28, 28)),
        "controls": np.zeros((3, 2, 28, 28)), "responder_ids": ("r<1", "r2", "r3"),
        "control_ids": tuple(f"c{k}" for k in range(3)), "channel_names": ("DNA", "actin"),
        "value_range": (0.0, 1.0), "pixel_size_um": 0.5,
    }  # fmt: skip
    file = render_responders(tmp_path / "r.html", head, ("One.", "Two."), tables(), shown)
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count("data:image/png") == 2
    assert "respond: r&lt;1, r2, r3" in page and "controls: c0, c1" in page
    assert "likeliest responders by a&lt;b" in page and "DNA in " in page


def test_a_notebook_shows_answer_and_curves(head, parse):
    head["warnings"] = ["<script>alert(1)</script>"]
    page = parse(responses_html(head, ("One.", "Two.", "<b>Three."), tables()))
    assert page.tags.count("svg") == 2
    for text in (
        "One.",
        "<b>Three.",
        "<script>alert(1)</script>",
        "a<b",
        "answers first",
        "departs from nM 5 on",
    ):
        assert text in page.text
    assert not {"script", "b<", "link", "img"} & set(page.tags)


def test_curve_fills_points_that_depart_and_joins_them_by_the_fit():
    drawn = response_curve(POINTS, None, "nM", "label")
    assert drawn.count('class="point"') == 1
    assert drawn.count('class="dot unsure"') == 1
    assert "polyline" not in drawn
    three = [*POINTS, ResponsePoint("9", 3.2, 5.0, float("-inf"), float("inf"), True)]
    drawn = response_curve(three, lambda place: place, "nM", "label")
    assert drawn.count("polyline") == 1
    assert drawn.count('class="span') == 2  # no interval, no line
