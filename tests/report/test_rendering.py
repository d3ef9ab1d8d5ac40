import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from diffex.base.errors import FolderError, InputError
from diffex.report import render_report, report_many
from diffex.runs import write_run

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


def test_says_everything(report, explanation):
    text = report(explanation).text
    for words in (
        "What makes the classifier say",
        *(sentence.replace(" %", "\N{NO-BREAK SPACE}%")[:40] for sentence in explanation.summary["answer"]),
        "95 % intervals over 16 groups",
        "6 not significant",
        "Attribute 1 of 4 shown",
        "What the edit changes, measured",
        "nuclear FKHR-EGFP",
        "How it grows with strength",
        "Largest score",
        "off-target change",
        "Channel by channel",
        "Scale bar 10 µm",
        "May this be trusted?",
        "at least 0.9",
        "passed",
        "9f2c61f0aa34be0d7721c0ffee123456",
        "94\N{NO-BREAK SPACE}%",
        "16 groups",
        "29,056",
        "1 min 24 s",
        "arXiv:2502.09663",
        "The diffex developers",
    ):
        assert re.sub(r"\s+", " ", words) in text, words
    assert "Rings on grey ground" in text
    assert "failed" not in text and "nan" not in text.lower().split()


def test_says_what_changes_were_divided_by(report, explanation):
    said = "Changes are divided by what renders show"
    assert said not in report(explanation).text, "a run that divided nothing"
    shares = np.resize([0.82, np.nan, 0.97], len(explanation.measured))
    text = report(replace(explanation, measured=explanation.measured.assign(rendered=shares))).text
    assert said in text and re.search(r"images \(82\W97\W%\)", text)


def test_answer_comes_before_the_table_before_the_pictures(report, explanation):
    text = report(explanation).text
    places = [
        text.index(words) for words in ("The classifier calls", "What matters", "Attribute 1", "trusted?")
    ]
    assert places == sorted(places)


def test_loads_nothing_and_runs_only_its_own_script(report, explanation):
    page = report(explanation)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    loads = [v for _, name, v in page.attributes if name in {"src", "srcset", "data", "xlink:href"}]
    assert loads and all(value.startswith("data:image/png;base64,") for value in loads)
    links = {value for _, name, value in page.attributes if name == "href"}
    assert {link for link in links if not link.startswith("#")} == {"https://arxiv.org/abs/2502.09663"}
    names = [name for _, name, _ in page.attributes]
    assert "style" not in names and not [name for name in names if name.startswith("on")]
    policy = next(v for _, name, v in page.attributes if name == "content" and "default-src" in v)
    assert policy == (
        f"default-src 'none'; img-src data:; style-src '{digest(page.style)}'; "
        f"script-src '{digest(page.scripts[-1])}'; base-uri 'none'; form-action 'none'"
    )
    kinds = [value for tag, name, value in page.attributes if tag == "script" and name == "type"]
    assert set(kinds) == {"application/json"} and len(kinds) == page.tags.count("script") - 1


