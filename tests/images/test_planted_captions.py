"""What words say about planted cells and scenes."""

import numpy as np
import pytest

from diffex.images.planted_captions import CELL_WORDS, SCENE_WORDS, cell_phrases, phrases_of, scene_phrases
from diffex.images.planted_factors import FACTORS
from diffex.images.planted_scenes import SCENE_FACTORS


def test_every_factor_has_two_phrases_and_no_phrase_is_used_twice():
    assert tuple(CELL_WORDS) == FACTORS
    assert tuple(SCENE_WORDS) == SCENE_FACTORS
    said = [phrase for words in (CELL_WORDS, SCENE_WORDS) for pair in words.values() for phrase in pair]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    ("words", "factors", "say"),
    [(CELL_WORDS, FACTORS, cell_phrases), (SCENE_WORDS, SCENE_FACTORS, scene_phrases)],
)
def test_a_large_and_a_small_value_are_named_and_a_middling_one_is_not(words, factors, say):
    large, small, middling = say(np.outer([2.0, -2.0, 0.1], np.ones(len(factors))))
    assert large == tuple(words[name][0] for name in factors)
    assert small == tuple(words[name][1] for name in factors)
    assert middling == ()


def test_values_that_are_not_known_and_phrases_that_are_empty_say_nothing():
    values = np.array([[np.nan, 3.0, -3.0], [0.9, 0.9, 0.9]])
    words = [("large", "small"), ("bright", "dim"), ("round", "")]
    assert phrases_of(values, words) == [("bright",), ("large", "bright", "round")]
    assert phrases_of(values, words, clear=1.0) == [("bright",), ()]
