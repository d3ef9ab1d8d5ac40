"""Responders: the fraction planted is found, and none where there are none."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from diffex.base.errors import InputError
from diffex.responses.mixture import likeliest_fractions, monotone_ratio, smoothed_shares
from diffex.responses.references import as_cells, inner_edges, moves_between
from diffex.responses.responders import Responders, find_responders

FAR = 5.0


def _control(random: np.random.Generator, n: int, wells: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Controls with wells that differ a little, and one cell in a hundred that looks treated."""
    well = np.arange(n) % wells
    outlier = random.random(n) < 0.01
    return random.normal(0, 1, n) + random.normal(0, 0.15, wells)[well] + FAR * outlier, well


def _mixture(random: np.random.Generator, responders: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    truth = np.arange(n) < responders
    return _control(random, n)[0] + FAR * truth, truth


@pytest.mark.parametrize("responders", [15, 60, 150])
def test_the_planted_fraction_is_found(responders: int) -> None:
    random = np.random.default_rng(responders)
    control, wells = _control(random, 800)
    cells, truth = _mixture(random, responders)
    treated = random.normal(FAR, 1, 500)
    found = find_responders(cells, control, treated, control_wells=wells, seed=0, repeats=60)
    assert found.fraction == pytest.approx(responders / 300, abs=0.03)
    assert found.low <= responders / 300 <= found.high
    assert found.verdict == "mixture" and found.reference and "Two populations" in found.words
    assert roc_auc_score(truth, found.posterior) > 0.97


def test_without_treated_cells_moved_controls_stand_for_responders() -> None:
    random = np.random.default_rng(1)
    control, wells = _control(random, 800)
    cells, truth = _mixture(random, 60)
    found = find_responders(cells, control, control_wells=wells, seed=0, repeats=60)
    assert found.fraction == pytest.approx(0.2, abs=0.04)
    assert found.verdict == "mixture" and not found.reference
    assert roc_auc_score(truth, found.posterior) > 0.97


def test_no_responders_are_claimed_where_there_are_none() -> None:
    claimed = 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        control, wells = _control(random, 400)
        treated = random.normal(FAR, 1, 200)
        cells = _control(random, 300)[0]
        found = find_responders(cells, control, treated, control_wells=wells, seed=seed, repeats=39)
        claimed += found.verdict != "none"
        assert found.fraction < 0.03
    assert claimed <= 2
    assert "No responders shown" in found.words or claimed


def test_a_population_that_moved_as_one_is_called_a_shift() -> None:
    random = np.random.default_rng(2)
    control, wells = _control(random, 800)
    for treated in (None, random.normal(FAR, 1, 500)):
        found = find_responders(
            _control(random, 300)[0] + 2.0, control, treated, control_wells=wells, seed=0, repeats=60
        )
        assert found.verdict == "shift" and found.shift == pytest.approx(2.0, abs=0.4)
        assert "One population" in found.words


def test_responders_may_lie_below_controls() -> None:
    random = np.random.default_rng(3)
    control, _ = _control(random, 500)
    cells, _ = _mixture(random, 60)
    found = find_responders(-cells, -control, random.normal(-FAR, 1, 400), seed=0, repeats=40)
    assert found.fraction == pytest.approx(0.2, abs=0.03)


def test_wells_are_resampled_where_there_are_six() -> None:
    random = np.random.default_rng(4)
    control, _ = _control(random, 400)
    cells, _ = _mixture(random, 60)
    treated = random.normal(FAR, 1, 300)
    by_well = find_responders(cells, control, treated, wells=np.arange(300) % 6, seed=0, repeats=30)
    by_cell = find_responders(cells, control, treated, wells=np.arange(300) % 2, seed=0, repeats=30)
    assert (by_well.unit, by_cell.unit) == ("groups", "images")
    assert "within these wells" in by_cell.words and "within these wells" not in by_well.words


def test_equal_values_are_no_response() -> None:
    found = find_responders(np.zeros(50), np.zeros(60), seed=0, repeats=20)
    assert found.verdict == "none"


def test_too_few_or_bad_cells_are_refused() -> None:
    good = np.arange(30.0)
    with pytest.raises(InputError, match="cells got 5 cells, expected 20"):
        find_responders(good[:5], good, seed=0)
    with pytest.raises(InputError, match="control got 1 NaN"):
        find_responders(good, np.append(good, np.nan), seed=0)
    with pytest.raises(InputError, match="groups got 3 entries"):
        find_responders(good, good, wells=np.arange(3), seed=0)


def test_the_same_seed_gives_the_same_answer() -> None:
    random = np.random.default_rng(5)
    control, cells = random.normal(size=100), random.normal(size=100) + 1
    one, two = (find_responders(cells, control, seed=7, repeats=20) for _ in range(2))
    assert (one.fraction, one.low, one.high, one.p) == (two.fraction, two.low, two.high, two.p)


def test_fractions_maximise_the_likelihood() -> None:
    random = np.random.default_rng(6)
    counts, ratios = random.integers(1, 30, (4, 6)).astype(float), random.lognormal(size=(3, 6))
    fractions, gains = likeliest_fractions(counts, ratios)
    grid = np.linspace(0, 1, 1001)
    for i, j in np.ndindex(4, 3):
        curve = np.log1p(grid[:, None] * (ratios[j] - 1)) @ counts[i]
        assert gains[i, j] == pytest.approx(curve.max(), abs=1e-2)
        assert fractions[i, j] == pytest.approx(grid[curve.argmax()], abs=2e-3)


def test_the_ratio_of_densities_is_monotone_and_a_density() -> None:
    control, treated = np.array([500.0, 300, 50, 10, 0]), np.array([10.0, 0, 60, 400, 200])
    ratio = monotone_ratio(control, treated, rising=True)
    assert (np.diff(ratio) >= 0).all() and ratio[0] < 0.1 < 10 < ratio[-1]
    assert smoothed_shares(control) @ ratio == pytest.approx(1, abs=0.05)


def test_moves_include_none_and_reach_the_cells() -> None:
    control = np.random.default_rng(0).normal(size=500)
    moves = moves_between(control, control + 6)
    assert (moves.shifts[0], moves.spreads[0]) == (0.0, 1.0) and moves.shifts.max() > 6
    edges = inner_edges(control, control + 6)
    counts = np.bincount(np.searchsorted(edges, control), minlength=len(edges) + 1)
    ratios = moves.ratios(control, edges, smoothed_shares(counts.astype(float)))
    assert ratios[0] == pytest.approx(np.ones(len(edges) + 1), rel=0.5)
    assert moves.apply(0, control, control) == pytest.approx(control)
    assert as_cells(control, "control", None).units.unit == "images"


@pytest.mark.parametrize(
    ("high", "said"), [(0.4, ": at most 40.0% of 60 cells."), (1.0, ", and no share of 60")]
)
def test_an_interval_of_everything_excludes_nothing(high: float, said: str) -> None:
    found = Responders(0.3, 0.1, high, 0.12, 0.5, 0.0, "none", np.zeros(60), 60, "groups", reference=False)
    assert found.words.startswith(f"No responders shown (p = 0.12){said}")
