"""Captions drawn in training."""

import pytest
import torch

from diffex.generators.text.captioning import draw_caption, draw_pair


def test_captions_are_some_of_the_phrases_and_sometimes_none(text_config):
    generator = torch.Generator().manual_seed(0)
    phrases = ("a", "b", "c", "d")
    short = text_config.model_copy(update={"most_phrases": 3})
    drawn = [draw_caption(phrases, short, generator) for _ in range(2000)]
    counts = [len(said.split(", ")) if said else 0 for said in drawn]
    assert set(counts) == {0, 1, 2, 3}
    assert counts.count(0) / 2000 == pytest.approx(text_config.drop, abs=0.03)
    assert all(
        len(set(said.split(", "))) == count for said, count in zip(drawn, counts, strict=True) if count
    )
    assert draw_caption((), text_config, generator) == ""


def test_a_pair_differs_in_its_own_phrase_alone(text_config):
    generator = torch.Generator().manual_seed(0)
    first, second = ("a", "large", "b", "c"), ("a", "b", "small", "c")
    short = text_config.model_copy(update={"most_phrases": 3})
    drawn = [draw_pair(first, second, short, generator) for _ in range(2000)]
    assert all(one.replace("large", "small") == other for one, other in drawn)
    counts = [one.count(",") + 1 if one else 0 for one, _ in drawn]
    assert set(counts) == {0, 1, 2, 3}  # never more than the most
    assert counts.count(0) / 2000 == pytest.approx(text_config.drop, abs=0.03)
    assert counts.count(1) / 2000 == pytest.approx((1 - text_config.drop) / 2, abs=0.04)
    assert {one.split(", ").index("large") for one, _ in drawn if one} == {0, 1, 2}


def test_a_pair_that_shares_nothing_or_everything(text_config):
    generator = torch.Generator().manual_seed(0)
    told = text_config.model_copy(update={"drop": 0.0})
    assert draw_pair(("large",), ("small",), told, generator) == ("large", "small")
    assert draw_pair((), ("small",), told, generator) == ("", "small")
    assert draw_pair((), (), told, generator) == ("", "")
