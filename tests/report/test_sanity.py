"""May this be trusted: whether the explanation depends on its classifier."""

import json

import pytest

from diffex.base.errors import FolderError
from diffex.report import render_report
from diffex.runs import write_run
from diffex.runs.sanity import keep_sanity, read_sanity

HOSTILE = "<script>alert(1)</script>"
ROWS = (("last 25% of the layers shuffled", "cascade", 0.91), ("all layers shuffled, 1", "random", 0.12))


def sanity(*, depends=True, sentence="Effects agree by 0.12: it depends.", rows=ROWS):
    names = ("classifier", "kind", "agreement")
    return {
        "table": [dict(zip(names, row, strict=True)) for row in rows],
        "depends": depends,
        "sentence": sentence,
    }


@pytest.fixture
def run(tmp_path, explanation):
    return write_run(explanation, tmp_path / "run")


@pytest.fixture
def page(parse):
    return lambda folder: parse(render_report(folder).read_text(encoding="utf-8"))


def test_the_verdict_and_its_numbers_stand_beside_the_gates(run, page):
    keep_sanity(run, sanity())
    found = page(run)
    text = found.text
    for words in ("✓ Effects agree by 0.12: it depends.", "last 25% of the layers shuffled 0.91"):
        assert words in text
    order = ("May this be trusted?", "Does it depend on the classifier?", "Where the numbers come from")
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert [v for _, name, v in found.attributes if name == "data-panel"].count("run1-sanity") == 1
    assert "not asked" not in text


def test_one_that_does_not_depend_is_loud(run, page):
    keep_sanity(run, sanity(depends=False, sentence=f"Do not trust it {HOSTILE}"))
    found = page(run)
    assert f"✗ Do not trust it {HOSTILE}" in found.text
    assert ("p", "class", "warned") in found.attributes


def test_nobody_asked(run, page, changed, tmp_path):
    found = page(run)
    assert "not asked; run diffex doctor --sanity" in found.text
    assert "run1-sanity" not in [value for _, _, value in found.attributes]
    ruled = write_run(changed(summary={"method": "semantics"}), tmp_path / "other")
    assert "not asked" not in page(ruled).text


@pytest.mark.parametrize("text", ["{", "[]", '{"table": [], "depends": true, "sentence": ""}', "{}"])
def test_a_damaged_one_is_named_and_the_rest_is_shown(run, page, text):
    (run / "sanity.json").write_text(text)
    found = page(run).text
    assert "sanity.json is damaged" in found
    assert "1 part of this run is missing or damaged" in found
    assert "at least 0.9" in found and "not asked" not in found
    with pytest.raises(FolderError, match=r"sanity\.json is damaged"):
        read_sanity(run / "sanity.json")


def test_numbers_that_are_none_are_a_dash(run, page):
    keep_sanity(run, sanity(rows=(("taught on permuted labels", "permuted", float("nan")),)))
    assert json.loads((run / "sanity.json").read_text())["table"][0]["agreement"] is None
    assert "taught on permuted labels \N{EN DASH}" in page(run).text


def test_another_run_in_the_folder_is_not_what_was_asked_about(run, explanation):
    keep_sanity(run, sanity())
    write_run(explanation, run)
    assert not (run / "sanity.json").exists()