def digest(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_style_and_script_load_nothing(report, explanation):
    page = report(explanation)
    assert "url(" not in page.style and "@import" not in page.style
    for word in ("fetch(", "XMLHttpRequest", "import(", "eval(", "innerHTML", "new Function", "localStorage"):
        assert word not in page.scripts[-1]


def test_can_be_read_by_all(report, explanation):
    page = report(explanation)
    alts = [value for tag, name, value in page.attributes if tag == "img" and name == "alt"]
    assert len(alts) == page.tags.count("img") and all(alts)
    scopes = [value for tag, name, value in page.attributes if tag == "th" and name == "scope"]
    assert len(scopes) == page.tags.count("th")
    labels = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert len(labels) == page.tags.count("svg") and all(labels)
    ids = [value for _, name, value in page.attributes if name == "id"]
    anchors = {value[1:] for _, name, value in page.attributes if name == "href" and value.startswith("#")}
    assert len(ids) == len(set(ids)) and anchors <= set(ids)


def test_hostile_text_stays_text(report, explanation, changed):
    head = explanation.summary
    cells = explanation.cells.rename(columns={"logit_positive": f"logit_{HOSTILE}"})
    examples = {**explanation.examples, "ids": np.array([f"{HOSTILE}{i}" for i in range(4)])}
    page = report(
        changed(
            summary={
                "target": HOSTILE,
                "class_names": ["negative", HOSTILE],
                "answer": [HOSTILE] * 3,
                "warnings": [HOSTILE],
                "images": {**head["images"], "channel_names": [HOSTILE, "b"], "source": HOSTILE},
                "gates": [{**gate, "words": HOSTILE} for gate in head["gates"]],
                "splits": {HOSTILE: [HOSTILE]},
                "versions": {HOSTILE: HOSTILE},
                "counts": {"images": 2, "by_class": {HOSTILE: 1}},
            },
            effects=explanation.effects.assign(name=HOSTILE, words=HOSTILE),
            measured=explanation.measured.assign(words=HOSTILE, unit=HOSTILE),
            cells=cells.assign(id=[f"{HOSTILE}{i}" for i in range(len(cells))], label=HOSTILE),
            examples=examples,
            cost={**explanation.cost, "nfe": {HOSTILE: 3}, "seconds": {HOSTILE: 1.0}},
        )
    )
    assert page.tags.count("script") == 7  # tables, cells, edits of four attributes, and the page's own
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") > 50
    assert "{{ 7*7 }}" in page.text


def test_trend_coverage_and_power_are_told(report, explanation, changed):
    powerless = "strength 1.5 (the check has no power: it does not find edits three times as strong)"
    plain = report(explanation).text
    for words in ("Trend with strength", "together with", powerless):
        assert words not in plain, "older runs do not tell"
    covered = [{"concept": "x", "sign": 1, "name": name, "flipped": n} for name, n in (("a", 5), ("b", 8))]
    one = changed(
        summary={"coverage": {"images": 9, "attributes": covered}},
        effects=explanation.effects.assign(trend_p=1e-9, half_flip=1.25, control_found=False),
    )
    text = report(one).text
    assert "Of 9 images not yet “positive”, at strength 1, a flips 5, 8 together with b." in text
    assert "Trend with strength: p < 0.001. Half of the images flip to positive at strength 1.25." in text
    assert powerless in text
    effects = explanation.effects.assign(trend_p=0.2, half_flip=np.nan, control_found=True)
    never = report(changed(effects=effects)).text
    assert powerless not in never
    assert "p = 0.200. At no strength tried do half of the images flip to positive." in never


def test_failed_gates_are_loud(report, explanation, changed):
    gates = [{**gate, "passed": i > 0} for i, gate in enumerate(explanation.summary["gates"])]
    gates[0]["value"] = None
    page = report(
        changed(
            summary={
                "gates": gates,
                "model": {**explanation.summary["model"], "forced": True},
                "labels_are_predictions": True,
                "warnings": ["Only 12 images of one class."],
                "unit": "images",
            }
        )
    )
    order = ("The classifier calls", "1 of 4 gates failed: do not rely on this", "What matters")
    places = [page.text.index(words) for words in order]
    assert places == sorted(places)
    for words in ("It was forced", "own predictions", "Only 12 images", "✗ failed", "within these wells"):
        assert words in page.text
    assert [value for _, name, value in page.attributes if name == "class"].count("banner loud") == 2


def test_nothing_found(report, explanation, changed):
    e = explanation.examples
    examples = {**e, "concepts": e["concepts"][:0], "edits": e["edits"][:0]}
    effects = explanation.effects.assign(
        significant=False,
        flip_rate=np.nan,
        flip_low=np.nan,
        flip_high=np.nan,
        max_strength=np.nan,
        off_target=np.nan,
    )
    page = report(
        changed(
            effects=effects, examples=examples, dose=explanation.dose[:0], measured=explanation.measured[:0]
        )
    )
    assert "No attribute has an effect" in page.text
    assert "16 not significant" in page.text
    assert "img" not in page.tags


def test_without_optional_parts(report, explanation, changed):
    head, e = explanation.summary, explanation.examples
    counts = {**head["counts"], "groups": 0}
    effects = explanation.effects.assign(
        max_strength=np.nan, off_target=np.nan, words=explanation.effects["name"]
    )
    page = report(
        changed(
            summary={
                "method": "somebody's own",
                "images": {**head["images"], "pixel_size_um": None, "channel_names": ["grey"]},
                "classifier": {**head["classifier"], "balanced_accuracy": None},
                "unit": "images",
                "counts": counts,
                "gates": [],
                "versions": {},
                "search": {},
            },
            effects=effects,
            cells=explanation.cells.assign(group=None, label=0)[["id", "label", "group", "logit_positive"]],
            examples={**e, **{key: e[key][..., :1, :, :] for key in ("original", "null", "edits")}},
            dose=explanation.dose[:0],
            measured=explanation.measured[:0],
            cost={},
        )
    )
    for words in (
        "95 % intervals over images.",
        "Scale bar 20 px (pixel size unknown)",
        "accuracy not measured",
        "no gates",
    ):
        assert words in page.text
    for words in ("What it cost", "Channel by channel", "In which cells", "arXiv", "grows with"):
        assert words not in page.text


def test_random_directions_are_set_apart(report, explanation, changed):
    kind = np.where(explanation.effects["concept"] == "attribute-02", "random", "direction")
    text = report(changed(effects=explanation.effects.assign(kind=kind))).text
    assert "2 arbitrary directions, rendered for comparison" in text


def test_many_significant_rows_are_folded(report, explanation, changed):
    text = report(changed(effects=explanation.effects.assign(significant=True))).text
    assert "2 more that are significant" in text


@pytest.mark.parametrize("kind", ["fluorescence", "photograph"])
def test_large_pictures_stay_small(report, tmp_path, explanation, changed, kind):
    noise = np.random.default_rng(0).integers(0, 256, (3, 3, 224, 224)).astype(np.float32)
    names = ["red", "green", "blue"] if kind == "photograph" else ["a", "b", "c"]
    concepts = explanation.effects["concept"].unique()
    examples = {
        "ids": np.array([f"cell {i}" for i in range(3)]),
        "concepts": concepts[:5].astype(np.str_),
        "strengths": np.array([0.5, 1.5]),
        "original": noise,
        "null": noise[:, :, ::-1],
        "edits": np.broadcast_to(noise[:, :, :, ::-1], (5, 2, *noise.shape)),
    }
    images = {**explanation.summary["images"], "size": [224, 224], "channel_names": names}
    report(changed(examples=examples, summary={"images": images}))
    assert (tmp_path / "run" / "report.html").stat().st_size < 15e6


def test_several_runs_share_a_file(tmp_path, explanation, changed, parse):
    runs = [
        write_run(explanation, tmp_path / "a"),
        write_run(changed(summary={"target": "negative"}), tmp_path / "b"),
    ]
    out = report_many(runs, tmp_path / "new" / "both.html")
    page = parse(out.read_text(encoding="utf-8"))
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert (page.tags.count("article"), page.tags.count("h1")) == (2, 3) and len(ids) == len(set(ids))
    for words in ("2 runs side by side", "1: positive", "2: negative", "Place 5", "4 of 4"):
        assert words in page.text
    with pytest.raises(InputError, match="at least one run folder"):
        report_many([], out)


def test_out_and_refusals(tmp_path, explanation):
    run = write_run(explanation, tmp_path / "run")
    assert render_report(run, tmp_path / "there.html") == tmp_path / "there.html"
    assert not (run / "report.html").exists()
    with pytest.raises(FolderError, match="is no finished run"):
        render_report(tmp_path / "nowhere", tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()


def test_opens_in_a_browser(tmp_path, explanation):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    path = render_report(write_run(explanation, tmp_path / "run"))
    done = subprocess.run(
        [
            browser,
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,1600"),
            *(f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={tmp_path / 'page.png'}"),
            path.as_uri(),
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "page.png").stat().st_size > 20_000
