import numpy as np
import pandas as pd
import pytest
import torch

from diffex.concepts import Concept
from diffex.effects.dose import dose_response
from diffex.explainers.answer import answer
from diffex.explainers.summarising import _warnings
from diffex.explainers.verifying import Verified

FLAT = dose_response(np.zeros((2, 3)), range(3))


def effects(significant=(True, False, False, False)):
    return pd.DataFrame(
        {"concept": ["latent:0", "latent:0", "random:1", "random:1"], "sign": [1, -1, 1, -1],
         "kind": ["latent", "latent", "random", "random"], "significant": significant, "n": 50,
         "words": "nucleus area +20 %", "effect": [1.234, -1, 0, 0], "ci_low": 0.9, "ci_high": 1.6}
    )  # fmt: skip


def verified(largest=2.0, control=True):
    dose = pd.DataFrame(
        {"strength": [0.5, 1.0, 2.0], "flip_rate": [0.1, 0.4, 0.9], "flip_low": [0.0, 0.3, 0.8],
         "flip_high": [0.2, 0.5, 0.96], "on_manifold": [not np.isnan(largest)] * 3}
    )  # fmt: skip
    return Verified(Concept("latent:0", "latent", "latent 0", torch.ones(2)), 1, dose, largest, control, FLAT)


def test_three_sentences_of_words_and_numbers():
    first, second, third = answer(effects(), [verified()], "drug", "images", 0)
    assert first == "The classifier calls an image drug when this changes: nucleus area +20 %."
    assert "At strength 2 it turns 90 % of the other images (95 % interval 80 to 96 %)" in second
    assert "raises the logit margin by 1.23 (0.90 to 1.60)" in second
    assert third.startswith("1 of 2 tested changes"), "random directions are not counted"
    assert third.endswith("Intervals are over 50 images.")


def test_off_the_manifold_is_said():
    lone = verified(largest=float("nan"))
    assert lone.strength == 0.5
    second = answer(effects(), [lone], "drug", "images", 0)[1]
    assert "At strength 0.5 it turns 10 %" in second and "take this with care" in second


def test_a_gap_below_the_largest_strength_is_said():
    """Between two classes that lie apart there are few real images; the whole edit may look real again."""
    lone = verified()
    lone.dose["on_manifold"] = [True, False, True]
    assert lone.gaps == (1.0,)
    (warning,) = _warnings([lone])
    assert "at strength 1, though not at 2" in warning


def test_nothing_left_to_flip_is_said():
    lone = verified()
    lone.dose["flip_rate"] = np.nan
    second = answer(effects(), [lone], "drug", "images", 0)[1]
    assert second.startswith("All images tried are the target class already") and "nan" not in second


def test_the_false_discovery_rate_is_the_one_asked_for():
    assert "rate of 10 %" in answer(effects(), [verified()], "drug", "images", 0, 0.1)[2]
    assert "rate of 10 %" in answer(effects((False,) * 4), [], "drug", "images", 0, 0.1)[1]


def test_nothing_found_is_said():
    first, second, third = answer(effects((False,) * 4), [], "drug", "images", 0)
    assert first.startswith("No change that was tried moves the classifier's score for drug")
    assert "2 changes" in second and "none is significant" in second
    assert third == "Intervals are over 50 images."


@pytest.mark.parametrize(
    ("unit", "groups", "said"),
    [
        ("groups", 12, "Intervals are over 12 groups (50 images)."),
        (
            "images",
            4,
            "Intervals are over 50 images within these 4 groups; they do not speak for other groups.",
        ),
        ("images", 0, "Intervals are over 50 images."),
    ],
)
def test_sureness(unit, groups, said):
    assert answer(effects(), [verified()], "drug", unit, groups)[2].endswith(said)


def test_warnings_tell_what_the_check_could_not_do():
    assert _warnings([verified()]) == []
    assert "even at the smallest strength" in _warnings([verified(float("nan"))])[0]
    assert "has no power" in _warnings([verified(control=False)])[0]
