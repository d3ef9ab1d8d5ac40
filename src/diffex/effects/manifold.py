"""Are edited images still images like the others? A small held-out discriminator tells."""

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional

FloatArray = NDArray[np.float64]
_RINGS = 12
_FOLDS = 4


def image_statistics(x: Tensor, sd: tuple[float, ...]) -> FloatArray:
    """What the discriminator sees: per channel moments, quantiles, radial spectrum, a coarse picture.

    Parameters
    ----------
    x : Tensor
        ``(n, c, h, w)`` grey values.
    sd : tuple of float
        Unit of each channel.

    Returns
    -------
    ndarray, shape (n, c * (4 + 5 + 12 + 16))
        Float64.
    """
    y = x / torch.tensor(sd).view(-1, 1, 1)
    flat = y.flatten(2)
    centred = flat - flat.mean(2, keepdim=True)
    spread = centred.square().mean(2).sqrt().clamp_min(1e-6)
    shape = [(centred / spread.unsqueeze(2)).pow(k).mean(2) for k in (3, 4)]
    levels = torch.tensor([0.02, 0.25, 0.5, 0.75, 0.98])
    quantiles = torch.quantile(flat, levels, dim=2).permute(1, 2, 0).flatten(1)
    coarse = functional.adaptive_avg_pool2d(y, 4).flatten(1)
    parts = [flat.mean(2), spread, *shape, quantiles, radial_spectrum(y).log().flatten(1), coarse]
    return np.asarray(torch.cat(parts, dim=1).double().numpy())


def radial_spectrum(y: Tensor) -> Tensor:
    """Mean power by spatial frequency.

    Parameters
    ----------
    y : Tensor
        ``(n, c, h, w)``.

    Returns
    -------
    Tensor
        ``(n, c, 12)``, rings of equal width from 0 to the highest frequency of an axis.
    """
    height, width = y.shape[-2:]
    power = torch.fft.rfft2(y - y.mean(dim=(2, 3), keepdim=True)).abs().square() / (height * width)
    radius = (
        torch.fft.fftfreq(height).view(-1, 1).square() + torch.fft.rfftfreq(width).view(1, -1).square()
    ).sqrt()
    ring = (radius * 2 * _RINGS).long().clamp_max(_RINGS - 1)
    rings = [power[..., ring == k].mean(-1) for k in range(_RINGS)]
    return torch.stack(rings, dim=-1).clamp_min(1e-8)


def discriminate(real: FloatArray, other: FloatArray, pairs: NDArray[np.int64]) -> float:
    """Cross-validated AUROC of a logistic regression that tells two sets of images apart.

    Parameters
    ----------
    real, other : ndarray, shape (n, p)
        Statistics, row by row in pairs.
    pairs : ndarray of int, shape (n,)
        Image behind each pair; an image is never in fitting and test part at once.

    Returns
    -------
    float
        0.5 where they cannot be told apart; values below 0.5 are reported as they are.
    """
    features = np.vstack([real, other])
    label = np.repeat([0, 1], [len(real), len(other)])
    owner = np.concatenate([pairs, pairs])
    score = np.zeros(len(label))
    for fit, test in GroupKFold(_FOLDS).split(features, label, owner):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=300))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score[test] = model.fit(features[fit], label[fit]).decision_function(features[test])
    return float(roc_auc_score(label, score))


def match_on_logit(
    wanted: FloatArray, have: FloatArray, caliper: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each edit, the reconstruction of a real cell whose logit is nearest; every cell used once.

    Parameters
    ----------
    wanted, have : ndarray, shape (n,) and (m,)
        Margins of edits and of reconstructions.
    caliper : float
        A match farther off than this counts as none.

    Returns
    -------
    (ndarray of int, ndarray of bool), each of shape (n,)
        Positions in `have`, and whether the match is within the caliper. Where there are more edits than
        cells, those left over have position 0 and no match.
    """
    from scipy.optimize import linear_sum_assignment

    cost = np.abs(wanted[:, None] - have[None, :])
    rows, columns = linear_sum_assignment(np.minimum(cost, 10 * caliper))
    matched, within = np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=bool)
    matched[rows], within[rows] = columns, cost[rows, columns] <= caliper
    return matched, within
