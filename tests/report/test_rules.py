"""The rules of a run in the report."""

import csv
import io

import numpy as np
import pytest

from diffex.report import render_report
from diffex.runs import write_run

TREE = ["add", ["mul", 2.5, ["pow", "area", 2]], ["mul", -0.5, "glow"]]
FORMULA = "2.5*area**2 - 0.5*glow"


@pytest.fixture
def ruled(changed, explanation):
    """A run of the rule method: one formula, its front, disputed cells and learnt factors."""
    sure = [0.9, 0.8, 0.95]
    rule = {
        "class_name": "positive", "formula": FORMULA, "latex": "", "tree": TREE, "nodes": 9, "constants": [],
        "factors": [{"name": n, "words": f"{n} of the nucleus", "unit": "um2"} for n in ("area", "glow")],
        "stability": {"area**2": 0.97, "glow": 0.61},
        "front": [
            {"nodes": 2, "r2": 0.4, "formula": "-glow", "tree": ["mul", -1, "glow"], "engine": "pysr",
             "chosen": False},
            {"nodes": 9, "r2": 0.9, "formula": FORMULA, "tree": TREE, "engine": "operon", "chosen": True},
        ],
    }  # fmt: skip
    cell = {"id": "=1+1.tif", "label": "positive", "classifier": "positive", "classifier_margin": 0.4,
            "rule": "negative", "rule_margin": -0.2}  # fmt: skip
    rules = {
        "schema": 1, "class_names": ["negative", "positive"], "target": "positive", "rules": [rule],
        "codes_r2": {"area": 0.93, "glow": 0.2},
        "fidelity": {"agreement": sure, "accuracy_ratio": None, "r2": [sure], "images": 32, "unit": "groups"},
        "interventions": {"correlation": sure, "slope": [1.0, 0.9, 1.1]},
        "sparsity": [{"method": "rigl", "setting": 0.1, "factors": 4, "connections": 31, "r2": 0.8,
                      "agreement": 0.9}],
        "disagreements": {"count": 3, "images": 32, "cells": [cell]},
        "attacks": {
            "pixels": {"budget": 0.015, "grey_levels": 3.8, "images": 96, "unit": "groups", "models": [
                {"name": "classifier", "gradients": "its own", "guide_agrees": None, "accuracy": 0.97,
                 "kept": [0.48, 0.4, 0.6], "kept_more": None, "worst": "PGD", "by_attack": {"PGD": 0.48},
                 "half_kept_at": 0.015},
                {"name": "rules", "gradients": "of a network", "guide_agrees": 0.9, "accuracy": 0.92,
                 "kept": [0.97, 0.9, 1.0], "kept_more": [0.49, 0.4, 0.6], "worst": "FGSM",
                 "by_attack": {"FGSM": 0.97, "PGD": 1.0}, "half_kept_at": 1.0},
            ]},
            "moves": [{"measurement": "area", "unit": "um2", "threshold": 50.0, "images": 90, "flipped": 1.0,
                       "confirmed": [0.83, 0.7, 1.0], "agreed": 88, "classifier": [0.86, 0.7, 1.0],
                       "beyond": 4.3, "accuracy": 0.91}],
        },
    }  # fmt: skip
    shown = explanation.examples
    traversals = np.repeat(shown["original"][None, :1], 5, axis=1)
    examples = {
        **shown,
        "disagreements": shown["original"][:1],
        "traversals": traversals,
        "factors": np.array(["area"]),
        "attacked": np.repeat(shown["original"][None, :2], 3, axis=0),
        "moved": np.repeat(shown["original"][None, :2], 2, axis=0),
    }
    return changed(summary={"method": "rules"}, rules=rules, examples=examples)


@pytest.fixture
def opened(look, tmp_path, ruled):
    """Open its report in Chromium."""

    def build(**options):
        return look(render_report(write_run(ruled, tmp_path / "run"), tmp_path / "rules.html"), **options)

    return build


def test_says_the_rule_and_how_far_to_trust_it(report, ruled):
    text = report(ruled).text
    for words in (
        "The rule in place of the network", "positive where this is above 0", "area of the nucleus", "93 %",
        "2 formulas: accuracy against size", "61 %", "RigL, density 0.1", "3 of 32 held-out images",
        "=1+1.tif", "96 held-out images, each pixel changed by at most 3.8", "49 (40 to 60)",
        "of the pictures, measured anew, 83 % (70 to 100)", "against the rules", "which agrees in 90 %",
        "half of its accuracy under PGD", "better attacks may leave it less", "not reached",
        "above or below 50.0 um2: by itself it tells positive on held-out images", "accuracy of 91 %",
        "of the 88 that the classifier puts where the rule does before the move, it puts 86 % (70 to 100)",
    ):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_for_axe(opened, serious, scheme):
    page = opened(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert serious(page) == []


def test_saves_formulas_as_they_are_written_not_as_they_look(opened):
    page = opened()
    with page.expect_download() as saved:
        page.locator(".rules").get_by_role("button", name="Save as CSV").click()
    rows = list(csv.reader(io.StringIO(saved.value.path().read_text(encoding="utf-8"))))
    assert ["9", "0.900", FORMULA, "operon", "yes"] in rows
    assert ["2", "0.400", "'-glow", "pysr", ""] in rows
    assert ["1", "'=1+1.tif", "positive"] in [row[:3] for row in rows]


def test_all_formulas_stand_on_paper(opened):
    page = opened()
    formulas = page.locator(".rules details math")
    assert formulas.count() == 2 and not formulas.last.is_visible()
    page.emulate_media(media="print")
    assert all(one.is_visible() for one in formulas.all())
