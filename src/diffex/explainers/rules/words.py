"""The answer of the rule method in plain sentences, and what to beware of."""

from diffex.explainers.rules.interventions import Intervention
from diffex.rules.fidelity import Fidelity
from diffex.rules.rule import Rule
from diffex.rules.stability import STEADY_SHARE

_FAITHFUL = 0.95
_FORETOLD = 0.9


def answer(rule: Rule, fidelity: Fidelity, shown: Intervention) -> list[str]:
    """Say the formula, how far it stands in for the classifier, and whether edits bear it out.

    Parameters
    ----------
    rule : Rule
        Of the target.
    fidelity : Fidelity
        On held-out images.
    shown : Intervention
        On edits of held-out images.

    Returns
    -------
    list of str
        Three sentences.
    """
    over = "groups of images" if fidelity.unit == "groups" else "images"
    ratio = fidelity.accuracy_ratio
    kept = "" if ratio is None else f" and keeps {_percent(ratio)} of its balanced accuracy"
    return [
        f"The classifier says {rule.class_name} where this is above 0: {rule.expression} "
        f"({rule.nodes} nodes, {_count(len(rule.factors), 'factor')}).",
        f"On {fidelity.images} held-out images the rules say what the classifier says in "
        f"{_percent(fidelity.agreement)}{kept} (95 % intervals over {over}).",
        f"When one factor is changed in the picture, the formula foretells the change of the classifier's "
        f"margin with correlation {_plain(shown.correlation)} and slope {_plain(shown.slope)}.",
    ]


def warnings(rules: tuple[Rule, ...], fidelity: Fidelity, shown: Intervention) -> list[str]:
    """Name what a reader must not overlook.

    Parameters
    ----------
    rules : tuple of Rule
        Of all classes.
    fidelity, shown
        As for `answer`.

    Returns
    -------
    list of str
        Empty where there is nothing.
    """
    found = []
    if fidelity.agreement[0] < _FAITHFUL:
        found.append(
            f"The rules differ from the classifier on {100 - 100 * fidelity.agreement[0]:.0f} % of the "
            "held-out images: they are a sketch of it, not a replacement."
        )
    if shown.correlation[0] < _FORETOLD:
        found.append(
            "The formula does not foretell well what the classifier does when a factor is changed alone: it "
            "may read something that only goes along with what the classifier looks at."
        )
    for rule in rules:
        weak = [term for term in rule.terms if rule.stability and rule.stability.get(term, 0) < STEADY_SHARE]
        if weak:
            found.append(
                f"In the rule for {rule.class_name}, {' and '.join(weak)} came up in fewer than "
                f"{100 * STEADY_SHARE:.0f} % of half-samples: other images may give another formula."
            )
    return found


def _percent(value: tuple[float, float, float]) -> str:
    return f"{100 * value[0]:.1f} % ({100 * value[1]:.1f} to {100 * value[2]:.1f})"


def _plain(value: tuple[float, float, float]) -> str:
    return f"{value[0]:.2f} ({value[1]:.2f} to {value[2]:.2f})"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
