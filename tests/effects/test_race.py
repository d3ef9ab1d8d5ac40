"""Every fast path against the whole matrix: no rendering, all effects are known beforehand."""

import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.effects.agreement import agreement
from diffex.effects.multiplicity import benjamini_hochberg
from diffex.effects.race import RowRaceSettings, contenders, leading, race_rows
from diffex.effects.ranking import Searched, TableSettings, effect_table

IMAGES, CONCEPTS, TOP = 128, 60, 5
QUICK = TableSettings(rank_repeats=50)


def matrix(seed: int, images: int = IMAGES) -> np.ndarray:
    """A few strong concepts, a tail of weak ones; images differ in how much they answer."""
    random = np.random.default_rng(seed)
    means = np.sort(random.exponential(0.8, CONCEPTS))[::-1] * random.choice([1, -1], CONCEPTS)
    answer = random.lognormal(0, 0.3, (images, 1))
    rise = answer * means + random.normal(0, 0.4, (images, CONCEPTS))
    return np.stack([rise, -0.9 * rise + random.normal(0, 0.1, rise.shape)], axis=-1)


class Asked:
    """A cached matrix that notes what was looked up."""

    def __init__(self, effects: np.ndarray) -> None:
        self.effects, self.times = effects, np.zeros(effects.shape, dtype=int)

    def __call__(self, wanted: np.ndarray, images: np.ndarray) -> np.ndarray:
        self.times[images] += wanted
        return np.where(wanted, self.effects[images], np.nan)


