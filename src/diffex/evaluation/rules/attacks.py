"""R8: how much of its accuracy a formula keeps where the black box keeps half, and what factor flips are."""

from collections.abc import Callable, Iterator
from typing import Any

from diffex.base.ledger import CostLedger
from diffex.evaluation.bench import Bench
from diffex.evaluation.pictures import save_grid
from diffex.evaluation.real_fits import real_model
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.rules.measured import found_rules
from diffex.evaluation.rules.subjects import sides, subject, the_classifier
from diffex.evaluation.sets import FKHR, NUCLEI
from diffex.explainers.preparing import shape_channel
from diffex.explainers.rules.attack_run import move_factors
from diffex.explainers.rules.attacking import Target, attack_pixels, sparse_network
from diffex.explainers.rules.config import RuleConfig
from diffex.explainers.rules.factors import pixel_reader
from diffex.explainers.rules.seeing import see
from diffex.generators.model import Model
from diffex.images import sample
from diffex.rules.attacks.library import Effort
from diffex.rules.discovery import Search, discover
from diffex.rules.rule_set import RuleSet

_IMAGES, _QUERIES, _TWIN_STEPS = 96, 200, 400
YARDSTICKS = {FKHR: ("log2_nucleus_ring_fkhr", "positive"), NUCLEI: ("eccentricity", "round")}
"""What tells the class of a picture by itself, and the class whose rule is flipped."""


def measure_attacks(name: str) -> Callable[[Bench], Iterator[Measured]]:
    """Measure the part of R8 in pixels, on one set.

    Parameters
    ----------
    name : str
        Of the set.

    Returns
    -------
    callable
        For the suite.
    """

    def run(bench: Bench) -> Iterator[Measured]:
        made = subject(bench, name)
        rules = found_rules(bench, made, bench.size(Search.halves, 4))
        train, test = sides(bench, name)
        classifier = the_classifier(bench, name, train)
        network = sparse_network(made.train.factors, made.train.margins, bench.seed)
        target = Target(classifier, classifier, rules, network, pixel_reader(train, shape_channel(train)))
        tests = sample(test, bench.size(_IMAGES, 24), bench.seed)
        told, pictures = attack_pixels(
            target, train, tests, bench.seed, effort=Effort(queries=bench.size(_QUERIES, 20)),
            twin_steps=bench.size(_TWIN_STEPS, 20),
        )  # fmt: skip
        save_grid(pictures, bench.figure(f"{name}_attacked.png"))
        yield from _stood(name, told)

    return run


def _stood(name: str, told: dict[str, Any]) -> Iterator[Measured]:
    black_box, *others = told["models"]
    budget = f"budget {100 * told['budget']:.3g} % of the range ({told['grey_levels']:.3g} grey levels)"
    value, low, high = black_box["kept"]
    what = f"{name}: accuracy kept by the black box"
    yield Measured("R8", what, value, REPORTED, low, high, note=f"{budget}; {_words(black_box)}")
    for one in others:
        value, low, high = one["kept_more"]
        what = f"{name}: accuracy kept by the {one['name']}, less that of the black box"
        yield Measured("R8", what, value, REPORTED, low, high, note=_words(one))
        ratio = one["half_kept_at"] / told["budget"]
        what = f"{name}: budget at which the {one['name']} keep half, over that of the black box"
        yield Measured("R8", what.replace("network keep", "network keeps"), ratio, REPORTED,
                       note="largest budget tried" if one["half_kept_at"] >= 1 else "")  # fmt: skip


def _words(one: dict[str, Any]) -> str:
    alone = ", ".join(f"{attack} {share:.2f}" for attack, share in one["by_attack"].items())
    guided = f"gradients {one['gradients']}{_agreeing(one)}"
    return f"balanced accuracy {one['accuracy']:.3f}; {guided}; kept under each: {alone}"


def _agreeing(one: dict[str, Any]) -> str:
    agrees = one["guide_agrees"]
    return "" if agrees is None else f", which agrees in {100 * agrees:.0f} %"


def measure_moves(name: str) -> Callable[[Bench], Iterator[Measured]]:
    """Measure the part of R8 in factors, on one set.

    Parameters
    ----------
    name : str
        Of the set.

    Returns
    -------
    callable
        For the suite.
    """

    def run(bench: Bench) -> Iterator[Measured]:
        yield from moved_rows(bench, name, real_model(bench, name).model)

    return run


def moved_rows(bench: Bench, name: str, model: Model) -> Iterator[Measured]:
    """Flip the rule of a model's classifier on test images, and measure the pictures.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.
    name : str
        Of the set.
    model : Model
        Fitted on its training side.

    Yields
    ------
    Measured
        Share of flips that the independent measurement confirms.
    """
    measurement, target = YARDSTICKS[name]
    train, test = sides(bench, name)
    config = RuleConfig(target=target, seed=bench.seed, force=True, halves=bench.size(Search.halves, 4))
    ledger = CostLedger()
    fitting = see(sample(train, bench.size(1200, 240), bench.seed), model, config, ledger)
    rules = _rules(fitting, bench, config)
    tests = sample(test, bench.size(_IMAGES, 24), bench.seed)
    found, pictures = move_factors(fitting, tests, model, rules, config, ledger, measurement)
    save_grid(pictures, bench.figure(f"{name}_moves.png"))
    for told in found:
        sure = f"by {told['beyond']:.2g} logits"
        note = (
            f"{told['measurement']}, threshold {told['threshold']:.3g} (balanced accuracy "
            f"{told['accuracy']:.3f}); {told['images']} images, a move found for "
            f"{100 * told['flipped']:.0f} %; of {told['agreed']} that the black box tells as the rule does, "
            f"it tells {_percent(told['classifier'])} otherwise when moved; "
            f"{rules.of(target).expression}" + ("" if model.passed else "; the model fails a gate")
        )
        what = f"{name}: factor-space flips {sure} confirmed by measurement"
        value, low, high = told["confirmed"] or (float("nan"), None, None)
        yield Measured("R8", what, value, ">= 0.9", low, high, note=note)


def _rules(seen: Any, bench: Bench, config: RuleConfig) -> RuleSet:
    groups = None if seen.images.groups is None else seen.images.groups[~seen.test]
    names = tuple(seen.images.class_names)
    return discover(seen.factors.rows(~seen.test), seen.margins[~seen.test], names, groups, config.search())


def _percent(found: list[float] | None) -> str:
    return "none" if found is None else f"{100 * found[0]:.0f} %"
