"""R5: the published law of metaphase, small times elongation squared minus a threshold, found again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import sympy
from scipy.special import expit
from scipy.stats import spearmanr

from diffex.effects.arrays import BoolArray, FloatArray
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.rules.measured import search
from diffex.explainers.rules.learnt import learn_factors
from diffex.images import Images, images_from_arrays
from diffex.rules.discovery import find_rule
from diffex.rules.expression import symbol
from diffex.rules.factors import Factor, Factors
from diffex.rules.fidelity import r2_of
from diffex.rules.rule import Rule

_SIDE = 64
_THRESHOLD = 1.05  # exp(exp(-3)), that of the published slice
_ELONGATION_SPREAD = 0.35
_ALIKE = 0.9
_ORIENTATION_FREE = 0.02


@final
@dataclass(frozen=True, eq=False)
class Nuclei:
    """Drawn nuclei and what drew them.

    Parameters
    ----------
    images : Images
        N images of 64 px, one nucleus each.
    truth : Factors
        ``small`` (standard deviations of the radius, small is high), ``elongation`` (log axis ratio), its
        two parts by direction ``along`` and ``across``, and ``brightness``.
    margin : ndarray, shape (n,)
        The law: ``small * elongation**2 - 1.05``, elongation in units of 0.35.
    """

    images: Images
    truth: Factors
    margin: FloatArray


def draw_nuclei(count: int, seed: int) -> Nuclei:
    """Draw nuclei of independent size, elongation, orientation and brightness.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Of everything random.

    Returns
    -------
    Nuclei
        Orientation decides nothing.
    """
    random = np.random.default_rng([seed, 5])
    radius, elongation = random.uniform(6, 12, count), random.uniform(0, 1.2, count)
    angle, brightness = random.uniform(0, np.pi, count), random.uniform(0.6, 1.0, count)
    small = (9 - radius) / np.sqrt(3)  # of a uniform from 6 to 12
    pixels = _drawn(radius, elongation, angle, brightness)
    pixels += random.normal(0, 0.02, pixels.shape)
    scaled = elongation / _ELONGATION_SPREAD
    values = [small, scaled, scaled * np.cos(2 * angle), scaled * np.sin(2 * angle), brightness]
    names = ("small", "elongation", "along", "across", "brightness")
    truth = Factors(tuple(Factor(n, n) for n in names), np.stack(values, axis=1))
    images = images_from_arrays(np.clip(pixels, 0, 1).astype(np.float32), channel_names=("DNA",))
    return Nuclei(images, truth, small * scaled**2 - _THRESHOLD)


def _drawn(
    radius: FloatArray, elongation: FloatArray, angle: FloatArray, brightness: FloatArray
) -> FloatArray:
    """Ellipses with an edge of about a pixel, ``(n, 1, 64, 64)``."""
    y, x = np.mgrid[:_SIDE, :_SIDE] - (_SIDE - 1) / 2
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    half = np.exp(elongation / 2)[:, None, None]
    along, across = (x * cos + y * sin) / half, (y * cos - x * sin) * half
    inside = radius[:, None, None] - np.hypot(along, across)
    image: FloatArray = 0.08 + (brightness[:, None, None] - 0.08) * expit(2 * inside)
    return image[:, None]


def measure_law(bench: Bench) -> Iterator[Measured]:
    """Measure R5 over the generator's own factors and over factors learnt from its images.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Whether the law is found again, how well the formula fits unseen nuclei, what orientation adds.
    """
    nuclei = draw_nuclei(bench.size(3000, 240), bench.seed)
    test = np.arange(len(nuclei.margin)) % 3 == 0
    yield from _judged("own factors", nuclei, nuclei.truth, test, bench)
    folder = bench.stage("nuclei", code_hash(RUN_ROOMS))
    fitting = nuclei.images.subset(np.flatnonzero(~test))
    learnt = learn_factors(nuclei.images, fitting, nuclei.truth, folder, bench.seed, bench.device)
    yield from _judged("learnt factors", nuclei, learnt.factors, test, bench)


def _judged(name: str, nuclei: Nuclei, factors: Factors, test: BoolArray, bench: Bench) -> Iterator[Measured]:
    rule = find_rule("metaphase", factors.rows(~test), nuclei.margin[~test], None, search(bench))
    given, goal = rule.evaluate(factors.rows(test).columns(rule.names).values), nuclei.margin[test]
    truth = nuclei.truth.rows(test)
    found = is_the_law(rule, factors.rows(test), truth)
    note = "; ".join([str(rule.expression), *(f.words for f in rule.factors)])
    yield Measured("R5", f"{name}: the law's structure found again", float(found), ">= 1", note=note)
    yield Measured("R5", f"{name}: R2 of the law on other nuclei", r2_of(given, goal), REPORTED)
    same = np.mean((given > 0) == (goal > 0))
    yield Measured("R5", f"{name}: agreement with the law on other nuclei", float(same), REPORTED)
    turned = _share(truth.columns(("along", "across")).values, given)
    yield Measured("R5", f"{name}: share of the formula's variance in the direction", turned,
                   f"<= {_ORIENTATION_FREE:g}")  # fmt: skip


def is_the_law(rule: Rule, factors: Factors, truth: Factors) -> bool:
    """Whether a rule is small times elongation squared, in whatever units and from whatever origin.

    Parameters
    ----------
    rule : Rule
        Found.
    factors : Factors
        What it reads, on n nuclei.
    truth : Factors
        Of the same nuclei.

    Returns
    -------
    bool
        Whether it reads two factors, one that tells size and one that tells elongation (rank correlation
        0.9), and is a polynomial of degree 1 in the first and 2 in the second that holds their product.
    """
    if len(rule.names) != 2:
        return False
    small, long = (
        max(rule.names, key=lambda n: _alike(factors, n, truth, wanted)) for wanted in ("small", "elongation")
    )
    told = min(_alike(factors, small, truth, "small"), _alike(factors, long, truth, "elongation"))
    if small == long or told < _ALIKE or not rule.expression.is_polynomial(*map(symbol, rule.names)):
        return False
    law = sympy.Poly(rule.expression, symbol(small), symbol(long))
    return law.degree(0) == 1 and law.degree(1) == 2 and (1, 2) in law.monoms()


def _alike(factors: Factors, name: str, truth: Factors, wanted: str) -> float:
    a, b = factors.columns([name]).values[:, 0], truth.columns([wanted]).values[:, 0]
    return abs(float(spearmanr(a, b).statistic))


def _share(columns: FloatArray, y: FloatArray) -> float:
    """Share of the variance that a linear regression explains."""
    design = np.column_stack([np.ones(len(y)), columns])
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(1 - left.var() / y.var())
