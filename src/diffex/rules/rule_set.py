"""Rules for all classes, in place of the classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from diffex.base.errors import FolderError, InputError
from diffex.effects.arrays import FloatArray
from diffex.rules.factors import Factors
from diffex.rules.rule import Rule

SCHEMA = 1


@final
@dataclass(frozen=True)
class RuleSet:
    """One rule per class margin; of two classes, one rule for the second.

    Parameters
    ----------
    class_names : tuple of str
        Of the classifier.
    rules : tuple of Rule
        In the order of the classes.
    """

    class_names: tuple[str, ...]
    rules: tuple[Rule, ...]

    def margins(self, factors: Factors) -> FloatArray:
        """Compute the margins of all classes.

        Parameters
        ----------
        factors : Factors
            With at least those that the rules read.

        Returns
        -------
        ndarray, shape (n, k)
            In logits; the class said is the largest.
        """
        found = [rule.evaluate(factors.columns(rule.names).values) for rule in self.rules]
        columns = [-found[0], found[0]] if len(self.class_names) == 2 else found
        return np.stack(columns, axis=1)

    def of(self, class_name: str) -> Rule:
        """Give the rule of a class; for the first of two classes, the second's with its sign turned."""
        known = {rule.class_name: rule for rule in self.rules}
        if class_name in known:
            return known[class_name]
        if class_name not in self.class_names:
            raise InputError(f"Got class {class_name!r}, expected one of {', '.join(self.class_names)}.")
        return self.rules[0].turned(class_name)

    def __repr__(self) -> str:
        """Print every rule with its front."""
        return "\n\n".join(repr(rule) for rule in self.rules)

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        return {
            "schema": SCHEMA,
            "class_names": list(self.class_names),
            "rules": [rule.as_dict() for rule in self.rules],
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> "RuleSet":
        """Read what `as_dict` gave.

        Parameters
        ----------
        kept : mapping
            From ``rules.json``.

        Returns
        -------
        RuleSet
            The same.

        Raises
        ------
        FolderError
            If it is of another schema, or damaged.
        """
        if kept.get("schema") != SCHEMA:
            raise FolderError(
                f"The rules are of schema {kept.get('schema')!r}, expected {SCHEMA}: make the run again."
            )
        try:
            return cls(tuple(kept["class_names"]), tuple(Rule.from_dict(rule) for rule in kept["rules"]))
        except (KeyError, TypeError, ValueError) as error:
            raise FolderError(f"The rules are damaged ({error}): make the run again.") from error


def explained_classes(class_names: Sequence[str]) -> tuple[int, ...]:
    """Say which classes get a rule.

    Parameters
    ----------
    class_names : sequence of str
        Of the classifier.

    Returns
    -------
    tuple of int
        The second of two, else all.
    """
    return (1,) if len(class_names) == 2 else tuple(range(len(class_names)))
