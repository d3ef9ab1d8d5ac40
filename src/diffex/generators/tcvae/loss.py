"""The loss of the total-correlation VAE: likelihood of the pixels, and a KL term in three parts."""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from diffex.generators.tcvae.config import Estimator

ACTIVE = 0.05
"""Nats a latent must carry about the image to count as used."""


@final
@dataclass(frozen=True)
class Decomposition:
    """Three parts of ``E KL(q(z|x) || p(z))``, scalars in nats.

    Parameters
    ----------
    mutual_information : Tensor
        ``KL(q(z, n) || q(z) p(n))`` between code and index of the image.
    total_correlation : Tensor
        ``KL(q(z) || prod_j q(z_j))``: what the latents say twice.
    dimension_wise : Tensor
        ``sum_j KL(q(z_j) || p(z_j))``.
    """

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise: Tensor


def decompose(
    z: Tensor, mean: Tensor, log_variance: Tensor, count: int, estimator: Estimator
) -> Decomposition:
    """Estimate the three parts from a minibatch.

    Parameters
    ----------
    z : Tensor
        ``(b, d)``, one sample from each posterior.
    mean, log_variance : Tensor
        ``(b, d)``, of the posteriors ``q(z|n)``, diagonal Gaussians.
    count : int
        Images in the whole set.
    estimator : {"stratified", "weighted"}
        As for `log_weights`.

    Returns
    -------
    Decomposition
        Whose sum is the minibatch mean of ``log q(z|n) - log p(z)``, whatever the estimator.

    Notes
    -----
    Chen et al. 2018, "Isolating sources of disentanglement in VAEs", equation 2 and appendix C.
    """
    pairs = log_normal(z.unsqueeze(1), mean.unsqueeze(0), log_variance.unsqueeze(0))  # (b, b, d)
    weights = log_weights(len(z), count, estimator).to(z)
    own = log_normal(z, mean, log_variance).sum(1)
    joint = torch.logsumexp(pairs.sum(2) + weights, dim=1)
    product = torch.logsumexp(pairs + weights.unsqueeze(2), dim=1).sum(1)
    prior = log_normal(z, torch.zeros_like(z), torch.zeros_like(z)).sum(1)
    return Decomposition((own - joint).mean(), (joint - product).mean(), (product - prior).mean())


def log_weights(batch: int, count: int, estimator: Estimator) -> Tensor:
    r"""Log-weight of posterior `j` in the estimate of the aggregate ``q(z)`` at a sample of posterior `i`.

    Weighted: all :math:`1 / (N B)`; a lower bound. Stratified: :math:`1 / N` for the sample's own posterior,
    :math:`(N - 1) / (N (B - 1))` for the others, so that the estimate of ``q(z)`` is unbiased where a
    minibatch is drawn without repetition. The published stratified weights single out one of the others;
    these are their mean over that choice, with the same expectation and less variance.

    Parameters
    ----------
    batch : int
        Images in the minibatch, at least 2.
    count : int
        Images in the whole set; taken as `batch` where it is less.
    estimator : {"stratified", "weighted"}
        Which.

    Returns
    -------
    Tensor
        ``(b, b)``.

    Examples
    --------
    >>> log_weights(3, 10, "stratified").exp()
    tensor([[0.1000, 0.4500, 0.4500],
            [0.4500, 0.1000, 0.4500],
            [0.4500, 0.4500, 0.1000]])
    """
    whole = max(batch, count)
    if estimator == "weighted":
        return torch.full((batch, batch), -math.log(whole * batch))
    weights = torch.full((batch, batch), (whole - 1) / (whole * (batch - 1)))
    return weights.fill_diagonal_(1 / whole).log()


def log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log-density of a Gaussian, elementwise.

    Parameters
    ----------
    z, mean, log_variance : Tensor
        Of shapes that go together.

    Returns
    -------
    Tensor
        In nats.
    """
    return -0.5 * ((z - mean).square() * (-log_variance).exp() + log_variance + math.log(2 * math.pi))


def kl_per_latent(mean: Tensor, log_variance: Tensor) -> Tensor:
    """``KL(q(z_j|x) || N(0, 1))`` in closed form.

    Parameters
    ----------
    mean, log_variance : Tensor
        ``(n, d)``, of the posteriors.

    Returns
    -------
    Tensor
        ``(n, d)``, in nats.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def active(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Tell which latents are used: those that carry more than `ACTIVE` about the image.

    What latent `j` carries is taken as
    :math:`\frac{1}{2} \log(1 + \mathrm{Var}[\mu_j] / \mathrm{E}[\sigma_j^2])`. Its KL term is no guide: where
    the posterior is the same for all images, but not quite the prior, there is some.

    Parameters
    ----------
    mean, log_variance : Tensor
        ``(n, d)``, as from ``TCVAE.posterior``.

    Returns
    -------
    Tensor
        ``(d,)`` bool.

    Examples
    --------
    >>> active(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[0.0, -2.0], [0.0, -2.0]]))
    tensor([ True, False])
    """
    return 0.5 * (mean.var(0) / log_variance.exp().mean(0)).log1p() > ACTIVE


def pixel_loss(image: Tensor, decoded: Tensor, log_variance: Tensor, weight: Tensor | None = None) -> Tensor:
    """Negative log-likelihood of images, summed over pixels and channels.

    Parameters
    ----------
    image, decoded : Tensor
        ``(n, c, h, w)`` in the model's range.
    log_variance : Tensor
        ``(c,)``, of the pixels around the decoded mean.
    weight : Tensor, optional
        ``(h, w)``, how much each pixel counts; default 1.

    Returns
    -------
    Tensor
        ``(n,)``, in nats.
    """
    each = -log_normal(image, decoded, log_variance.view(-1, 1, 1))
    return (each if weight is None else each * weight).sum(dim=(1, 2, 3))


def central_weight(side: int) -> Tensor:
    """Weight of each pixel where the object is in the middle and neighbours are not wanted.

    Parameters
    ----------
    side : int
        Of the image, in pixels.

    Returns
    -------
    Tensor
        ``(side, side)``: 1 in the middle, a Gaussian of a quarter of the side.

    Examples
    --------
    >>> central_weight(5)[2]
    tensor([0.2780, 0.7261, 1.0000, 0.7261, 0.2780])
    """
    along = (torch.arange(side) - (side - 1) / 2) / (side / 4)
    return (-(along[:, None].square() + along[None].square()) / 2).exp()


def annealed(beta: float, step: int, steps: int) -> float:
    """Weight of the total correlation at a step: from 1 to `beta` over the first third, linearly.

    Parameters
    ----------
    beta : float
        The final weight.
    step : int
        From 0.
    steps : int
        Of the whole training.

    Returns
    -------
    float
        Between 1 and `beta`.

    Examples
    --------
    >>> [annealed(6.0, step, 300) for step in (0, 50, 100, 299)]
    [1.0, 3.5, 6.0, 6.0]
    """
    return 1 + (beta - 1) * min(1.0, 3 * step / steps)
