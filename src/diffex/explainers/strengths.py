"""Whether a strength lies where edits along a concept were seen to look real."""

import pandas as pd

from diffex.runs import Explanation

_ODD = "these images may look like none of yours"


def strength_warning(explanation: Explanation, concept: str, strength: float) -> str | None:
    """Warn of a strength at which edits are not known to stay on the manifold.

    Each strength was judged by itself, so that there can be gaps below the largest that passes. A strength
    between two that were tried lies in a gap where either failed; 0, the null edit, counts as passed.

    Parameters
    ----------
    explanation : Explanation
        The run.
    concept : str
        Id of one of its concepts.
    strength : float
        Signed.

    Returns
    -------
    str or None
        One sentence; None where nothing is to be said.
    """
    dose, sign, asked = explanation.dose, 1 if strength >= 0 else -1, abs(strength)
    tried = dose[(dose["concept"] == concept) & (dose["sign"] == sign)]
    if asked == 0:
        return None
    if not len(tried):
        return (
            f"Whether edits along {concept} in this direction stay on the manifold was not tested in this "
            f"run: {_ODD}."
        )
    return _gap(pd.Series(tried["on_manifold"].to_numpy(), tried["strength"].abs()), asked, f"{strength:g}")


def _gap(passed: "pd.Series[bool]", asked: float, shown: str) -> str | None:
    """Judge by strengths tried (the index) and whether each passed."""
    good = passed.index[passed]
    if not len(good):
        return f"None of the strengths tried ({_listed(passed.index)}) stays on the manifold: {_ODD}."
    if asked > good.max():
        return f"Strength {shown} is beyond {good.max():g}, the largest that stays on the manifold: {_ODD}."
    below, above = passed.index[passed.index <= asked], passed.index[passed.index >= asked]
    near = sorted({*below[below == below.max()], *above[above == above.min()]})
    failed = [one for one in near if not passed[one]]
    if not failed:
        return None
    return (
        f"Strength {shown} lies in a gap: edits at {_listed(failed)} can be told from real images, at "
        f"{_listed(good)} they cannot: {_ODD}."
    )


def _listed(strengths: "pd.Index[float] | list[float]") -> str:
    return ", ".join(f"{one:g}" for one in sorted(strengths))
