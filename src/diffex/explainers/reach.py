"""How far a code may be moved: not farther out than the codes of real images."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from diffex.generators.model import Model


@final
@dataclass(frozen=True, eq=False)
class Reach:
    """The ellipsoid that moved codes stay in, in white codes, where every axis has unit variance.

    A code is on the manifold if its Mahalanobis distance from the mean is at most that of 99.5 % of normal
    codes, or that of the image's own code where this is larger.

    Parameters
    ----------
    spread : Tensor
        ``(d, d)``: symmetric root of the codes' covariance.
    whitener : Tensor
        ``(d, d)``: its pseudo-inverse.
    start : Tensor
        ``(n, d)``: white codes of the images, from the mean.
    limit : Tensor
        ``(n, 1)``: largest distance.
    """

    spread: Tensor
    whitener: Tensor
    start: Tensor
    limit: Tensor

    def length(self, moves: Tensor) -> Tensor:
        """Measure moves in standard deviations of the codes.

        Parameters
        ----------
        moves : Tensor
            ``(n, d)``.

        Returns
        -------
        Tensor
            ``(n,)``.
        """
        length: Tensor = (moves @ self.whitener).norm(dim=1)
        return length

    def distance(self, moves: Tensor) -> Tensor:
        """Measure how far from the mean the moved codes are.

        Parameters
        ----------
        moves : Tensor
            ``(n, d)``.

        Returns
        -------
        Tensor
            ``(n,)``, to be compared with `limit`.
        """
        distance: Tensor = (self.start + moves @ self.whitener).norm(dim=1)
        return distance

    def farthest(self, moves: Tensor) -> Tensor:
        """Give the largest multiple of each move that stays inside.

        Parameters
        ----------
        moves : Tensor
            ``(n, d)``.

        Returns
        -------
        Tensor
            ``(n, 1)``: the positive root ``t`` of ``|start + t move|^2 = limit^2``; infinite for a move of
            no length.
        """
        white = (moves @ self.whitener).double()
        square = white.square().sum(1, keepdim=True)
        along = (self.start.double() * white).sum(1, keepdim=True)
        room = (self.limit.double().square() - self.start.double().square().sum(1, keepdim=True)).clamp_min(0)
        root = ((along.square() + square * room).sqrt() - along) / square
        return torch.where(square > 0, root, torch.inf).clamp_min(0).float()

    def pulled_back(self, white: Tensor) -> Tensor:
        """Bring moves that lead outside back to the nearest code that is allowed.

        Parameters
        ----------
        white : Tensor
            ``(n, d)``, in white codes.

        Returns
        -------
        Tensor
            ``(n, d)``, in white codes.
        """
        moved = self.start + white
        kept = (self.limit / moved.norm(dim=1, keepdim=True).clamp_min(1e-9)).clamp_max(1.0)
        back: Tensor = moved * kept - self.start
        return back


def reach_of(model: Model, codes: Tensor) -> Reach:
    """Measure how far codes may be moved.

    Parameters
    ----------
    model : Model
        Knows mean and covariance of the fitting images' codes.
    codes : Tensor
        ``(n, d)``, of the images.

    Returns
    -------
    Reach
        For these images.
    """
    values, vectors = torch.linalg.eigh(model.generator.code_cov.cpu())
    values = values.where(values > len(values) * torch.finfo(values.dtype).eps * values.max(), 0)
    spread: Tensor = (vectors * values.sqrt()) @ vectors.T
    whitener = (vectors * values.rsqrt().nan_to_num(posinf=0.0)) @ vectors.T
    start = (codes - model.generator.code_mean.cpu()) @ whitener
    size = codes.shape[1]
    usual = torch.tensor((size + 2.6 * (2 * size) ** 0.5) ** 0.5)
    return Reach(spread, whitener, start, torch.maximum(start.norm(dim=1, keepdim=True), usual))
