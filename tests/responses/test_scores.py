"""Scores: in control standard deviations, along the concept and not what varies with it, chunk by chunk."""

import numpy as np
import pytest
import torch

from diffex.base.errors import InputError
from diffex.concepts import Concept
from diffex.images import images_from_arrays
from diffex.responses.scores import ScoreAxes, scores_from_controls, stream_scores, strength_axes

FIRST = Concept("first", "test", "first", torch.tensor([2.0, 0.0, 0.0]))
SECOND = Concept("second", "test", "second", torch.tensor([0.0, 1.0, 0.0]))


def _codes(n: int, seed: int = 0) -> np.ndarray:
    """Codes whose first two coordinates are correlated."""
    normal = np.random.default_rng(seed).normal(size=(n, 3))
    return normal @ np.array([[1.0, 0.8, 0], [0, 0.6, 0], [0, 0, 2.0]]) + 5.0


def _axes(controls: np.ndarray, concepts: list[Concept], signs: list[int]) -> ScoreAxes:
    return scores_from_controls(controls, np.ones(len(controls), dtype=bool), concepts, signs)[0]


def _flat(x: torch.Tensor) -> torch.Tensor:
    """Encode a picture of three pixels as its pixels."""
    return x.flatten(1)


def test_controls_have_mean_0_and_sd_1() -> None:
    codes, control = _codes(400), np.arange(400) < 200
    scores = scores_from_controls(codes, control, [FIRST, SECOND], [1, -1])[1]
    assert scores[control].mean(axis=0) == pytest.approx(0, abs=0.01)
    assert scores[control].std(axis=0, ddof=1) == pytest.approx(1)


def test_untreated_cells_are_spread_as_few_controls_are() -> None:
    """60 controls and 40 coordinates: axes found on controls fit these, and spread other cells more."""
    codes = np.random.default_rng(2).normal(size=(4060, 40))
    control, concept = np.arange(4060) < 60, Concept("a", "test", "a", torch.ones(40))
    axes, scores = scores_from_controls(codes, control, [concept], [1])
    assert scores[~control].std() == pytest.approx(1, abs=0.25)
    assert axes.scores(codes[control]).std() < 0.7 * scores[~control].std()


def test_untreated_wells_are_as_far_apart_as_wells_of_controls() -> None:
    """What a well's cells share is not seen by axes that are found on cells of that well."""
    random = np.random.default_rng(3)
    shared = random.normal(size=(64, 1, 5)) @ random.normal(size=(5, 40))
    codes = (random.normal(size=(64, 50, 40)) + 0.2 * shared).reshape(-1, 40)
    wells, control = np.repeat(np.arange(64), 50).astype(str), np.arange(3200) < 200
    concept = Concept("a", "test", "a", torch.ones(40))

    def apart(groups: np.ndarray | None) -> float:
        scores = scores_from_controls(codes, control, [concept], [1], groups)[1]
        means = scores.reshape(64, 50).mean(axis=1)
        return float(means[:4].std(ddof=1) / means[4:].std(ddof=1))

    assert apart(None) < 0.75 < apart(wells)
    one_well = scores_from_controls(codes, control, [concept], [1], np.full(3200, "A1"))[1]
    assert (one_well == scores_from_controls(codes, control, [concept], [1])[1]).all()


def test_a_step_along_a_concept_moves_its_own_score() -> None:
    codes, axes = _codes(400), _axes(_codes(400), [FIRST, SECOND], [1, -1])
    moved = axes.scores(codes + FIRST.direction.numpy()) - axes.scores(codes)
    assert moved[:, 0] == pytest.approx(np.full(400, moved[0, 0])) and moved[0, 0] > 1
    down = axes.scores(codes + SECOND.direction.numpy()) - axes.scores(codes)
    assert (down[:, 1] < 0).all()


def test_noise_of_idle_coordinates_is_not_enlarged() -> None:
    """A direction with a small part along a coordinate that hardly varies is not read off that coordinate."""
    random = np.random.default_rng(1)
    codes = random.normal(size=(400, 2)) * [1.0, 0.01]
    mixed = Concept("mixed", "test", "mixed", torch.tensor([1.0, 0.05]))
    scores = _axes(codes, [mixed], [1]).scores(codes)[:, 0]
    assert np.corrcoef(scores, codes[:, 0])[0, 1] > 0.99


def test_streaming_gives_the_same_scores_whatever_the_chunk() -> None:
    pixels = np.clip(_codes(50).astype(np.float32) / 20, 0, 1).reshape(50, 1, 1, 3)
    images = images_from_arrays(np.tile(pixels, (1, 1, 3, 1)), value_range=(0, 1), channel_names=["a"])
    encode = lambda x: _flat(x[:, :, :1])
    axes = _axes(encode(images.read()).double().numpy(), [FIRST], [1])
    parts = [list(stream_scores(images, encode, axes, chunk)) for chunk in (7, 50)]
    one, two = (np.concatenate([batch.scores for batch in part]) for part in parts)
    assert one == pytest.approx(two) and len(parts[0]) == 8
    assert np.concatenate([batch.positions for batch in parts[0]]).tolist() == list(range(50))


def test_a_step_of_strength_1_is_1() -> None:
    codes = _codes(400)
    axes = strength_axes(codes, np.cov(codes, rowvar=False), [FIRST, SECOND], [1, -1])
    assert axes.scores(codes).mean(axis=0) == pytest.approx(0, abs=1e-9)
    for k, step in enumerate((FIRST.direction.numpy(), -SECOND.direction.numpy())):
        assert (axes.scores(codes + step) - axes.scores(codes))[:, k] == pytest.approx(1)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="Scores got 5 control cells, expected 20"):
        _axes(_codes(5), [FIRST], [1])
    with pytest.raises(InputError, match="1 concepts and 2 signs"):
        _axes(_codes(30), [FIRST], [1, 1])
    flat = _codes(30)
    flat[:, 2] = 1.0
    still = Concept("still", "test", "still", torch.tensor([0.0, 0.0, 1.0]))
    with pytest.raises(InputError, match="do not vary along still"):
        _axes(flat, [FIRST, still], [1, 1])
