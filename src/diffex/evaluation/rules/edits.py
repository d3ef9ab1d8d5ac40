"""R3: whether the formula foretells what edits do, on planted cells and shipped models."""

from collections.abc import Iterator

from diffex.evaluation.bench import Bench
from diffex.evaluation.demo import TARGET, demo_cells, shipped_model
from diffex.evaluation.rows import Measured
from diffex.evaluation.rules.subjects import PLANTED
from diffex.explainers.rules.config import RuleConfig
from diffex.explainers.rules.explain import explain_rules


def measure_edits(bench: Bench) -> Iterator[Measured]:
    """Measure the interventional part of R3.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Correlation and slope of shown on foretold changes, for each shipped binary classifier.
    """
    for name, rule in PLANTED.items():
        images = demo_cells(rule, bench.seed, bench.size(1500, 300))
        model = shipped_model(rule, bench.device)
        config = RuleConfig(target=TARGET, seed=bench.seed, force=True, halves=0, images=bench.size(96, 24))
        rules = explain_rules(images, model, config).rules
        assert rules is not None
        found, note = rules["interventions"], "; ".join(one["formula"] for one in rules["rules"])
        note += "" if model.passed else "; the shipped model fails a gate for this classifier"
        value, low, high = found["correlation"]
        yield Measured(
            "R3", f"{name}: correlation of foretold and shown change", value, ">= 0.9", low, high, note=note
        )
        value, low, high = found["slope"]
        yield Measured("R3", f"{name}: slope of shown on foretold change", value, "0.8 to 1.25", low, high)
