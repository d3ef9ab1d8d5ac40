"""Text from a model is data."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffex.concepts.describers.answers import AnswerError, clean, parse_expansions, parse_proposal

GOOD = {"categories": [{"name": "Hair", "items": ["long hair", "short hair"]}]}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        f"```json\n{json.dumps(GOOD, indent=2)}\n```",
        f'Of course {{smile}}! For example {{"a": 1}}. Here it is: {json.dumps(GOOD)} Anything else?',
        '{"domain": "faces", "categories": {"Hair": ["long hair", "Long  Hair", "short hair"]}}',
    ],
)
def test_found_wherever_it_stands(text):
    assert parse_proposal(text) == {"Hair": ["long hair", "short hair"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot help with that.",
        '{"categories": [',
        '{"categories": "Hair"}',
        '{"categories": [{"name": "Hair", "items": [1, 2]}]}',
        '{"categories": [{"name": "Hair"}]}',
        '{"features": ["long hair"]}',
        '{"categories": []}',
        '{"categories": {"Hair": ["", "\\u0000", "---"]}}',
        "{" * 100_000,
        '{"a":' * 100_000,
        '{"categories": ' + "[" * 100_000,
    ],
)
def test_unusable(text):
    with pytest.raises(AnswerError):
        parse_proposal(text)


def test_hostile_texts_are_cut_cleaned_and_kept_as_text():
    items = [
        "<script>alert(1)</script>",
        "a" * 5000,
        "red\x1b[31m\x00 hair",
        "../../etc/passwd",
        "\ud800x",
        "RED[31m hair",
    ]
    kept = parse_proposal(json.dumps({"categories": {"A\x00B": items}}))
    assert kept == {"AB": ["<script>alert(1)</script>", "red[31m hair", "../../etc/passwd", "x"]}


def test_counts_are_limited():
    many = {f"c{i}": [f"c{i} item {j}" for j in range(50)] for i in range(50)}
    kept = parse_proposal(json.dumps({"categories": many}))
    assert len(kept) == 20 and {len(items) for items in kept.values()} == {20}
    subs = parse_expansions(json.dumps({"hat": [f"hat {i}" for i in range(99)]}), ["hat"])
    assert len(subs["hat"]) == 25


def test_expansions_hold_what_was_asked():
    text = '{"expansions": [{"item": "HAT", "values": ["beret"]}, {"item": "shoe", "values": ["boot"]}]}'
    assert parse_expansions(text, ["hat", "scarf"]) == {"hat": ["beret"], "scarf": []}
    with pytest.raises(AnswerError):
        parse_expansions(text, ["glasses"])
    with pytest.raises(AnswerError):
        parse_expansions('{"hat": "beret"}', ["hat"])


@given(st.text(st.characters(), max_size=400))
def test_clean_text_is_short_printable_and_stays_so(text):
    cleaned = clean(text)
    assert len(cleaned) <= 80 and cleaned.isprintable() and cleaned == cleaned.strip()
    assert clean(cleaned) == cleaned


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda s: st.lists(s) | st.dictionaries(st.text(max_size=9), s),
    )
)
def test_any_json_gives_phrases_or_an_answer_error(value):
    try:
        found = parse_proposal(json.dumps({"categories": value}))
    except AnswerError:
        return
    assert all(items and all(0 < len(item) <= 80 for item in items) for items in found.values())
