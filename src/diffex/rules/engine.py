"""What a search for formulas must offer."""

from typing import Protocol

from diffex.effects.arrays import FloatArray
from diffex.rules.expression import Expr


class RuleEngine(Protocol):
    """Searches formulas of growing size for one number per image."""

    @property
    def name(self) -> str:
        """Short name, shown beside what it found."""

    def search(self, names: tuple[str, ...], x: FloatArray, y: FloatArray, seed: int) -> list[Expr]:
        """Search.

        Parameters
        ----------
        names : tuple of str
            Columns of `x`.
        x : ndarray, shape (n, d)
            Factors, each of standard deviation 1.
        y : ndarray, shape (n,)
            What formulas should give.
        seed : int
            Of everything random.

        Returns
        -------
        list of Expr
            Formulas over `names`, from short to long; constants need not be their best.
        """
