"""Noise paths and their solver: rectified flow and the variance-preserving path, one code.

A path gives ``x_t = a(t) x + s(t) e`` for t from 0 (image) to 1 (noise). The network predicts the image
itself (Li & He 2025, "Back to basics"): a small network cannot carry a noise field through its channels, and
what it would leave of it is grain in every rendering. Its error is weighted as that of the noise would be.
The finest detail, which it cannot carry either, passes beside it with its own Wiener gain.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, final

import torch
from torch import Tensor

Network = Callable[[Tensor, Tensor], Tensor]  # (scaled x_t, t) -> image in units of data_sd
_NEAREST = 0.05  # below this noise the weight of an error grows no further


@final
@dataclass(frozen=True)
class NoisePath:
    """How an image turns into noise.

    Parameters
    ----------
    kind : {"flow", "ddpm"}
        Straight lines (rectified flow, Liu et al. 2022) or a cosine variance-preserving path.
    data_sd : float
        Standard deviation of the images in the model's range.
    detail : float
        Standard deviation of their finest detail, as of white noise.
    """

    kind: Literal["flow", "ddpm"]
    data_sd: float = 0.5
    detail: float = 0.0

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Give ``a(t)`` and ``s(t)``.

        Parameters
        ----------
        t : Tensor
            Times in [0, 1].

        Returns
        -------
        (Tensor, Tensor)
            Weights of image and noise, shape of `t`.
        """
        if self.kind == "flow":
            return 1 - t, t
        return torch.cos(t * (math.pi / 2)), torch.sin(t * (math.pi / 2))

    def mix(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Make ``x_t``.

        Parameters
        ----------
        x, noise : Tensor
            ``(n, c, h, w)``.
        t : Tensor
            ``(n,)``.

        Returns
        -------
        Tensor
            ``(n, c, h, w)``.
        """
        a, s = self._weights(t)
        return a * x + s * noise

    def _weights(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients as ``(n, 1, 1, 1)``."""
        a, s = self.coefficients(t)
        return a.view(-1, 1, 1, 1), s.view(-1, 1, 1, 1)

    def _total(self, t: Tensor) -> Tensor:
        """Standard deviation of ``x_t``, ``(n, 1, 1, 1)``."""
        a, s = self._weights(t)
        return (a.square() * self.data_sd**2 + s.square()).sqrt()

    def errors(self, image: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Weighted squared error of each prediction; its scale is the same at every t.

        Parameters
        ----------
        image, x : Tensor
            Predicted and true images in the model's range, ``(n, c, h, w)``.
        t : Tensor
            ``(n,)``.

        Returns
        -------
        Tensor
            ``(n,)``; 1 for the best guess that is linear in ``x_t``, at any t above 0.05.
        """
        s = self.coefficients(t)[1].clamp_min(_NEAREST)
        weight = (self._total(t).flatten() / s).square()
        return weight * ((image - x) / self.data_sd).square().mean(dim=(1, 2, 3))

    def evaluate(self, network: Network, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the network once.

        Parameters
        ----------
        network : callable
            ``network(scaled x_t, t) -> image / data_sd``.
        x_t : Tensor
            ``(n, c, h, w)``.
        t : Tensor
            ``(n,)``.

        Returns
        -------
        (Tensor, Tensor)
            Posterior means of image and noise, ``(n, c, h, w)`` each.
        """
        return self.split(network(self.scaled(x_t, t), t), x_t, t)

    def scaled(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Scale ``x_t`` to unit variance, as the network wants it."""
        return x_t / self._total(t)

    def split(self, raw: Tensor, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Turn the network's output into the posterior means of image and noise.

        Parameters
        ----------
        raw, x_t : Tensor
            Output and ``x_t``, ``(n, c, h, w)``.
        t : Tensor
            ``(n,)``, above 0.

        Returns
        -------
        (Tensor, Tensor)
            Image and noise.
        """
        a, s = self._weights(t)
        gain = a * self.detail**2 / (a.square() * self.detail**2 + s.square())
        image = gain * x_t + (1 - a * gain) * self.data_sd * raw
        return image, (x_t - a * image) / s

    def times(self, depth: int, device: torch.device) -> Tensor:
        """Times of a rendering with `depth` evaluations, from 1 down to 0.

        Parameters
        ----------
        depth : int
            Network evaluations.
        device : torch.device
            Where.

        Returns
        -------
        Tensor
            ``(depth + 1,)``, quadratically denser towards the image for more than two evaluations.
        """
        uniform = torch.linspace(1, 0, depth + 1, device=device)
        return uniform if self.kind == "ddpm" else uniform.square()

    @torch.no_grad()
    def render(self, network: Network, noise: Tensor, depth: int) -> Tensor:
        """Go from noise to image with `depth` evaluations (DDIM; Euler for the flow).

        Parameters
        ----------
        network : callable
            As for `evaluate`, with its condition bound.
        noise : Tensor
            ``(n, c, h, w)``, standard normal or from `invert`.
        depth : int
            Network evaluations. 1 gives the posterior mean ``E[x | z]``.

        Returns
        -------
        Tensor
            Images in the model's range, ``(n, c, h, w)``.
        """
        x_t = noise
        times = self.times(depth, noise.device)
        for now, then in pairwise(times):
            x_t = self._step(network, x_t, now, then)
        return x_t

    @torch.no_grad()
    def invert(self, network: Network, x: Tensor, depth: int, iterations: int = 1) -> Tensor:
        """Find the noise from which `render` with the same depth gives back `x`.

        Each explicit step of `render` is undone, evaluated at its end (DDIM inversion), and improved by
        fixed-point iteration. Where the network smooths, iterations trade a closer image for stronger noise.

        Parameters
        ----------
        network : callable
            As for `render`.
        x : Tensor
            Images in the model's range.
        depth : int
            Steps; evaluations are ``depth * iterations``.
        iterations : int
            Fixed-point iterations per step.

        Returns
        -------
        Tensor
            Noise, ``(n, c, h, w)``.
        """
        times = self.times(depth, x.device).flip(0)
        for now, then in pairwise(times):
            x = self._undo(network, x, now, then, iterations)
        return x

    def _undo(self, network: Network, x: Tensor, now: Tensor, then: Tensor, iterations: int) -> Tensor:
        guess = x
        for _ in range(iterations):
            image, noise = self.evaluate(network, guess, then.expand(len(x)))
            (a0, s0), (a1, s1) = self.coefficients(now), self.coefficients(then)
            # render: x = a0 image + s0 noise; undone by moving along the same straight direction
            guess = x + (a1 - a0) * image + (s1 - s0) * noise
        return guess

    def _step(self, network: Network, x_t: Tensor, now: Tensor, then: Tensor) -> Tensor:
        image, noise = self.evaluate(network, x_t, now.expand(len(x_t)))
        (a1, s1), (a0, s0) = self.coefficients(now), self.coefficients(then)
        return x_t + (a0 - a1) * image + (s0 - s1) * noise
