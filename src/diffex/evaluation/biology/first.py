"""B3: of two planted factors, is the one that moves at the lower dose named first."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diffex.base.noise import derive_seed
from diffex.effects.intervals import wilson
from diffex.evaluation.bench import Bench
from diffex.evaluation.biology.cells import PLAIN, factor_column, planted_measurements
from diffex.evaluation.rows import REPORTED, Measured
from diffex.images.planted_factors import FACTORS
from diffex.responses.departure import departures
from diffex.responses.hill import hill

_EARLY, _LATE = "puncta_intensity", "nucleus_area"
_DOSES = np.array([0.0, 1, 2, 4, 8, 16])
_CONTROL_WELLS, _WELLS, _CELLS = 6, 3, 10
_LIKE = 0.5


def measure_first(bench: Bench) -> Iterator[Measured]:
    """Measure B3 with measurements in place of attribute scores.

    The factor `_EARLY` moves with EC50 2, `_LATE` with EC50 10, both by 2 standard deviations. Attributes
    are the measurements that follow the planted factors. The classifier's score is that of a logistic
    regression of all measurements, trained on other cells without and at the highest dose.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Seeds in which the early factor is first and no later than the classifier's score; beside it,
        what a test of all plain measurements names.
    """
    seeds = bench.size(50, 2)
    classifier = _classifier(bench.seed)
    found = pd.DataFrame([_one(derive_seed("first", bench.seed, k), classifier) for k in range(seeds)])
    hits = int(found["early_first"].sum())
    yield Measured(
        "B3", "share of seeds whose early factor is first, no later than the classifier's score",
        wilson(hits, seeds)[0], ">= 0.9", *wilson(hits, seeds)[1:],
        note=f"{seeds} seeds; lowest doses, median: early {found['early'].median():g}, "
        f"late {found['late'].median():g}, classifier {found['score'].median():g}; "
        "measurements stand for attributes",
    )  # fmt: skip
    plain, earlier = int(found["plain_hit"].sum()), (found["plain_dose"] < found["early"]).mean()
    yield Measured(
        "B3", "the same by a test of all plain measurements", wilson(plain, seeds)[0], REPORTED,
        *wilson(plain, seeds)[1:],
        note=f"a measurement that follows the early factor (|r| >= {_LIKE}) is first; "
        f"its lowest dose is below the attribute's in {earlier:.0%} of seeds",
    )  # fmt: skip


def _design(controls: int, wells: int, cells: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Dose and well of each cell."""
    by_well = np.repeat(_DOSES, [controls] + [wells] * (len(_DOSES) - 1))
    return np.repeat(by_well, cells), np.repeat(np.arange(len(by_well)), cells)


def _shifts(doses: NDArray[np.float64]) -> NDArray[np.float64]:
    shifts = np.zeros((len(doses), len(FACTORS)))
    shifts[:, factor_column(_EARLY)] = hill(doses, 0.0, 2.0, 2.0, 3.0)
    shifts[:, factor_column(_LATE)] = hill(doses, 0.0, 2.0, 10.0, 3.0)
    return shifts


def _classifier(seed: int) -> Any:
    doses = np.repeat([0.0, _DOSES[-1]], 150)
    measured = planted_measurements(_shifts(doses), derive_seed("first, classifier", seed))
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(measured, doses > 0)


def _one(seed: int, classifier: Any) -> dict[str, Any]:
    doses, wells = _design(_CONTROL_WELLS, _WELLS, _CELLS)
    measured = planted_measurements(_shifts(doses), seed)
    attributes = departures(measured[list(PLAIN.values())], list(PLAIN), doses, wells)
    score = departures(classifier.decision_function(measured)[:, None], ["score"], doses, wells)
    plain = departures(measured, list(measured.columns), doses, wells)
    early, own = _dose(attributes.lowest[_EARLY]), _dose(score.lowest["score"])
    alike = measured[doses == 0].corr(method="spearman")[PLAIN[_EARLY]].abs().fillna(0)
    return {
        "early_first": attributes.first == _EARLY and early <= own,
        "early": early,
        "late": _dose(attributes.lowest[_LATE]),
        "score": own,
        "plain_hit": plain.first is not None and alike[plain.first] >= _LIKE,
        "plain_dose": min(_dose(dose) for dose in plain.lowest.values()),
    }


def _dose(lowest: float | None) -> float:
    return float("inf") if lowest is None else lowest
