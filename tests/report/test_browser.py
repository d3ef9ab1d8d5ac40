"""The report in Chromium, from disk, with the network off: what a reader does with it."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from diffex.report import report_many
from diffex.runs import write_run

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def view(page):
    """Bring the first viewer up, and wait until it has drawn."""
    viewer = page.locator(".viewer").first
    viewer.scroll_into_view_if_needed()
    viewer.locator(".said:not(:empty)").wait_for()
    return viewer


def picture(viewer, pane):
    return viewer.locator(f"canvas[data-pane={pane}]").evaluate("canvas => canvas.toDataURL()")


def slider(viewer):
    return viewer.get_by_role("slider", name="Strength")


def strength(viewer, value):
    slider(viewer).fill(str(value))


def test_rows_are_chosen_and_counted(look):
    page = look()
    count, rows = page.locator(".count"), page.locator(".ranked tbody tr:visible")
    assert rows.count() == 10 and count.inner_text() == "10 of 16 rows shown"
    page.locator(".part").select_option("all")
    assert rows.count() == 16
    page.get_by_label("Only verified").check()
    assert count.inner_text() == f"{rows.count()} of 16 rows shown" and rows.count() == 6
    page.get_by_label("Only verified").uncheck()
    page.get_by_label("Text").fill("Debris")
    assert rows.count() == 2 and "debris in a corner" in rows.first.inner_text()


def test_rows_are_ordered_by_keyboard(look):
    page = look()
    head = page.locator("th[data-key=effect]")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    effects = [
        float(v) for v in page.locator(".ranked tbody tr").evaluate_all("r => r.map(x => x.dataset.effect)")
    ]
    assert effects == sorted(effects, reverse=True)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"


def test_the_slider_shows_the_edits_of_the_run(look, explanation):
    viewer = view(page := look())
    strength(viewer, 0)
    plain = picture(viewer, "null")
    assert picture(viewer, "edit") == plain
    assert "null edit: nothing is changed" in viewer.locator(".said").inner_text()
    strength(viewer, 4)
    assert picture(viewer, "edit") != plain and picture(viewer, "null") == plain
    said = viewer.locator(".said").inner_text()
    assert "Strength 2" in said and "does not look real" in said and "flip" in said
    assert "Strength 2" in slider(viewer).get_attribute("aria-valuetext")
    with page.expect_download() as saved:
        viewer.get_by_role("button", name="Save as CSV").click()
    pixels = pd.read_csv(saved.value.path())
    e = explanation.examples
    for column, expected in (("original", e["original"][0]), ("edit", e["edits"][0, 3, 0])):
        shown = pixels[column].to_numpy().reshape(2, 64, 64)
        ends = expected.min(axis=(1, 2)), expected.max(axis=(1, 2))
        assert np.abs(shown - expected).mean() < 0.02 * (ends[1] - ends[0]).mean()


def test_keys_move_the_slider(look):
    viewer = view(page := look())
    slider(viewer).focus()
    before = viewer.locator(".said").inner_text()
    page.keyboard.press("ArrowLeft")
    assert viewer.locator(".said").inner_text() != before


def test_one_look_for_all_viewers_of_a_run(look):
    viewer = view(page := look())
    second = page.locator(".viewer").nth(1)
    second.scroll_into_view_if_needed()
    second.locator(".said:not(:empty)").wait_for()
    first = picture(viewer, "original"), picture(second, "original")
    viewer.locator("summary").click()
    viewer.get_by_label("Colour").first.select_option("cyan")
    turned = picture(viewer, "original"), picture(second, "original")
    assert all(a != b for a, b in zip(first, turned, strict=True))
    viewer.get_by_label("White").first.fill("20")
    assert picture(viewer, "original") != turned[0]
    viewer.get_by_role("button", name="As at first").click()
    assert (picture(viewer, "original"), picture(second, "original")) == first


def test_panels_are_saved(look, explanation):
    page = look()
    section = page.locator(".ranking")
    saved = {}
    for kind in ("SVG", "PNG", "CSV"):
        with page.expect_download() as download:
            section.get_by_role("button", name=f"Save as {kind}").click()
        assert download.value.suggested_filename == f"run1-ranking.{kind.lower()}"
        saved[kind] = download.value.path().read_bytes()
    texts = [element.text for element in ElementTree.fromstring(saved["SVG"]).iter() if element.text]
    assert any("nuclear stain rises" in text for text in texts)
    assert Image.open(io.BytesIO(saved["PNG"])).width > 1500
    table = pd.read_csv(io.BytesIO(saved["CSV"]))
    assert np.allclose(table["effect"], explanation.effects["effect"])
    assert page.locator(".tools").count() == page.locator("[data-panel]").count()


def test_dark_as_the_system_says_or_the_button(look):
    def ground(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = look(), look(color_scheme="dark")
    pale, deep = ground(light), ground(dark)
    assert pale != deep and dark.locator(".theme").get_attribute("aria-pressed") == "true"
    light.keyboard.press("Tab")
    light.keyboard.press("Enter")
    assert ground(light) == deep and light.locator(".theme").get_attribute("aria-pressed") == "true"


def test_hostile_names_stay_text(look, tmp_path, explanation, changed):
    e = explanation.examples
    run = changed(
        summary={
            "target": HOSTILE,
            "answer": [HOSTILE],
            "images": {**explanation.summary["images"], "channel_names": [HOSTILE, "b"]},
        },
        effects=explanation.effects.assign(name=HOSTILE, words=HOSTILE, kind=HOSTILE),
        examples={**e, "ids": np.array([f"{HOSTILE}{i}" for i in range(4)])},
    )
    page = look(report_many([write_run(run, tmp_path / "run")], tmp_path / "hostile.html"))
    viewer = view(page)
    assert HOSTILE in page.locator("h1").inner_text() and HOSTILE in viewer.locator(".of").inner_text()
    assert page.locator("img[src=x]").count() == 0


def test_can_be_read_without_script(look):
    page = look(java_script_enabled=False)
    assert page.locator(".viewer:visible, .filters:visible, .theme:visible").count() == 0
    assert page.locator(".ranked tbody tr:visible").count() == 10
    assert page.locator(".strips img:visible").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_for_axe(look, serious, scheme):
    page = look(color_scheme=scheme)
    view(page).locator("summary").click()
    assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_for_axe_in_several_runs(look, serious, tmp_path, changed, explanation, scheme):
    other = changed(summary={"target": "negative"})
    runs = [write_run(explanation, tmp_path / "a"), write_run(other, tmp_path / "b")]
    page = look(report_many(runs, tmp_path / "both.html"), color_scheme=scheme)
    assert serious(page) == []


def test_on_paper_stands_what_was_chosen_without_controls(look):
    page = look(color_scheme="dark")
    view(page)
    page.get_by_label("Text").fill("Debris")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within margins of 1 cm
    page.emulate_media(media="print")
    controls = "button:not(th button):visible, input:visible, select:visible, .viewer:visible"
    assert page.locator(controls).count() == 0  # heads of the table sort, and stay as heads
    assert page.locator(".ranked tbody tr:visible").count() == 2
    heads = page.locator(".ranked thead th")
    assert len({head.bounding_box()["y"] + head.bounding_box()["height"] for head in heads.all()}) == 1
    assert page.locator(".count").inner_text() == "2 of 16 rows shown"
    assert page.locator(".strips img:visible").count() > 0 and page.locator(".dose svg:visible").count() == 4
    assert page.locator(".ids:visible").count() == 0  # long, and in the run folder
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_fits_a_phone(look, browser):
    page = look()
    page.set_viewport_size({"width": 390, "height": 800})
    view(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
