"""A5: do two generators, and two sets of cells, tell the same story."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from diffex.effects.intervals import split_half_reliability
from diffex.evaluation.attributes.screens import concept_screen
from diffex.evaluation.attributes.top import render_pairs, top_attribute
from diffex.evaluation.bench import Bench
from diffex.evaluation.pictures import save_grid
from diffex.evaluation.real_fits import fit_request, real_model, real_side
from diffex.evaluation.resampling import bootstrap, cosine
from diffex.evaluation.rows import Measured
from diffex.evaluation.sets import FKHR
from diffex.evaluation.stages import attribute_config, explained, fitted
from diffex.generators.making import FitRequest
from diffex.generators.model import Model
from diffex.images import Images, sample

_TARGET = "positive"
_SPLITS = 20


def measure_stability(bench: Bench) -> Iterator[Measured]:
    """Measure A5: cosine of the mean signed maps, and split-half reliability.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    first = real_model(bench, FKHR).model
    models = (first, fitted(bench, "fkhr-other-seed", _other_seed(bench, first)).model)
    test = real_side(bench, FKHR, "test")
    yield _cosine_of_maps(bench, models, test)
    for name, model in zip(("first", "second"), models, strict=True):
        screen = concept_screen(bench, test, model, attribute_config(bench, _TARGET))
        values = reliabilities(screen.effects, bench.seed)
        low, high = np.quantile(values, (0.025, 0.975))
        note = (
            f"{len(screen.effects)} images, {screen.effects.shape[1]} merged concepts; interval over splits"
        )
        yield Measured(
            "A5", f"split-half reliability, {name} generator", float(np.median(values)), ">= 0.9",
            float(low), float(high), note=note,
        )  # fmt: skip


def _other_seed(bench: Bench, model: Model) -> FitRequest:
    """Ask for a second generator with another seed, and the same classifier."""
    request = fit_request(bench, FKHR)
    config = request.config.model_copy(update={"seed": bench.seed + 1})
    return FitRequest(request.images, config, classifier=model.classifier)


def reliabilities(effects: NDArray[np.float64], seed: int, splits: int = _SPLITS) -> NDArray[np.float64]:
    """Reliability of the ranking of concepts, for each of some random splits of the images.

    A concept counts by the size of its mean odd effect, half the difference between its two signs: with both
    signs as rows of their own, their opposite signs alone would make any ranking look reliable.

    Parameters
    ----------
    effects : ndarray, shape (n, K, 2)
        Per image, concept and sign.
    seed : int
        Of the splits.
    splits : int, default 20
        How many.

    Returns
    -------
    ndarray, shape (splits,)
        Spearman correlation of the halves, projected to the whole by Spearman-Brown.
    """
    odd = (effects[..., 0] - effects[..., 1]) / 2
    seeds = np.random.SeedSequence(seed).generate_state(splits)
    return np.array([split_half_reliability(odd, int(state), 1) for state in seeds])


def signed_maps(
    bench: Bench, model: Model, cells: Images, explanation_of: Images
) -> NDArray[np.float64] | None:
    """Change of every pixel by the top attribute at its calibrated strength.

    Parameters
    ----------
    bench : Bench
        Seed and stages.
    model : Model
        Whose attribute.
    cells : Images
        To be edited.
    explanation_of : Images
        To be explained.

    Returns
    -------
    ndarray, shape (n, c, h, w), or None
        In units of the channels' spread; None where no attribute is significant.
    """
    config = attribute_config(bench, _TARGET)
    top = top_attribute(explained(bench, f"{FKHR}-{_TARGET}", explanation_of, model, config))
    if top is None:
        return None
    target = model.classifier.card.class_names.index(_TARGET)
    pairs = render_pairs(cells, model, top, 1.0, target, bench.seed)
    unit = np.array(model.generator.pixels.sd).reshape(-1, 1, 1)
    return np.asarray((pairs.edit - pairs.null).double().numpy() / unit)


def _cosine_of_maps(bench: Bench, models: tuple[Model, Model], test: Images) -> Measured:
    what = "cosine of the mean signed maps of two seeds' top attributes"
    cells = sample(test, bench.size(256, 24), bench.seed)
    maps = [signed_maps(bench, model, cells, test) for model in models]
    a, b = maps
    if a is None or b is None:
        return Measured("A5", what, float("nan"), ">= 0.8", note="no attribute is significant")
    means = np.stack([np.stack([a.mean(0), b.mean(0)])])
    save_grid(means.astype(np.float32), bench.figure("seeds.png"))
    value = bootstrap(len(a), lambda rows: cosine(a[rows].mean(0), b[rows].mean(0)), bench.seed, 300)
    return Measured("A5", what, value[0], ">= 0.8", *value[1:])
