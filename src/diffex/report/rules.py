"""The rules of a run, ready to show: formulas, symbols, the trade of accuracy against size, tests."""

from collections.abc import Mapping
from typing import Any

from diffex.report.formula import typeset
from diffex.report.numbers import compact


def rule_panel(rules: Mapping[str, Any] | None, target: str) -> dict[str, Any] | None:
    """Prepare the panel of a run of the rule method.

    Parameters
    ----------
    rules : mapping or None
        ``rules.json``; None for other methods.
    target : str
        The class explained; its rule comes first.

    Returns
    -------
    dict or None
        ``facts`` and ``rules``, for the template.
    """
    if rules is None:
        return None
    ordered = sorted(rules["rules"], key=lambda rule: bool(rule["class_name"] != target))
    return {
        "facts": _facts(rules),
        "rules": [_rule(rule, rules) for rule in ordered],
        "sparsity": [_sparse(row) for row in rules["sparsity"]],
    }


def _sparse(row: Mapping[str, Any]) -> dict[str, str]:
    method = {"rigl": "RigL, density", "hard_concrete": "hard-concrete gates, penalty"}[row["method"]]
    return {
        "method": f"{method} {row['setting']:g}",
        "factors": str(row["factors"]),
        "connections": str(row["connections"]),
        "r2": f"{row['r2']:.3f}",
        "agreement": f"{100 * row['agreement']:.1f} %",
    }


def _facts(rules: Mapping[str, Any]) -> list[tuple[str, str]]:
    tested, edits = rules["fidelity"], rules["interventions"]
    facts = [("Says what the classifier says", _percent(tested["agreement"]))]
    if tested["accuracy_ratio"] is not None:
        facts += [
            ("Balanced accuracy of the rules", _percent(tested["accuracy"])),
            ("Of the classifier", _percent(tested["classifier_accuracy"])),
            ("Ratio", _percent(tested["accuracy_ratio"])),
        ]
    return [
        *facts,
        ("Edits: correlation of foretold and shown change", _plain(edits["correlation"])),
        ("Edits: slope", _plain(edits["slope"])),
        ("Held-out images", f"{tested['images']}, intervals over {tested['unit']}"),
    ]


def _rule(rule: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    names = [one["class_name"] for one in rules["rules"]]
    r2 = rules["fidelity"]["r2"][names.index(rule["class_name"])]
    return {
        "class_name": rule["class_name"],
        "math": typeset(rule["tree"]),
        "formula": rule["formula"],
        "size": f"{rule['nodes']} nodes, {len(rule['factors'])} factors; R2 of the margin {_plain(r2)}",
        "symbols": [_symbol(factor, rules["codes_r2"]) for factor in rule["factors"]],
        "terms": [(term, f"{100 * share:.0f} %") for term, share in rule["stability"].items()],
        "front": [{**row, "r2": f"{row['r2']:.3f}", "math": typeset(row["tree"])} for row in rule["front"]],
    }


def _symbol(factor: Mapping[str, str], known: Mapping[str, float]) -> dict[str, str]:
    share = known.get(factor["name"])
    seen = "" if share is None else f"{100 * max(0.0, share):.0f} %"
    return {"name": factor["name"], "words": factor["words"], "unit": factor["unit"], "seen": seen}


def _percent(value: list[float]) -> str:
    return f"{100 * value[0]:.1f} % ({100 * value[1]:.1f} to {100 * value[2]:.1f})"


def _plain(value: list[float]) -> str:
    return f"{compact(value[0])} ({compact(value[1])} to {compact(value[2])})"
