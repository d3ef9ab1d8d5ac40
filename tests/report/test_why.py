"""Why this cell: the counterfactuals that a run keeps."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from diffex.report import render_report
from diffex.report.why import why_panels
from diffex.runs import salvage_run, write_run
from diffex.runs.counterfactuals import Counterfactual, Told, keep_counterfactuals

HOSTILE = "<script>alert(1)</script>"


def counterfactual(examples, row=0, **changes):
    told = {
        "id": f"plate1/B2/{row}.tif",
        "target": "positive",
        "class_names": ["negative", "positive"],
        "flipped": True,
        "distance": 2.5,
        "logits": {"original": [1.25, -1.25], "null": [1.1, -1.1], "counterfactual": [-0.3, 0.3]},
        "shares": [
            {"concept": "attribute-07", "words": "nuclear stain rises", "amount": 1.4, "share": 0.62},
            {"concept": "attribute-12", "words": "nucleus shrinks", "amount": -0.5, "share": 0.2},
        ],
        "rest": 0.18,
        "changes": "nuclear FKHR-EGFP +41 %",
    }
    pictures = examples["original"][row], examples["null"][row], examples["edits"][0, 2, row]
    return Counterfactual(Told.model_validate(told | changes), *pictures)


@pytest.fixture
def run(tmp_path, explanation):
    return write_run(explanation, tmp_path / "run")


@pytest.fixture
def page(parse):
    return lambda folder: parse(render_report(folder).read_text(encoding="utf-8"))


def test_a_panel_per_kept_cell(run, page, explanation):
    keep_counterfactuals(run, [counterfactual(explanation.examples, k) for k in (1, 0)])
    found = page(run)
    for words in (
        "Why this cell",
        "The smallest change found that still looks like the data makes it positive.",
        "2.50 standard deviations",
        "negative +1.25 +1.10 \N{MINUS SIGN}0.30",
        "nuclear stain rises attribute-07 +1.40 62 %",
        "none of these 18 %",
        "nuclear FKHR-EGFP +41 %",
        "counterfactual minus null",
    ):
        assert words in found.text, words
    panels = [value for _, name, value in found.attributes if name == "data-panel"]
    assert [panel for panel in panels if "why" in panel] == ["run1-why1", "run1-why2"]
    assert found.text.index("plate1/B2/0.tif") < found.text.index("plate1/B2/1.tif")
    alts = [value for tag, name, value in found.attributes if (tag, name) == ("img", "alt")]
    assert "plate1/B2/0.tif: original, null edit, counterfactual, and what changed." in alts
    labels = [value for tag, name, value in found.attributes if (tag, name) == ("svg", "aria-label")]
    assert labels.count("share 62\N{NO-BREAK SPACE}%") == 2


def test_it_stands_after_the_attributes_and_before_trust(run, page, explanation):
    keep_counterfactuals(run, [counterfactual(explanation.examples)])
    text = page(run).text
    places = [text.index(words) for words in ("Attribute 4 of 4", "Why this cell", "May this be trusted?")]
    assert places == sorted(places)


def test_what_could_not_be_flipped_is_not_called_so(run, page, explanation):
    keep_counterfactuals(run, [counterfactual(explanation.examples, flipped=False, shares=[], rest=1.0)])
    text = page(run).text
    assert "No change was found that looks like the data and makes it positive" in text
    assert "none of these 100" in text


def test_old_runs_have_none_and_a_damaged_one_is_named(run, page, explanation):
    assert "Why this" not in page(run).text
    keep_counterfactuals(run, [counterfactual(explanation.examples)])
    (path,) = (run / "counterfactuals").iterdir()
    path.write_bytes(b"PK\x03\x04damaged")
    text = page(run).text
    assert f"counterfactuals/{path.name} is damaged" in text
    assert "Why this" not in text and "nuclear stain rises by 38" in text


def test_hostile_text_stays_text(run, page, explanation):
    shares = [{"concept": HOSTILE, "words": HOSTILE, "amount": 1.0, "share": 0.5}]
    said = {"id": HOSTILE, "target": HOSTILE, "changes": HOSTILE, "shares": shares}
    plain = page(run).tags.count("script")
    keep_counterfactuals(run, [counterfactual(explanation.examples, class_names=[HOSTILE, "b"], **said)])
    found = page(run)
    assert found.tags.count("script") == plain and found.text.count(HOSTILE) >= 6


def test_one_channel_and_another_size(tmp_path, page, explanation, changed):
    e, head = explanation.examples, explanation.summary
    grey = {**e, **{key: e[key][..., :1, :, :] for key in ("original", "null", "edits")}}
    images = {**head["images"], "channel_names": ["grey"]}
    run = write_run(changed(examples=grey, summary={"images": images}), tmp_path / "grey")
    small = {**grey, **{key: grey[key][..., :40, :32] for key in ("original", "null", "edits")}}
    keep_counterfactuals(run, [counterfactual(small)])
    found = page(run)
    assert "Why this cell" in found.text and "tiles-4" in str(found.attributes)
    assert np.isfinite(small["null"]).all()


def test_a_channel_that_does_not_change_looks_like_it(run, explanation):
    """Noise of a still channel beside one that changes is drawn pale."""
    found = counterfactual(explanation.examples)
    keep_counterfactuals(run, [found])
    (panel,) = why_panels(salvage_run(run), "run1")
    png = base64.b64decode(panel.figure.strips[0].address.partition(",")[2])
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)
    still, moved = (tile.std(axis=2).max() for tile in np.array_split(picture, 5, axis=1)[3:])
    assert still < 0.5 * moved
