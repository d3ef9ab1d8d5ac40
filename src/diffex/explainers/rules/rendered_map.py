"""What moves of codes do to factors as they are rendered: learnt from pictures, and bent."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from diffex.base.ledger import CostLedger
from diffex.concepts.white_codes import ridge
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.explainers.rules.directions import FactorMap
from diffex.explainers.rules.factors import Reader
from diffex.images import Images

_TURNS = 3


@final
@dataclass(frozen=True, eq=False)
class RenderedMap:
    """A `FactorMap` whose changes are those that the decoder shows.

    Parameters
    ----------
    asked : FactorMap
        What is asked of codes.
    centre : ndarray, shape (d,)
        Mean code.
    weights : ndarray, shape (features, F)
        From moves, their products, and their products with where the code is, to changes; all in standard
        deviations.
    """

    asked: FactorMap
    centre: FloatArray
    weights: FloatArray

    @property
    def metric(self) -> FloatArray:
        """As of the map that asks."""
        return self.asked.metric

    def code_moves(self, moves: FloatArray) -> FloatArray:
        """Moves of codes ``(n, d)``, as of the map that asks."""
        return self.asked.code_moves(moves)

    def change(self, codes: FloatArray, moves: FloatArray) -> FloatArray:
        """Change of every factor ``(n, F)``, in its unit."""
        found = _features(self.asked, self.centre, codes, moves) @ self.weights
        return np.asarray(found * self.asked.factors.values.std(axis=0))


def learn_rendered(
    asked: FactorMap, images: Images, editor: LatentEditor, read: Reader, seed: int, ledger: CostLedger
) -> RenderedMap:
    """Move images of the fitting side to the factors of others, render, and measure.

    Parameters
    ----------
    asked : FactorMap
        Between codes and factors.
    images : Images
        N of the fitting side; none that tests.
    editor : LatentEditor
        Renders.
    read : callable
        Pixels to the factors, among others.
    seed : int
        Of who is moved to whom.
    ledger : CostLedger
        The account.

    Returns
    -------
    RenderedMap
        By ridge regression of the changes measured on 3 n pictures.
    """
    names, scale = asked.factors.names, asked.factors.values.std(axis=0)
    inversion = editor.invert(images.read(), images.ids)
    codes, random = inversion.codes.double().numpy(), np.random.default_rng(seed)
    null = read(editor.null(inversion)).columns(names).values
    centre = codes.mean(axis=0)
    rows, shown = [], []
    for _ in range(_TURNS):
        moves = (null[random.permutation(len(null))] - null) / scale
        moved = inversion.codes + torch.from_numpy(asked.code_moves(moves)).to(inversion.codes)
        got = read(editor.render(inversion, moved)).columns(names).values
        rows.append(_features(asked, centre, codes, moves))
        shown.append((got - null) / scale)
    ledger.count("attacks", (1 + _TURNS) * len(images) * editor.evaluations)
    return RenderedMap(asked, centre, ridge(np.concatenate(rows), np.concatenate(shown)))


def _features(asked: FactorMap, centre: FloatArray, codes: FloatArray, moves: FloatArray) -> FloatArray:
    """Moves, their products, and products with the factors of the code: none without a move."""
    here = (codes - centre) @ asked.forward / asked.factors.values.std(axis=0)
    pairs = [moves[:, [i]] * moves[:, i:] for i in range(moves.shape[1])]
    places = [moves[:, [i]] * here for i in range(moves.shape[1])]
    return np.concatenate([moves, *pairs, *places], axis=1)
