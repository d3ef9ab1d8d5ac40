"""What few evaluations tell: slope and curvature of the margin, and how images move with the code."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diffex.base.ledger import CostLedger
from diffex.base.positions import evenly
from diffex.classifiers import Classifier, margin
from diffex.generators import DiffusionAutoencoder

FloatArray = NDArray[np.float64]
_BATCH = 32
_STEP_SD = 0.5
_POOLED = 16
_CURVED_IMAGES, _CURVED_AXES = 12, 16
_NO_SPREAD = 1e-9


def logit_gradients(
    generator: DiffusionAutoencoder,
    guide: Classifier,
    codes: Tensor,
    noise: Tensor,
    target: int,
    ledger: CostLedger,
) -> FloatArray:
    """Gradient of the target's margin with respect to the code, through the one-step renderer.

    Parameters
    ----------
    generator : DiffusionAutoencoder
        Differentiable in the code.
    guide : Classifier
        Differentiable: the classifier, or its twin.
    codes, noise : Tensor
        ``(n, d)`` and ``(n, c, h, w)``.
    target : int
        Index of the class.
    ledger : CostLedger
        Three evaluations per image are counted.

    Returns
    -------
    ndarray, shape (n, d)
        In logits per unit of code: the first-order effect of every direction v is ``g . v``.
    """
    rows = []
    value_range = generator.pixels.value_range
    for part, e in zip(torch.split(codes, _BATCH), torch.split(noise, _BATCH), strict=True):
        with torch.enable_grad():
            z = part.clone().requires_grad_(True)
            total = margin(guide.logits(generator.one_step(z, e), value_range), target).sum()
            (gradient,) = torch.autograd.grad(total, z)
        rows.append(gradient)
        ledger.count("gradients", len(z), backward=True)
    return np.asarray(torch.cat(rows).double().numpy())


def margin_curvature(
    generator: DiffusionAutoencoder,
    guide: Classifier,
    codes: Tensor,
    noise: Tensor,
    target: int,
    axes: FloatArray,
    metric: FloatArray,
    ledger: CostLedger,
) -> FloatArray:
    """Mean second derivative of the target's margin, from gradients a step to either side along a few axes.

    Gradients give opposite edits opposite effects; what the two have in common follows this quadratic form.

    Parameters
    ----------
    generator, guide, target, ledger
        As for `logit_gradients`.
    codes, noise : Tensor
        ``(n, d)`` and ``(n, c, h, w)``; 12 of the images are used.
    axes : ndarray, shape (J, d)
        Latent changes of the size that is edited, from `main_axes`.
    metric : ndarray, shape (d, d)
        Of images: what is orthogonal to all axes in it counts as flat.

    Returns
    -------
    ndarray, shape (d, d)
        In logits: an edit by v adds ``v' curvature v / 2`` to its linear effect.
    """
    some = torch.from_numpy(evenly(len(codes), _CURVED_IMAGES))
    steps = torch.from_numpy(np.concatenate([axes, -axes])).to(codes)
    moved = (codes[some] + steps.unsqueeze(1)).flatten(0, 1)
    drawn = noise[some].repeat(len(steps), *([1] * (noise.ndim - 1)))
    gradients = logit_gradients(generator, guide, moved, drawn, target, ledger)
    ahead, behind = gradients.reshape(2, len(axes), len(some), -1).mean(2)
    bent = (ahead - behind) @ axes.T / 2
    onto = np.linalg.solve(axes @ metric @ axes.T, axes @ metric)  # (J, d): coordinates along the axes
    return np.asarray(onto.T @ (bent + bent.T) @ onto / 2)


def main_axes(metric: FloatArray, covariance: FloatArray, size: float) -> FloatArray:
    """Give the axes along which arbitrary directions change images most.

    Parameters
    ----------
    metric, covariance : ndarray, shape (d, d)
        Of images, from `image_metric`, and of codes.
    size : float
        Length of each in the metric.

    Returns
    -------
    ndarray, shape (J, d)
        At most 16, orthogonal in the metric, the widest first.
    """
    values, vectors = np.linalg.eigh(metric)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    spread, turns = np.linalg.eigh(root @ covariance @ root)
    kept = np.flatnonzero(spread > _NO_SPREAD * spread[-1])[::-1][:_CURVED_AXES]
    return np.asarray(size * (covariance @ root @ turns[:, kept] / spread[kept]).T)


@final
@dataclass(frozen=True, eq=False)
class ImageMetric:
    """How images move with the code.

    Parameters
    ----------
    metric : ndarray, shape (d, d)
        Mean of J'J over images: a small change v has size ``sqrt(v' metric v)``.
    feature_steps : ndarray, shape (m, d, p)
        Change of the image, pooled to 16 x 16, per unit of each latent.
    """

    metric: FloatArray
    feature_steps: FloatArray


@torch.no_grad()
def image_metric(
    generator: DiffusionAutoencoder, codes: Tensor, noise: Tensor, spread: Tensor, ledger: CostLedger
) -> ImageMetric:
    """Finite differences of one-step renders along every latent.

    Parameters
    ----------
    generator : DiffusionAutoencoder
        The renderer.
    codes, noise : Tensor
        ``(m, d)`` and ``(m, c, h, w)``; a dozen images are enough.
    spread : Tensor
        Standard deviation of each latent, ``(d,)``; steps are half of it.
    ledger : CostLedger
        ``m * (d + 1)`` evaluations are counted.

    Returns
    -------
    ImageMetric
        Metric and pooled steps.
    """
    size = codes.shape[1]
    sd = torch.tensor(generator.pixels.sd).view(-1, 1, 1)
    length = _STEP_SD * spread.clamp_min(1e-6)  # a latent that never varies moves nothing
    metric, steps = np.zeros((size, size)), []
    for z, e in zip(codes, noise, strict=True):
        moved = torch.cat([z.unsqueeze(0), z + torch.diag(length)])
        x = generator.decode(moved, e.expand(len(moved), *e.shape), 1)
        jacobian = (x[1:] - x[:1]) / sd / length.view(-1, 1, 1, 1)
        flat = jacobian.flatten(1).double().numpy()
        metric += flat @ flat.T / flat.shape[1]
        steps.append(functional.adaptive_avg_pool2d(jacobian, _POOLED).flatten(1))
        ledger.count("calibration", size + 1)
    return ImageMetric(metric / len(codes), np.asarray(torch.stack(steps).double().numpy()))
