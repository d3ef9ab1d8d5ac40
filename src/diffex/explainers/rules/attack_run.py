"""The attacks of one run of the rule method."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.ledger import CostLedger
from diffex.editors import LatentEditor
from diffex.effects.matrix import Judge
from diffex.explainers.preparing import shape_channel, target_index
from diffex.explainers.rules.attacking import Studio, Target, attack_factors, attack_pixels, sparse_network
from diffex.explainers.rules.config import RuleConfig
from diffex.explainers.rules.directions import map_factors
from diffex.explainers.rules.factors import Reader, pixel_reader
from diffex.explainers.rules.rendered_map import learn_rendered
from diffex.explainers.rules.seeing import Seen
from diffex.explainers.rules.yardstick import find_yardstick
from diffex.generators.model import Model
from diffex.images import Images, sample
from diffex.rules.attacks.library import Effort, require_attacks
from diffex.rules.factors import Factors
from diffex.rules.fidelity import balanced
from diffex.rules.rule_set import RuleSet

_MEASURED, _RENDERED = 600, 96
_BARELY, _SURELY = 0.5, (0.1, 0.5)


def require_attackable(images: Images) -> None:
    """Refuse what cannot be attacked before anything is computed.

    Parameters
    ----------
    images : Images
        To be explained.

    Raises
    ------
    MissingPartError
        If the library of attacks is not installed.
    InputError
        If images have no labels, or one class only: accuracy under attack needs them.
    """
    require_attacks()
    if images.labels is None or len(np.unique(images.labels)) < 2:
        raise InputError(
            "--attacks got images without labels of at least two classes, which accuracy under attack needs: "
            "give labelled images, or leave --attacks out."
        )


def require_both_sides(seen: Seen, target: int, name: str) -> None:
    """Refuse a split of which a side lacks the target, or what it is told from.

    Parameters
    ----------
    seen : Seen
        Labelled images, divided.
    target : int
        Index of the class.
    name : str
        Of the class.

    Raises
    ------
    InputError
        If a side has the target alone, or not at all.
    """
    for images, what in ((seen.fitting, "find"), (seen.tests, "test")):
        assert images.labels is not None
        of_class = int((images.labels == target).sum())
        if of_class in {0, len(images)}:
            raise InputError(
                f"--attacks got {len(images)} images that {what} rules, {of_class} of them {name!r}, "
                "expected this class and another among them: add images or groups, or leave --attacks out."
            )


def attack_run(
    seen: Seen, model: Model, rules: RuleSet, config: RuleConfig, ledger: CostLedger
) -> tuple[dict[str, Any], Mapping[str, NDArray[np.float32]]]:
    """Attack rules, sparse network and classifier.

    Parameters
    ----------
    seen : Seen
        Images and factors.
    model : Model
        Generator and classifier.
    rules : RuleSet
        Found on the images that do not test.
    config : RuleConfig
        Target, sizes, seed.
    ledger : CostLedger
        The account.

    Returns
    -------
    (dict, mapping of str to ndarray)
        What ``rules.json`` and the examples gain: ``attacks`` with ``pixels`` and ``moves`` (see
        `attack_pixels` and `attack_factors`), ``attacked`` and ``moved``.
    """
    with ledger.timed("attacks"):
        tests = sample(seen.tests, config.attack_images, config.seed)
        factors, margins = seen.factors.rows(~seen.test), seen.margins[~seen.test]
        network = sparse_network(factors, margins, config.seed)
        target = Target(model.classifier, model.guide, rules, network, reader(seen, model))
        effort = Effort(queries=config.attack_queries)
        pixels, attacked = attack_pixels(
            target, seen.fitting, tests, config.seed, effort=effort, twin_steps=config.twin_steps
        )
        moves, moved = move_factors(seen, tests, model, rules, config, ledger)
    return {"attacks": {"pixels": pixels, "moves": moves}}, {"attacked": attacked, "moved": moved}


def _measuring(seen: Seen) -> Reader:
    """Give the way from pixels alone to measurements, segmented in the channel that the run's are."""
    return pixel_reader(seen.images, shape_channel(seen.images))


def reader(seen: Seen, model: Model) -> Reader:
    """Give the way from pixels alone to the factors that formulas read.

    Parameters
    ----------
    seen : Seen
        Factors of all images.
    model : Model
        Whose generator encodes, where factors are its latents.

    Returns
    -------
    callable
        Of grey values ``(n, c, h, w)``.
    """
    if seen.factors is seen.measured:
        return _measuring(seen)
    if seen.learnt is not None:
        learnt = seen.learnt
        return lambda x: Factors(
            seen.factors.meanings, learnt.model.encode(x)[:, list(learnt.places)].double().numpy()
        )
    spread = np.sqrt(np.diag(seen.covariance))
    spread = np.where(spread > 0, spread, 1.0)
    return lambda x: Factors(seen.factors.meanings, model.generator.encode(x).double().numpy() / spread)


def move_factors(
    seen: Seen, tests: Images, model: Model, rules: RuleSet, config: RuleConfig,
    ledger: CostLedger, measurement: str | None = None,
) -> tuple[list[dict[str, Any]], NDArray[np.float32]]:  # fmt: skip
    """Flip the target's rule by the least move of its factors: barely, and as surely as real images.

    Parameters
    ----------
    seen : Seen
        Images and factors.
    tests : Images
        Labelled; no rule was found on them.
    model : Model
        Generator and classifier.
    rules : RuleSet
        The target's is moved.
    config : RuleConfig
        Target, seed.
    ledger : CostLedger
        The account.
    measurement : str, optional
        Name of the quantity that tells the target by itself; default the one that does it best.

    Returns
    -------
    (list of dict, ndarray of shape (2, m, c, h, w))
        What `attack_factors` tells, three times: by half a logit, by the margin that nine of ten real images
        exceed, and by the median margin; with ``accuracy``, the balanced one of the yardstick on `tests` as
        they are; pictures of the last.
    """
    names = model.classifier.card.class_names
    target, rule = target_index(names, config.target), rules.of(config.target)
    fitting = sample(seen.fitting, _MEASURED, config.seed)
    assert fitting.labels is not None and tests.labels is not None
    measure, read = _measuring(seen), reader(seen, model)
    known = find_yardstick(_read(measure, fitting), fitting.labels == target, measurement)
    own = seen.factors.columns(rule.names).rows(~seen.test)
    asked = map_factors(seen.codes[~seen.test], seen.covariance, own)
    margins = np.abs(rule.evaluate(own.values))
    sure = np.maximum(np.quantile(margins, _SURELY), _BARELY).tolist()
    editor = LatentEditor(model.generator, "fresh", None, config.seed)
    shown = sample(fitting, _RENDERED, config.seed)
    factor_map = learn_rendered(asked, shown, editor, read, config.seed, ledger)
    judge = Judge(model.classifier, tests.value_range, ledger)
    studio = Studio(editor, judge, read, measure, known, target)
    found = [
        attack_factors(rule, tests, factor_map, studio, config.seed, beyond) for beyond in (_BARELY, *sure)
    ]
    told_apart = known.tells(_read(measure, tests)).astype(np.int64)
    accuracy = balanced((tests.labels == target).astype(np.int64), told_apart)
    return [{**told, "accuracy": accuracy} for told, _ in found], found[-1][1]


def _read(read: Reader, images: Images) -> Factors:
    parts = [read(x) for _, x in images.batches(256)]
    return Factors(parts[0].meanings, np.concatenate([part.values for part in parts]))