def best(scores: np.ndarray, top: int = TOP) -> list[int]:
    owners = np.repeat(np.arange(len(scores)), 2)
    return (leading(scores.ravel(), owners, top) // 2).tolist()


@pytest.mark.parametrize("seed", range(8))
def test_a_race_finds_what_the_whole_matrix_finds(seed: int) -> None:
    effects = matrix(seed)
    race = race_rows(Asked(effects), np.ones(CONCEPTS, dtype=bool), IMAGES, TOP, RowRaceSettings(seed=seed))
    exact = effects.mean(axis=0)
    assert best(np.where(race.kept, race.scores(), -np.inf)) == best(exact)
    np.testing.assert_allclose(race.scores()[race.kept], exact[race.kept])
    assert race.edits < 0.25 * effects.size


def test_a_race_asks_for_nothing_twice_and_counts_what_it_asks() -> None:
    asked = Asked(matrix(0))
    race = race_rows(asked, np.ones(CONCEPTS, dtype=bool), IMAGES, TOP)
    assert asked.times.max() == 1
    assert asked.times.sum() == race.edits
    assert (np.isfinite(race.effects) == (asked.times > 0)).all()
    assert np.isfinite(race.effects[:, race.kept]).all()


def test_what_belongs_is_seldom_dropped() -> None:
    """Rows close to the bar: each of the best is lost in at most 2 % of races (with room for chance)."""
    lost = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        means = np.linspace(1.0, 0.5, 30)
        rise = means + random.normal(0, 1.0, (IMAGES, 30))
        effects = np.stack([rise, -rise], axis=-1)
        race = race_rows(Asked(effects), np.ones(30, dtype=bool), IMAGES, TOP, RowRaceSettings(seed=seed))
        lost += len(set(best(effects.mean(axis=0))) - set(np.argwhere(race.kept)[:, 0].tolist()))
    assert lost <= 0.04 * 100 * TOP


def test_controls_leave_after_the_first_stage() -> None:
    effects = matrix(1)
    effects[:, 7] += 50
    claimed = np.arange(CONCEPTS) != 7
    race = race_rows(Asked(effects), claimed, IMAGES, TOP)
    assert not race.kept[7].any()
    assert np.isfinite(race.effects[:, 7, 0]).sum() == 8
    assert best(np.where(race.kept, race.scores(), -np.inf)) == best(
        np.where(claimed[:, None], effects.mean(axis=0), -np.inf)
    )


def test_few_concepts_are_all_kept() -> None:
    effects = matrix(2)[:, :3]
    assert race_rows(Asked(effects), np.ones(3, dtype=bool), IMAGES, 3).kept.any(axis=1).all()
    alive = np.ones((3, 2), dtype=bool)
    assert contenders(effects[:8], alive, IMAGES, 5, 0.01).any(axis=1).all()


def searched_table(effects: np.ndarray, kept: np.ndarray, p: np.ndarray, half: np.ndarray):
    checked = ~half & (np.cumsum(~half) <= 8)
    seen = kept | checked[:, None, None]
    scores = effects[half].mean(axis=0)
    every = np.ones(len(effects), dtype=bool)
    part = np.where(seen, effects, np.nan)
    return effect_table(
        part, seen & (effects > 1), every, p, half,
        searched=Searched(kept, scores, checked, TOP), settings=QUICK,
    )  # fmt: skip


def test_a_searched_table_tells_the_best_rows_as_the_whole_one_does() -> None:
    effects, half = matrix(3, 2 * IMAGES), np.arange(2 * IMAGES) % 2 == 0
    p = np.where(effects[~half].mean(axis=0) > 1.5, 1e-4, 0.5)
    every = np.ones(2 * IMAGES, dtype=bool)
    whole = effect_table(effects, effects > 1, every, p, half, settings=QUICK)
    race = race_rows(
        lambda wanted, images: np.where(wanted, effects[half][images], np.nan),
        np.ones(CONCEPTS, dtype=bool), IMAGES, 2 * TOP,
    )  # fmt: skip
    found = searched_table(effects, race.kept, p, half)
    columns = ["concept", "sign", "effect", "ci_low", "ci_high", "n", "p", "rank", "flip_rate"]
    assert found[columns].head(TOP).equals(whole[columns].head(TOP))
    both = whole.merge(found, on=["concept", "sign"], suffixes=("", "_found"))
    assert (both["q_found"] >= both["q"] - 1e-12).all(), "a search makes no call easier"
    assert not (both["significant_found"] & ~both["significant"]).any()
    assert both["significant_found"].sum() > 0
    assert sorted(found["rank"]) == list(range(1, 2 * CONCEPTS + 1))


def test_a_dropped_row_counts_as_a_test_that_found_nothing() -> None:
    effects, half = matrix(4, 2 * IMAGES), np.arange(2 * IMAGES) % 2 == 0
    kept = np.zeros((CONCEPTS, 2), dtype=bool)
    chosen = best(effects[half].mean(axis=0))
    side = effects[half].mean(axis=0)[chosen].argmax(axis=1)
    kept[chosen, side] = True
    p = np.full((CONCEPTS, 2), 1e-6)
    found = searched_table(effects, kept, p, half)
    dropped = found[~kept[found["concept"], (found["sign"] < 0).astype(int)]]
    assert (dropped["p"] == 1).all() and (dropped["q"] == 1).all() and not dropped["significant"].any()
    assert (dropped["n"] == 8).all() and dropped["effect"].notna().all()
    assert (dropped["rank"] > TOP).all() and (dropped["rank_low"] == TOP + 1).all()
    np.testing.assert_allclose(found["q"], benjamini_hochberg(found["p"]))
    assert found["significant"].sum() == TOP


def test_agreement_is_perfect_for_a_right_search_and_tells_a_wrong_one() -> None:
    effects, half = matrix(5), np.ones(CONCEPTS, dtype=bool)
    scores, checked = effects.mean(axis=0), np.ones(16, dtype=bool)
    kept = np.zeros(scores.shape, dtype=bool)
    right = best(scores, 2 * TOP)
    kept[right, scores[right].argmax(axis=1)] = True
    good = agreement(effects[:16], Searched(kept, scores, checked, TOP), half)
    assert (good.top_kept, good.overtaking, good.kept) == (TOP, 0, 2 * TOP)
    assert good.spearman > 0.9
    wrong = kept.copy()
    wrong[right[:2]] = False
    bad = agreement(effects[:16], Searched(wrong, scores, checked, TOP), half)
    assert bad.overtaking >= 1 and bad.top_kept < TOP


def test_refuses_what_makes_no_sense() -> None:
    effects, every = matrix(6), np.ones(CONCEPTS, dtype=bool)
    with pytest.raises(InputError, match="stages"):
        race_rows(Asked(effects), every, IMAGES, TOP, RowRaceSettings(stages=(8, 8)))
    with pytest.raises(InputError, match="claims"):
        race_rows(Asked(effects), ~every, IMAGES, TOP)
    with pytest.raises(InputError, match="measured effects"):
        race_rows(lambda wanted, images: effects[:1], every, IMAGES, TOP)
    half = np.arange(IMAGES) < 64
    kept, scores = np.ones((CONCEPTS, 2), dtype=bool), effects.mean(axis=0)
    with pytest.raises(InputError, match="half B"):
        effect_table(
            effects, effects > 1, half, np.ones((CONCEPTS, 2)), half,
            searched=Searched(kept, scores, half, TOP),
        )  # fmt: skip
