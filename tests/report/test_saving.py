"""Panels saved as tables in Chromium: what the run says, and nothing that a spreadsheet would run."""

import csv
import io

import pandas as pd
import pytest

from diffex.report import render_report
from diffex.runs import write_run

FORMULAS = ("=1+1", "+cmd|'/c calc'!A0", "-2+3", "@SUM(A1)")


@pytest.fixture
def opened(look, tmp_path):
    """Open the report of a run in Chromium."""
    return lambda explanation: look(render_report(write_run(explanation, tmp_path / "run")))


def saved(page, name):
    panel = page.locator(f"[data-panel=run1-{name}]")
    with page.expect_download() as download:
        panel.get_by_role("button", name="Save as CSV").click()
    assert download.value.suggested_filename == f"run1-{name}.csv"
    return download.value.path().read_bytes().decode()


def as_table(text):
    return pd.read_csv(io.StringIO(text))


@pytest.mark.parametrize("part", ["dose", "measured"])
def test_curves_and_measurements_are_saved_in_full(look, explanation, part):
    page = look()
    for number in (1, 2):
        concept = explanation.examples["concepts"][number - 1]
        table = getattr(explanation, part)
        expected = table[table["concept"] == concept].reset_index(drop=True)
        found = as_table(saved(page, f"attribute{number}-{part}"))
        pd.testing.assert_frame_equal(found.fillna(""), expected, check_dtype=False, rtol=1e-12)


def test_cells_are_saved_by_falling_score(look, explanation):
    found = as_table(saved(look(), "attribute1-cells"))
    score = f"score_{explanation.examples['concepts'][0]}"
    expected = explanation.cells.sort_values(score, ascending=False, ignore_index=True)[list(found)]
    assert {"id", "label", score, "logit_positive"} <= set(found)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12)


def test_text_of_the_run_is_no_formula(opened, changed, explanation):
    names = [FORMULAS[i % 4] for i in range(len(explanation.measured))]
    ids = [f"{FORMULAS[i % 4]}{i}" for i in range(len(explanation.cells))]
    page = opened(
        changed(measured=explanation.measured.assign(words=names), cells=explanation.cells.assign(id=ids))
    )
    measured = as_table(saved(page, "attribute1-measured"))
    assert set(measured["words"]) == {f"'{one}" for one in FORMULAS}
    assert set(measured["change"].map(type)) == {float}
    assert all(one.startswith("'") for one in as_table(saved(page, "attribute1-cells"))["id"])


def test_text_of_the_page_is_no_formula(opened, changed, explanation):
    """Panels without a table in the run are read off the page."""
    values = (-0.25, 0.5, 1.0, -3.0)
    gates = [
        {**gate, "words": text, "value": value, "threshold": 0.25}
        for gate, text, value in zip(explanation.summary["gates"], FORMULAS, values, strict=True)
    ]
    page = opened(
        changed(summary={"gates": gates, "images": {**explanation.summary["images"], "source": "=1+1"}})
    )
    head, *rows = csv.reader(io.StringIO(saved(page, "gates")))
    assert head == ["What the generator must show", "Value", "Asked", "Verdict"]
    assert [name for name, *_ in rows] == [f"'{one}" for one in FORMULAS]
    assert [float(value) for _, value, *_ in rows] == list(values)
    assert "'=1+1" in saved(page, "provenance")
