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
_RATIO_MEAN, _RATIO_SD = -0.8, 1.4  # of log s / a in training
_RATIO_ENDS, _RHO = (4.0, 0.01), 7  # of s / a in rendering
_TINY = 1e-4
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
    detail : tuple of float
        Standard deviation of their finest detail per channel, as of white noise.
    """

    kind: Literal["flow", "ddpm"]
    data_sd: float = 0.5
    detail: tuple[float, ...] = (0.0,)

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

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw times to train at: the noise-to-image ratio ``s / a`` is log-normal.

        Parameters
        ----------
        count : int
            How many.
        generator : torch.Generator
            Of the draw.

        Returns
        -------
        Tensor
            ``(count,)`` in (0, 1). Wider than in Karras et al. 2022: fine detail has little noise.
        """
        return self._at((_RATIO_SD * torch.randn(count, generator=generator) + _RATIO_MEAN).exp())

    def _at(self, ratio: Tensor) -> Tensor:
        """Time at which ``s / a`` is `ratio`."""
        return ratio / (1 + ratio) if self.kind == "flow" else ratio.atan() * (2 / math.pi)

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

    def _fine(self, device: torch.device) -> Tensor:
        """Variance of the finest detail, ``(c, 1, 1)``."""
        return torch.tensor(self.detail, device=device).square().view(-1, 1, 1)

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
        fine = self._fine(x_t.device)
        gain = a * fine / (a.square() * fine + s.square())
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
            ``(depth + 1,)``; between the ends ``s / a`` falls from 4 to 0.01 as in Karras et al. 2022. Eight
            evaluations then give Gaussian components of any spread from 0.05 to 1 that spread within a
            twelfth.
        """
        first, last = _RATIO_ENDS
        ratios = torch.linspace(first ** (1 / _RHO), last ** (1 / _RHO), depth - 1, device=device) ** _RHO
        ends = torch.ones(1, device=device), torch.zeros(1, device=device)
        return torch.cat([ends[0], self._at(ratios), ends[1]])

    @torch.no_grad()
    def render(self, network: Network, noise: Tensor, depth: int) -> Tensor:
        """Go from noise to image with `depth` evaluations.

        DPM-Solver++ 2M (Lu et al. 2022) for what the network draws; the finest detail, white noise of known
        spread about it, follows its own flow exactly, so that few steps do not smooth it away.

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
        times = self.times(depth, noise.device)
        if depth == 1:
            return self._drawn(network, noise, times[0])
        x_t, before = noise, None
        for k, (now, then) in enumerate(pairwise(times)):
            drawn = self._drawn(network, x_t, now)
            ahead = drawn if before is None else drawn + self._trend(times[k - 1 : k + 2]) * (drawn - before)
            x_t = self._moved(x_t, ahead, now, then)
            before = drawn
        return x_t

    def _drawn(self, network: Network, x_t: Tensor, t: Tensor) -> Tensor:
        """The image as the network draws it, without the finest detail."""
        every = t.expand(len(x_t))
        return self.data_sd * network(self.scaled(x_t, every), every)

    def _moved(self, x_t: Tensor, drawn: Tensor, now: Tensor, then: Tensor) -> Tensor:
        """Flow from one time to another where images are `drawn` plus detail: exact for a Gaussian."""
        (a1, _), (a0, _) = self.coefficients(now), self.coefficients(then)
        return a0 * drawn + self._scatter(then) / self._scatter(now) * (x_t - a1 * drawn)

    def _scatter(self, t: Tensor) -> Tensor:
        """Standard deviation of ``x_t`` about what is drawn, ``(c, 1, 1)``."""
        a, s = self.coefficients(t)
        scatter: Tensor = (a.square() * self._fine(t.device) + s.square()).sqrt()
        return scatter

    def _trend(self, times: Tensor) -> Tensor:
        """How far what is drawn is extrapolated; not at all next to pure noise, hardly next to the image."""
        a = self.coefficients(times)[0]
        if a[0] < _TINY:
            return torch.zeros_like(a[0])
        scatter = [self._scatter(t).clamp_min(_RATIO_ENDS[1]) for t in times]
        signal = [(strength / one).log() for strength, one in zip(a, scatter, strict=True)]
        trend: Tensor = (signal[2] - signal[1]) / (2 * (signal[1] - signal[0]))
        return trend

    @torch.no_grad()
    def invert(self, network: Network, x: Tensor, depth: int) -> Tensor:
        """Find the noise from which `render` with the same depth gives back `x`.

        DDIM inversion: each step is undone along a straight direction, with the image predicted at its end;
        the last one, to pure noise, is long and undone as it was made.

        Parameters
        ----------
        network : callable
            As for `render`.
        x : Tensor
            Images in the model's range.
        depth : int
            Network evaluations.

        Returns
        -------
        Tensor
            Noise, ``(n, c, h, w)``.
        """
        times = self.times(depth, x.device).flip(0)
        for now, then in pairwise(times):
            if then == 1 and now > 0:
                return self._moved(x, self._drawn(network, x, then), now, then)
            image, noise = self.evaluate(network, x, then.expand(len(x)))
            (a0, s0), (a1, s1) = self.coefficients(now), self.coefficients(then)
            x = x + (a1 - a0) * image + (s1 - s0) * noise
        return x
