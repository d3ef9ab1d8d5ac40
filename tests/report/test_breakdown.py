"""For whom an attribute matters: by class, by group, and in which cells."""

import io

import numpy as np
import pandas as pd
import pytest

from diffex.report.page import lay_out
from diffex.runs import salvage_run, write_run

HOSTILE = "<script>alert(1)</script>"


def table(concept, sign, groups=3):
    rows = [("class", "positive", 0.4, 0.2, 0.6), ("class", "negative", 3.1, 2.7, 3.5)]
    rows += [("group", f"B{k}", 1.0 + k / 10, k / 10 - 0.5, 1.5 + k / 10) for k in range(groups)]
    return pd.DataFrame(
        {"concept": concept, "sign": sign, "by": by, "name": name, "effect": effect, "low": low, "high": high,
         "n": 16, "groups": 8 if by == "class" else 1, "unit": "groups" if by == "class" else "images"}
        for by, name, effect, low, high in rows
    )  # fmt: skip


@pytest.fixture
def divided(explanation, changed):
    """With effects on every cell but the last."""
    spread = np.linspace(-1.0, 5.0, len(explanation.cells))
    spread[-1] = np.nan

    def build(**parts):
        cells = explanation.cells.assign(**{"effect_attribute-07": spread})
        return changed(**{"cells": cells, "breakdown": table("attribute-07", 1), **parts})

    return build


def first_section(explanation, tmp_path):
    page = lay_out(salvage_run(write_run(explanation, tmp_path / "run")), "run1")
    return page, page["sections"][0]


def test_classes_and_groups_are_shown(report, divided):
    page = report(divided())
    for words in ("In which classes and groups", "Effect by class", "+3.10", "16 images in 8 groups", "B2"):
        assert words in page.text
    ids = [value for _, name, value in page.attributes if name == "id"]
    panels = [value for _, name, value in page.attributes if name == "data-panel"]
    (anchor,) = (value for value in ids if value.endswith("-breakdown"))
    assert panels.count(anchor) == 1, "it can be saved"
    assert f"#{anchor} {{ --zero:" in page.style
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert "+3.10, interval +2.70 to +3.50" in labels


def test_classes_in_order_and_of_many_groups_the_ends(divided, tmp_path):
    _, section = first_section(divided(breakdown=table("attribute-07", 1, groups=40)), tmp_path)
    (by, classes), (_, groups) = section.breakdown.tables
    assert by == "class" and [part.name for part in classes] == ["negative", "positive"]
    names = [part.name for part in groups]
    assert names == [f"B{k}" for k in (39, 38, 37, 36, 35, 34, 5, 4, 3, 2, 1, 0)]
    assert section.breakdown.left_out == 28
    drawn = [("unsure" in part.bar) for part in groups]
    assert drawn == [False] * 6 + [True] * 6, "a ring where the interval holds 0"


def test_the_other_sign_is_not_shown(divided, tmp_path):
    assert first_section(divided(breakdown=table("attribute-07", -1)), tmp_path)[1].breakdown is None


def test_cells_are_ordered_by_their_effect(divided, report, tmp_path, explanation):
    page, section = first_section(divided(), tmp_path)
    ids = list(explanation.cells["id"])
    assert [cell.id for cell in section.highest] == ids[-2:-6:-1], "the last was not rendered"
    assert [cell.id for cell in section.lowest] == ids[:4]
    assert section.highest[0].value == "+4.90"
    sheet = pd.read_csv(io.StringIO(page["sheets"][f"{section.anchor}-cells"]))
    assert list(sheet["id"]) == ids[-2::-1] and "effect_attribute-07" in sheet
    parts = pd.read_csv(io.StringIO(page["sheets"][f"{section.anchor}-breakdown"]))
    assert list(parts["name"]) == ["negative", "positive", "B2", "B1", "B0"]
    text = report(divided()).text
    assert "Matters most: moved furthest toward positive" in text and "+4.90" in text
    assert "Largest score: most of it" in text, "attributes without effects keep their order"


def test_away_from_the_target_the_most_negative_lead(divided, explanation, tmp_path):
    rows = explanation.effects["concept"] == "attribute-07"
    effects = explanation.effects.assign(
        effect=explanation.effects["effect"].where(~rows, -3.0), ci_low=-3.5, ci_high=-2.5
    )
    _, section = first_section(divided(effects=effects), tmp_path)
    assert section.highest[0].id == explanation.cells["id"][0]
    assert section.captions[0] == "Matters most: moved furthest away from positive"


def test_old_runs_have_no_breakdown_and_damaged_ones_say_so(report, divided, explanation, tmp_path, parse):
    assert "In which classes" not in report(explanation).text
    from diffex.report import render_report

    run = write_run(divided(), tmp_path / "other")
    (run / "breakdown.parquet").write_bytes(b"\x00damaged")
    text = parse(render_report(run).read_text(encoding="utf-8")).text
    assert "breakdown.parquet is damaged" in text and "Matters most" in text
    write_run(explanation, run)
    assert not (run / "breakdown.parquet").exists(), "of the run before"


def test_hostile_names_stay_text(report, divided):
    page = report(divided(breakdown=table("attribute-07", 1).assign(name=lambda t: t["name"] + HOSTILE)))
    assert f"B0{HOSTILE}" in page.text
