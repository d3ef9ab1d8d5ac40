"""B3: of two planted factors, is the one that moves at the lower dose named first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diffex.base.noise import derive_seed
from diffex.concepts import Concept
from diffex.effects.arrays import FloatArray
from diffex.effects.intervals import wilson
from diffex.evaluation.bench import Bench
from diffex.evaluation.biology.cells import PLAIN, factor_column, planted_cells
from diffex.evaluation.biology.steps import drawn, mean_step, moved
from diffex.evaluation.demo import shipped_model
from diffex.evaluation.rows import REPORTED, Measured
from diffex.generators import DiffusionAutoencoder
from diffex.images.planted_factors import FACTORS
from diffex.responses.departure import Departures, departures
from diffex.responses.hill import hill
from diffex.responses.scores import scores_from_controls

_EARLY, _LATE, _SCORE = "puncta_intensity", "nucleus_area", "score"
_DOSES = np.array([0.0, 1, 2, 4, 8, 16])
_CONTROL_WELLS, _WELLS, _CELLS = 6, 3, 10
_LIKE = 0.5
_CHANCE = 0.05


@final
@dataclass(frozen=True, eq=False)
class Readers:
    """What reads cells: directions of the planted factors, and a classifier.

    Parameters
    ----------
    generator : DiffusionAutoencoder
        Encodes.
    concepts : tuple of Concept
        A direction per factor of `PLAIN`: the mean step of exact edits of other cells.
    classifier : object
        Logistic regression of all measurements.
    """

    generator: DiffusionAutoencoder
    concepts: tuple[Concept, ...]
    classifier: Any


@final
@dataclass(frozen=True, eq=False)
class Read:
    """One experiment, read.

    Parameters
    ----------
    measured : DataFrame
        Of the cells.
    attributes : ndarray, shape (n, 8)
        Scores along the factors of `PLAIN`.
    score : ndarray, shape (n, 1)
        The classifier's.
    """

    measured: pd.DataFrame
    attributes: FloatArray
    score: FloatArray

    def beside_score(self, values: FloatArray) -> Departures:
        """Test values and the classifier's score together, as the product does."""
        return _departures(np.hstack([values, self.score]), [*PLAIN, _SCORE])


def measure_first(bench: Bench) -> Iterator[Measured]:
    """Measure B3 with scores of cells along attributes, beside the classifier's score.

    The factor `_EARLY` moves with EC50 2, `_LATE` with EC50 10, both by 2 standard deviations. Attributes
    are directions of the planted factors in the codes of the shipped generator. The classifier's score is
    that of a logistic regression of all measurements, trained on other cells without and at the highest
    dose. All are tested together.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Seeds in which the early factor is first and no later than the classifier's score; beside it, by
        measurements in place of attributes, and what a test of all plain measurements names; sets without any
        effect in which something departs.
    """
    seeds, readers = bench.size(50, 2), planted_readers(bench)
    read = [read_cells(readers, derive_seed("first", bench.seed, k), 1.0) for k in range(seeds)]
    found = pd.DataFrame([_first(one, one.attributes) for one in read])
    yield _share(
        "share of seeds whose early factor is first, no later than the classifier's score",
        found["hit"], ">= 0.9", f"lowest doses, median: early {found['early'].median():g}, late "
        f"{found['late'].median():g}, classifier {found['score'].median():g}; scores along attributes",
    )  # fmt: skip
    yield _share(
        "the same, were the classifier's score tested alone", found["alone"], REPORTED,
        f"it faces no correction then; lowest dose, median {found['own'].median():g}",
    )  # fmt: skip
    likened = pd.DataFrame([_first(one, one.measured[list(PLAIN.values())].to_numpy()) for one in read])
    yield _share(
        "the same, measurements in place of attributes", likened["hit"], REPORTED,
        f"lowest doses, median: early {likened['early'].median():g}, late {likened['late'].median():g}",
    )  # fmt: skip
    plain = pd.DataFrame([_plain(one) for one in read])
    earlier = (plain["lowest"] < found["early"]).mean()
    yield _share(
        "the same by a test of all plain measurements", plain["hit"], REPORTED,
        f"a measurement that follows the early factor (|r| >= {_LIKE}) is first; "
        f"its lowest dose is below the attribute's in {earlier:.0%} of seeds",
    )  # fmt: skip
    yield _departed_by_chance(bench, readers)


