"""A short formula in place of a classifier, end to end: measure, search, test, edit."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.ledger import CostLedger
from diffex.classifiers import align_labels
from diffex.concepts import Concept
from diffex.editors import Editor, LatentEditor
from diffex.editors.tcvae import TCVAEEditor
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import Judge
from diffex.explainers.attributes import explain_concepts
from diffex.explainers.preparing import target_index
from diffex.explainers.rules.attack_run import attack_run, require_attackable, require_both_sides
from diffex.explainers.rules.config import RuleConfig
from diffex.explainers.rules.directions import KIND, FactorMap, map_factors
from diffex.explainers.rules.disagreements import disagreements
from diffex.explainers.rules.interventions import Intervention, intervene
from diffex.explainers.rules.learnt import Learnt
from diffex.explainers.rules.seeing import see
from diffex.explainers.rules.words import answer, warnings
from diffex.generators.model import Model
from diffex.images import Images, sample
from diffex.rules.discovery import discover
from diffex.rules.factors import Factors
from diffex.rules.fidelity import Fidelity, fidelity
from diffex.rules.front import read_factors
from diffex.rules.rule import Rule
from diffex.rules.rule_set import RuleSet
from diffex.rules.sparsity_path import sparsity_path
from diffex.runs import Explanation

_HELD_OUT = 0.33
_FEWEST_TESTS = 24
_DEPTH = 4  # of edits whose effects are averaged over many images
_FEW_FACTORS = 4  # of fewer, the lowest density leaves less than one path
_DENSITIES, _PENALTIES, _PATH_STEPS = (0.01, 0.03, 0.1, 0.3), (0.1, 0.03, 0.01), 1500

Request = tuple[Concept, FloatArray]


def explain_rules(images: Images, model: Model, config: RuleConfig) -> Explanation:
    """Find a formula per class that does what the classifier does, and test it.

    Parameters
    ----------
    images : Images
        Real images of the model's form, of every class. Where the model was fitted on them, formulas are
        tested on those that it held out, else on a third, whole groups.
    model : Model
        Generator and classifier.
    config : RuleConfig
        Factors, engines, limits, seed.

    Returns
    -------
    Explanation
        Of method ``rules``: the rules, their tests, and the factors as edited and ranked concepts.

    Raises
    ------
    GateError
        If a gate of the model failed and `config.force` is False.
    InputError, ClassifierError
        If images, target or classifier do not fit, or a class has too few images.
    """
    model.require_gates(force=config.force)
    model.check_images(images)
    images = align_labels(images, model.classifier.card)
    names = model.classifier.card.class_names
    target = target_index(names, config.target)
    ledger = CostLedger()
    if config.attacks:
        require_attackable(images)
    seen = see(images, model, config, ledger)
    if config.attacks:
        require_both_sides(seen, target, config.target)
    test, factors, margins, learnt = seen.test, seen.factors, seen.margins, seen.learnt
    with ledger.timed("rules"):
        groups = None if images.groups is None else images.groups[~test]
        rules = discover(factors.rows(~test), margins[~test], names, groups, config.search())
        path = _path(factors, margins, test, config.seed)
    tests, predicted = images.subset(np.flatnonzero(test)), rules.margins(factors)
    tested = fidelity(predicted[test], margins[test], tests.labels, tests.groups, config.seed)
    rule = rules.of(names[target])
    if not rule.factors:
        raise InputError(
            f"No formula of at most {config.nodes} nodes over {config.factors} does better for "
            f"{rule.class_name} than a constant: try other --factors, or more --nodes."
        )
    read = factors.columns(read_factors(r.expression for r in rules.rules))
    factor_map = map_factors(seen.codes[~test], seen.covariance, read.rows(~test))
    found = explain_concepts(images, model, config.edits(), factor_map.propose, ledger)
    with ledger.timed("interventions"):
        editor, requests = _edits(model, rule, factor_map, found, learnt, config.seed)
        judge = Judge(model.classifier, images.value_range, ledger)
        own = factors.rows(test).columns(factor_map.factors.names)
        shown = _intervene(tests, own, editor, requests, judge, rule, target, config)
    attacks, attacked = attack_run(seen, model, rules, config, ledger) if config.attacks else ({}, {})
    said = [*warnings(rules.rules, tested, shown), *found.summary["warnings"]]
    apart, pictures = disagreements(tests, predicted[test], margins[test], names)
    head = {"method": "rules", "answer": answer(rule, tested, shown), "warnings": said}
    return replace(
        found,
        summary={**found.summary, **head},
        cells=_told(found.cells, images.ids, predicted, names),
        rules={**_kept(rules, tested, shown, factor_map, path, config), "disagreements": apart, **attacks},
        examples=found.examples
        | _traversals(learnt, factor_map.factors.names)
        | {"disagreements": pictures, **attacked},
        config=config.model_dump(mode="json"),
        cost=ledger.summary(),
    )


def _path(factors: Factors, margins: FloatArray, test: NDArray[np.bool_], seed: int) -> pd.DataFrame:
    """How much of the classifier sparse networks keep, from few factors to many."""
    outputs = margins[:, 1:] if margins.shape[1] == 2 else margins
    densities = _DENSITIES[1:] if factors.values.shape[1] < _FEW_FACTORS else _DENSITIES
    return sparsity_path(
        factors.values[~test], outputs[~test], factors.values[test], outputs[test],
        densities=densities, penalties=_PENALTIES, seed=seed, steps=_PATH_STEPS,
    )  # fmt: skip


def _told(
    cells: pd.DataFrame, ids: Sequence[str], predicted: FloatArray, names: Sequence[str]
) -> pd.DataFrame:
    """Put what the rules say of each cell beside the classifier's logits."""
    places = {name: i for i, name in enumerate(ids)}
    own = predicted[[places[name] for name in cells["id"]]]
    return cells.assign(**{f"rule_{name}": own[:, k] for k, name in enumerate(names)})


