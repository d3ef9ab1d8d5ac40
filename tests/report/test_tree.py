"""The tree of phrases in the report."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from diffex.report import render_report
from diffex.report.tree import lineage, tree_panel
from diffex.report.vocabulary import vocabulary
from diffex.runs import write_run

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"
NODES = (
    ("nucleus", None, "nucleus"),
    ("nucleus/stain", "nucleus", "stain"),
    ("attribute-07", "nucleus/stain", "bright nucleus"),
    ("attribute-31", "nucleus/stain", "grainy chromatin"),
    ("attribute-12", "nucleus", "large nucleus"),
    ("attribute-19", "attribute-12", "rough outline"),
    ("scene", None, "scene"),
    ("attribute-44", "scene", "uneven background"),
    ("attribute-28", "scene", "debris"),
    ("attribute-02", None, "large cell"),
    ("never", "scene", "clock"),
)
TURN = {
    "stage": "propose", "model": "some-model", "prompt": "Name what differs.", "pictures": 6,
    "pictures_hash": "ab12", "answer": '{"categories": {}}', "tokens": 1812, "cached": False,
    "fault": "no category",
}  # fmt: skip


def tree_of(nodes, transcript=()):
    return {
        "nodes": [
            {"id": i, "name": name, "parent": parent, **({"phrase": name[:200]} if phrase else {})}
            for i, parent, name, phrase in (
                (*node, node[0].startswith(("attribute", "never", "level"))) for node in nodes
            )
        ],
        "transcript": list(transcript),
    }


@pytest.fixture
def semantic(changed, explanation):
    """A semantic run: two phrases are significant, one edit failed, one leaks, one cannot be checked."""
    table = explanation.effects
    verdict = {"attribute-31": "failed", "attribute-02": "leaks", "attribute-44": "unchecked"}
    edit = table["concept"].map(verdict).fillna("done")
    called = table["concept"].isin(["attribute-07", "attribute-03"]) & (table["sign"] > 0)
    known = edit != "unchecked"
    effects = table.assign(
        kind="text", max_strength=np.nan, total=table["effect"] + 0.5, edit=edit, significant=called,
        on_target=np.where(known, 1.25, np.nan), off_target=np.where(known, 0.15, np.nan),
        q=np.where(edit == "done", np.where(called, 1e-4, 0.4), np.nan),
        n=np.where(table["concept"] == "attribute-28", 8, 128),
    )  # fmt: skip
    head = explanation.summary
    keep = [0, 2]
    examples = {
        **explanation.examples,
        "concepts": explanation.examples["concepts"][keep],
        "edits": explanation.examples["edits"][keep],
    }

    def build(nodes=NODES, transcript=(), **parts):
        return changed(
            summary={
                "method": "semantics",
                "splits": {"selection": [], "estimation": list(head["splits"]["estimation"])},
                "counts": {**head["counts"], "selection": 0, "edits_done": 10},
                "classifier": {**head["classifier"], "balanced_accuracy": None},
            },
            **{
                "effects": effects,
                "examples": examples,
                "dose": explanation.dose.assign(discriminator_auroc=np.nan, on_manifold=True),
                "tree": tree_of(nodes, transcript),
                "drivers": None,
                **parts,
            },
        )

    return build


def panel_of(explanation):
    return tree_panel(explanation, {}, vocabulary("semantics"))


def values(page, tag, name):
    return [value for t, n, value in page.attributes if (t, n) == (tag, name)]


def test_groups_count_their_phrases_on_all_levels(semantic):
    root = panel_of(semantic()).root
    assert [(b.name, b.significant, b.total) for b in root.branches] == [("nucleus", 1, 4), ("scene", 0, 3)]
    assert [p.name for p in root.phrases] == ["large cell"]
    stain, large = root.branches[0].branches
    assert [p.name for p in stain.phrases] == ["bright nucleus", "grainy chromatin"]
    assert [p.name for p in large.phrases] == ["large nucleus", "rough outline"]  # its own phrase comes first
    assert (root.significant, root.total) == (1, 8)


def test_only_groups_with_something_significant_are_open(report, semantic):
    page = report(semantic())
    levels = [value for value in values(page, "details", "class") if "level" in value]
    assert levels == ["level-1", "level-2", "level-2", "level-1"]
    assert len(values(page, "details", "open")) == 2
    for words in ("1 of 4 significant", "1 of 2 significant", "0 of 3 significant", "1 of 8 phrases"):
        assert words in page.text


def test_both_ways_of_a_phrase_with_numbers_and_verdict(semantic):
    stain = panel_of(semantic()).root.branches[0].branches[0]
    more, less = stain.phrases[0].sides
    assert (more.way, less.way) == ("more of it", "less of it")
    assert (more.effect, more.on_target, more.off_target, more.q) == ("+2.10", "+1.2", "0.1", "< 0.001")
    assert more.significant and not less.significant and stain.phrases[0].significant
    assert more.verdict.words == "done"
    assert {side.verdict.words for side in stain.phrases[1].sides} == {"failed"}
    assert stain.phrases[1].sides[0].q == "\N{EN DASH}"


def test_says_what_was_not_called_and_why(report, semantic):
    text = report(semantic()).text
    for words in (
        "✗ failed", "≈ leaks", "? nobody can check", "✓ done", "given up after 8 of 128 images",
        "was not edited", "never called significant",
    ):  # fmt: skip
        assert words in text, words


def test_every_bar_has_words_and_the_same_zero(report, semantic):
    page = report(semantic())
    bars = [value for value in values(page, "svg", "aria-label") if "interval" in value]
    assert "+2.10, interval +1.88 to +2.32" in bars and all(bars)
    assert page.style.count("--zero: ") == 1


def test_top_phrases_lead_to_their_pictures(report, semantic):
    page = report(semantic())
    links = values(page, "a", "href")
    assert links.count("#run1-phrase1") == 2  # in the ranking and in the tree
    assert "run1-phrase1" in values(page, "section", "id")
    assert "nucleus \u203a stain \u203a bright nucleus, more of it" in page.text


def test_speaks_of_phrases_and_images(report, semantic):
    text = report(semantic()).text
    for words in (
        "Phrase 1 of 2 shown", "In which images", "effect with what else the edit changes +2.60",
        "change of what the phrase names +1.25 SD", "Balanced accuracy not measured Generator",
        "10 edits done", "arXiv:2412.18604",
    ):  # fmt: skip
        assert words in text, words
    for words in (
        "Attribute",
        "attribute ",
        "forward",
        "Max.",
        "Rings",
        "looks real",
        "0 images",
        "describer",
    ):
        assert words not in text, words


def test_hostile_names_and_answers_stay_text(report, semantic):
    name = f"{HOSTILE}{'x' * 60}"[:120]
    nodes = [(i, parent, name) for i, parent, _ in NODES]
    turn = {**TURN, "prompt": f"</pre>{HOSTILE}", "answer": HOSTILE * 3, "stage": HOSTILE, "fault": HOSTILE}
    table = semantic().effects
    edits = np.where(table["edit"] == "done", "done", HOSTILE)
    page = report(semantic(nodes, [turn], effects=table.assign(name=name, words=name, edit=edits)))
    assert page.tags.count("script") == report(semantic()).tags.count("script")
    assert page.tags.count("pre") == 2
    assert not [n for _, n, _ in page.attributes if n.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") > 20 and "{{ 7*7 }}" in page.text


def test_shows_what_a_describer_was_asked(report, semantic):
    text = report(semantic(transcript=[TURN, {**TURN, "cached": True, "fault": ""}])).text
    for words in (
        "What the describer was asked, and answered (2)", "Name what differs.", '{"categories": {}}',
        "propose, some-model, 6 pictures, 1,812 tokens, could not be used: no category",
        "6 pictures, answer from the cache",
    ):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize("kept", [None, "text", [1, None, []], [{}], [{"tokens": "many", "answer": None}]])
def test_a_damaged_transcript_harms_nothing_else(report, semantic, kept):
    run = semantic()
    assert (
        "All phrases, from coarse to fine" in report(replace(run, tree={**run.tree, "transcript": kept})).text
    )


def test_very_long_answers_are_cut(report, semantic):
    text = report(semantic(transcript=[{**TURN, "answer": "y" * 200_000}])).text
    assert "and 180,000 more characters in tree.json" in text


def test_very_deep_trees_nest_no_deeper_than_a_page_can_show(report, semantic):
    chain = [("level-0", None, "top")] + [
        (f"level-{i}", f"level-{i - 1}", f"step {i}") for i in range(1, 1500)
    ]
    page = report(semantic([*NODES, *chain]))
    assert max(int(v.split("-")[-1]) for v in values(page, "details", "class") if "level" in v) == 6
    assert "step 1499" in page.text


def test_runs_without_a_tree_or_without_checks(report, semantic, explanation):
    assert tree_panel(explanation, {}, vocabulary("attributes")) is None
    assert lineage(None, "a") == "" and lineage(tree_of(NODES), "unknown") == ""
    text = report(semantic(effects=explanation.effects)).text
    assert "All phrases, from coarse to fine" in text and "strongest that still looks real" in text


def test_the_only_control_without_script_is_a_checkbox_that_has_a_label(report, semantic):
    page = report(semantic())
    assert "Only significant phrases" in page.text
    assert ("div", "class", "filters") in page.attributes and ("div", "hidden", None) in page.attributes
    assert not {"form", "link"} & set(page.tags)


@pytest.fixture
def opened(look, tmp_path):
    """Open the report of a semantic run in Chromium."""

    def build(explanation, **options):
        return look(
            render_report(write_run(explanation, tmp_path / "run"), tmp_path / "tree.html"), **options
        )

    return build


def phrases_shown(page):
    return page.locator(".tree .phrases:not(.legend) th.name:visible").all_inner_texts()


def test_groups_fold_by_keyboard(opened, semantic):
    page = opened(semantic())
    scene = page.locator(".tree details.level-1").nth(1)
    before = phrases_shown(page)
    assert any("bright nucleus" in name for name in before) and not any("debris" in name for name in before)
    scene.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert any("debris" in name for name in phrases_shown(page))
    page.keyboard.press("Enter")
    assert phrases_shown(page) == before


def test_only_significant_phrases_are_shown_when_asked(opened, semantic):
    page = opened(semantic())
    before = phrases_shown(page)
    box = page.get_by_label("Only significant phrases")
    box.focus()
    page.keyboard.press("Space")
    assert [name.split("\n")[0] for name in phrases_shown(page)] == ["bright nucleus"]
    assert page.locator(".tree summary:visible", has_text="scene").count() == 0
    box.uncheck()
    assert phrases_shown(page) == before


def test_all_groups_stand_on_paper(opened, semantic):
    page = opened(semantic(transcript=[TURN]))
    assert not any("debris" in name for name in phrases_shown(page))
    page.emulate_media(media="print")
    assert len(phrases_shown(page)) == len([1 for i, *_ in NODES if i.startswith(("attribute", "never"))])
    assert page.locator(".only:visible, .asked pre:visible").count() == 0


def test_hostile_phrases_and_answers_stay_text_in_a_browser(opened, semantic):
    turn = {
        **TURN,
        "prompt": f"</pre>{HOSTILE}",
        "answer": f"</details></section>{HOSTILE}",
        "fault": HOSTILE,
    }
    nodes = [(i, parent, HOSTILE) for i, parent, _ in NODES]
    table = semantic().effects
    page = opened(semantic(nodes, [turn], effects=table.assign(name=HOSTILE, words=HOSTILE)))
    page.locator(".asked > summary").click()
    asked, answered = page.locator(".asked pre").all_inner_texts()
    assert HOSTILE in asked and answered == turn["answer"]
    assert phrases_shown(page)[0] == HOSTILE
    assert page.locator("img[src=x], main script:not([type='application/json'])").count() == 0
    with page.expect_download() as saved:
        page.locator(".tree").get_by_role("button", name="Save as SVG").click()
    drawn = list(ElementTree.fromstring(saved.value.path().read_bytes()).iter())
    assert not [one for one in drawn if one.tag.endswith("script")]
    assert any("<script>alert(1)</script>" in (one.text or "") for one in drawn)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_for_axe(opened, semantic, serious, scheme):
    page = opened(semantic(transcript=[TURN]), color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert serious(page) == []