def _departed_by_chance(bench: Bench, readers: Readers) -> Measured:
    sets = bench.size(200, 3)
    seeds = [derive_seed("first, nothing", bench.seed, k) for k in range(sets)]
    read = [read_cells(readers, seed, 0.0) for seed in seeds]
    limit = _CHANCE + 2 * np.sqrt(_CHANCE * (1 - _CHANCE) / sets)
    what = "share of sets without any effect in which an attribute or the score departs"
    departed = pd.Series([one.beside_score(one.attributes).first is not None for one in read])
    return _share(what, departed, f"<= {limit:.3f}", "")


def _share(what: str, hits: "pd.Series[bool]", target: str, note: str) -> Measured:
    share, low, high = wilson(int(hits.sum()), len(hits))
    return Measured("B3", what, share, target, low, high, note=f"{len(hits)} seeds; {note}".rstrip("; "))


def planted_readers(bench: Bench) -> Readers:
    """Find directions of the planted factors, and train a classifier, on cells of their own.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run, device.

    Returns
    -------
    Readers
        For `read_cells`.
    """
    generator = shipped_model("linear", bench.device).generator
    cells, factors, seeds = drawn(bench.size(256, 32), derive_seed("first, steps", bench.seed))
    before = cells.render(factors, seeds)
    steps = {
        factor: mean_step(generator, before, cells.render(moved(cells, factors, factor, 1), seeds))
        for factor in PLAIN
    }
    concepts = tuple(Concept(factor, "exact", factor, step) for factor, step in steps.items())
    doses = np.repeat([0.0, _DOSES[-1]], 150)
    table = planted_cells(_shifts(doses), derive_seed("first, classifier", bench.seed)).table
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return Readers(generator, concepts, classifier.fit(table, doses > 0))


@torch.no_grad()
def read_cells(readers: Readers, seed: int, effect: float) -> Read:
    """Simulate one experiment and read its cells.

    Parameters
    ----------
    readers : Readers
        From `planted_readers`.
    seed : int
        Of the cells.
    effect : float
        Factor on the planted effects; 0 for none.

    Returns
    -------
    Read
        21 wells of 10 cells.
    """
    doses, wells = _design()
    cells = planted_cells(effect * _shifts(doses), seed)
    codes = readers.generator.encode(cells.pixels).double().cpu().numpy()
    signs = [1] * len(readers.concepts)
    scores = scores_from_controls(codes, doses == 0, readers.concepts, signs, wells.astype(str))[1]
    score = readers.classifier.decision_function(cells.table)[:, None]
    return Read(cells.table, scores, score)


def _design() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Dose and well of each cell."""
    by_well = np.repeat(_DOSES, [_CONTROL_WELLS] + [_WELLS] * (len(_DOSES) - 1))
    return np.repeat(by_well, _CELLS), np.repeat(np.arange(len(by_well)), _CELLS)


def _shifts(doses: NDArray[np.float64]) -> NDArray[np.float64]:
    shifts = np.zeros((len(doses), len(FACTORS)))
    shifts[:, factor_column(_EARLY)] = hill(doses, 0.0, 2.0, 2.0, 3.0)
    shifts[:, factor_column(_LATE)] = hill(doses, 0.0, 2.0, 10.0, 3.0)
    return shifts


def _departures(values: FloatArray, names: list[str]) -> Departures:
    return departures(values, names, *_design())


def _first(read: Read, values: FloatArray) -> dict[str, Any]:
    found = read.beside_score(values)
    doses = {name: _dose(dose) for name, dose in found.lowest.items()}
    factors = _departures(values, list(PLAIN))
    own = _dose(_departures(read.score, [_SCORE]).lowest[_SCORE])
    return {
        "hit": _leads(found) == _EARLY and doses[_EARLY] <= doses[_SCORE],
        "early": doses[_EARLY],
        "late": doses[_LATE],
        "score": doses[_SCORE],
        "alone": factors.first == _EARLY and _dose(factors.lowest[_EARLY]) <= own,
        "own": own,
    }


def _leads(found: Departures) -> str | None:
    """Name the first of the factors, whatever the score does."""
    rows = found.table[found.table["name"] != _SCORE]
    rows = rows[rows["dose"] == rows["name"].map(found.lowest)]
    return None if rows.empty else str(rows.sort_values(["dose", "p"], kind="stable")["name"].iloc[0])


def _plain(read: Read) -> dict[str, Any]:
    plain = _departures(read.measured.to_numpy(dtype=np.float64), list(read.measured.columns))
    alike = read.measured[_design()[0] == 0].corr(method="spearman")[PLAIN[_EARLY]].abs().fillna(0)
    return {
        "hit": plain.first is not None and alike[plain.first] >= _LIKE,
        "lowest": min(_dose(dose) for dose in plain.lowest.values()),
    }


def _dose(lowest: float | None) -> float:
    return float("inf") if lowest is None else lowest