def _edits(
    model: Model, rule: Rule, factor_map: FactorMap, found: Explanation, learnt: Learnt | None, seed: int
) -> tuple[Editor, list[Request]]:
    """Who edits along the factors that a rule reads, and the requests: a learnt factor by its own decoder."""
    if learnt is not None:
        return TCVAEEditor(learnt.model), learnt.requests(rule.names, factor_map.factors.names)
    concepts = [Concept.from_dict(c, found.directions[c["id"]]) for c in found.concepts if c["kind"] == KIND]
    requests = [
        (concept, factor_map.requested(concept))
        for concept in concepts
        if concept.id.partition(":")[2] in rule.names
    ]
    return LatentEditor(model.generator, "fresh", _DEPTH, seed), requests


def _intervene(
    images: Images,
    factors: Factors,
    editor: Editor,
    requests: Sequence[Request],
    judge: Judge,
    rule: Rule,
    target: int,
    config: RuleConfig,
) -> Intervention:
    """Edit some of the tested images along the factors that the target's rule reads."""
    some = sample(images, config.verify_images, config.seed)
    places = {name: i for i, name in enumerate(images.ids)}
    own = factors.rows([places[name] for name in some.ids])
    return intervene(some, own, editor, requests, judge, rule, target, config.seed)


def _traversals(learnt: Learnt | None, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """What learnt factors look like when each is moved alone, for the report."""
    if learnt is None:
        return {}
    return {"factors": np.array(names), "traversals": learnt.traversals(names).numpy()}


def _kept(
    rules: RuleSet,
    tested: Fidelity,
    shown: Intervention,
    factor_map: FactorMap,
    path: pd.DataFrame,
    config: RuleConfig,
) -> dict[str, Any]:
    """What ``rules.json`` holds."""
    return {
        **rules.as_dict(),
        "target": config.target,
        "factor_source": config.factors,
        "fidelity": asdict(tested),
        "interventions": {"correlation": list(shown.correlation), "slope": list(shown.slope)},
        "codes_r2": dict(zip(factor_map.factors.names, factor_map.r2.tolist(), strict=True)),
        "sparsity": path.to_dict("records"),
    }
