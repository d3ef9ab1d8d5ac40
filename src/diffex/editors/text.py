"""Edits by words: a text-to-image model renders the image again, led towards a phrase or away from it."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from diffex.base.errors import InputError
from diffex.base.noise import noise_for
from diffex.concepts import Concept
from diffex.editors.editor import Inversion
from diffex.generators.text.model import TextModel
from diffex.generators.text.scaling import from_unit, resized, to_unit

_NEAR, _NOISE = 5, 2.0  # pixels; standard deviations


@final
class TextEditor:
    """Edit-friendly inversion once, then any number of phrases.

    The image's latents are noised with independent noise at every step; what the model misses of each step
    is kept, and added again when the image is rendered (Huberman-Spiegelglas et al., CVPR 2024; LEDITS++,
    Brack et al., CVPR 2024, without its masks). Without a phrase the steps lead back to the latents exactly,
    so the null edit is the autoencoder's reconstruction. What that misses of the image, its noise and finest
    detail, is kept too and added to every rendering: the null edit is then the image itself. Where a phrase
    changes the rendering by more than the noise, only noise is added: an organelle that was edited away is
    not put back. A phrase adds ``guidance * strength * gain * (noise given the phrase - noise given the
    reference)`` at every step, `gain` being the concept's. With an opposite, a negative strength gives that
    instead of the phrase, and counts as positive.

    Parameters
    ----------
    model : TextModel
        What renders.
    value_range : (float, float)
        Grey values of the images.
    steps : int, default 10
        Noise levels between 0 and `reach`.
    reach : float, optional
        How far the image is noised, as a share of the model's schedule: larger edits change more of the
        layout. Default what suits the model.
    guidance : float, default 3
        Of an edit of strength 1 along a concept of gain 1.
    reference : sequence of str, default the empty text
        Edits lead from the mean encoding of these texts to the phrase's. That any text is given at all
        changes an image; with the phrases that are compared as the reference, that change is in no edit.
    seed : int, default 0
        Of the noise.
    size : (int, int), optional
        Height and width of the images where they are not the model's; they are resized to it and back.
    """

    def __init__(
        self,
        model: TextModel,
        value_range: tuple[float, float],
        *,
        steps: int = 10,
        reach: float | None = None,
        guidance: float = 3.0,
        reference: Sequence[str] = ("",),
        seed: int = 0,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.size = size or (model.size, model.size)
        self.model, self.value_range, self.guidance, self.seed = model, value_range, guidance, seed
        signal = model.scheduler.alphas_cumprod.double()
        furthest = (model.reach if reach is None else reach) * (len(signal) - 1)
        times = torch.linspace(furthest, 0, steps + 1)[:-1].round().long()
        self.times: list[int] = times.tolist()
        self._alpha = [*signal[times].sqrt().tolist(), 1.0]
        self._sigma = [*(1 - signal[times]).sqrt().tolist(), 0.0]
        self._reference = model.embed(list(reference)).mean(0, keepdim=True)

    @property
    def evaluations(self) -> int:
        """Evaluations of the U-Net for one edited image: with and without the phrase at every step."""
        return 2 * len(self.times)

    @property
    def inversion_evaluations(self) -> int:
        """Evaluations of the U-Net that one inversion takes."""
        return len(self.times)

    def concept(self, id: str, phrase: str, name: str | None = None, parent: str | None = None) -> Concept:
        """Make the concept of a phrase; its direction is the encoded phrase less the encoded reference.

        Parameters
        ----------
        id : str
            Unique.
        phrase : str
            What the text encoder reads.
        name : str, optional
            For people; default the phrase.
        parent : str, optional
            Id of the concept that it refines.

        Returns
        -------
        Concept
            Of kind ``"text"``.

        Raises
        ------
        InputError
            If the phrase is longer than the text encoder reads.
        """
        direction = (self.model.embed([phrase]) - self._reference)[0].flatten().cpu()
        return Concept(id=id, kind="text", name=name or phrase, direction=direction, parent=parent)

    def invert(self, x: Tensor, ids: tuple[str, ...]) -> Inversion:
        """Noise the latents and keep what the model misses of every step.

        Parameters
        ----------
        x : Tensor
            ``(n, c, h, w)`` grey values.
        ids : tuple of str
            Names; noise depends on them.

        Returns
        -------
        Inversion
            Codes are the latents, flattened; the noise holds, along the channels, the start and what is
            missed of each step.

        Raises
        ------
        InputError
            If the images are of another size or number of channels.
        """
        check_form(x, (self.model.channels, *self.size))
        y = resized(to_unit(x, self.value_range), (self.model.size, self.model.size))
        latents = self.model.encode(y.to(self.model.device))
        text = self._reference.expand(len(x), -1, -1)
        levels = [
            self._alpha[k] * latents + self._sigma[k] * self._draw(latents, ids, k)
            for k in range(len(self.times))
        ]
        levels.append(latents)
        missed = []
        for k, time in enumerate(self.times):
            noise = self.model.predict_noise(levels[k], time, text)
            missed.append(levels[k + 1] - self._step(k, levels[k], noise))
        kept = torch.cat([levels[0], *missed], dim=1).cpu()
        residual = x - self._decode(latents)
        return Inversion(ids, latents.flatten(1).cpu(), kept, residual)

    def null(self, inversion: Inversion) -> Tensor:
        """Render without a phrase, ``(n, c, h, w)``: the image again."""
        side = inversion.noise.shape[2:]
        latents = inversion.codes.view(len(inversion), -1, *side)
        return self._rendered(latents.to(self.model.device), inversion)

    def edit(self, inversion: Inversion, concept: Concept, strength: float) -> Tensor:
        """Render led towards a phrase, or away from it where `strength` is negative."""
        return self.edit_jointly(inversion, [(concept, strength)])

    def edit_jointly(self, inversion: Inversion, edits: Sequence[tuple[Concept, float]]) -> Tensor:
        """Render led by several phrases at once.

        Parameters
        ----------
        inversion : Inversion
            From `invert`.
        edits : sequence of (Concept, float)
            Phrases and strengths.

        Returns
        -------
        Tensor
            ``(n, c, h, w)`` grey values.
        """
        edits = [(concept, strength * concept.gain) for concept, strength in edits if strength != 0]
        if not edits:
            return self.null(inversion)
        start, *missed = torch.split(inversion.noise.to(self.model.device), self._latent_channels(), dim=1)
        ways = [self._way(concept, strength) for concept, strength in edits]
        texts = torch.cat([self._reference, *(self._reference + way for way, _ in ways)])
        texts = texts.repeat_interleave(len(inversion), dim=0)
        latents = start
        for k, time in enumerate(self.times):
            every = self.model.predict_noise(latents.repeat(len(edits) + 1, 1, 1, 1), time, texts)
            plain, *led = every.chunk(len(edits) + 1)
            noise = plain
            for (_, weight), given in zip(ways, led, strict=True):
                noise = noise + self.guidance * weight * (given - plain)
            latents = self._step(k, latents, noise) + missed[k]
        return self._rendered(latents, inversion)

    def _way(self, concept: Concept, strength: float) -> tuple[Tensor, float]:
        """Give the way from the reference to the text that leads, an opposite's maybe, and how strongly."""
        way = concept.direction.to(self._reference).view_as(self._reference)
        return (-way, -strength) if concept.opposite and strength < 0 else (way, strength)

    def _latent_channels(self) -> int:
        return int(self.model.unet.config.in_channels)

    def _draw(self, latents: Tensor, ids: tuple[str, ...], k: int) -> Tensor:
        return noise_for(ids, tuple(latents.shape[1:]), "text", k, self.seed).to(latents)

    def _step(self, k: int, latents: Tensor, noise: Tensor) -> Tensor:
        """Mean of one step of the stochastic DPM-Solver++ of first order, from noise level k to k + 1."""
        alpha, sigma, next_alpha, next_sigma = (
            self._alpha[k],
            self._sigma[k],
            self._alpha[k + 1],
            self._sigma[k + 1],
        )
        clean = (latents - sigma * noise) / alpha
        ratio = next_sigma * alpha / (sigma * next_alpha)  # e^-h
        mean: Tensor = (next_sigma / sigma) * ratio * latents + next_alpha * (1 - ratio**2) * clean
        return mean

    def _rendered(self, latents: Tensor, inversion: Inversion) -> Tensor:
        image, missed = self._decode(latents), inversion.residual
        if missed is None:
            return image
        side = inversion.noise.shape[2:]
        plain = self._decode(inversion.codes.view(len(inversion), -1, *side).to(latents))
        return (image + _carried(missed, image - plain)).clamp(*self.value_range)

    def _decode(self, latents: Tensor) -> Tensor:
        y = resized(self.model.decode(latents).float(), self.size)
        return from_unit(y, self.value_range).cpu()


def _carried(missed: Tensor, change: Tensor) -> Tensor:
    """What of the residual a rendering gets: all where nothing changed, noise alone where much did."""
    noise = 1.4826 * missed.abs().flatten(2).median(2).values[..., None, None]  # robust standard deviation
    near = avg_pool2d(change.abs(), _NEAR, stride=1, padding=_NEAR // 2, count_include_pad=False)
    same = torch.exp(-((near / noise.clamp_min(1e-9)) ** 2))
    return same * missed + (1 - same) * missed.clamp(-_NOISE * noise, _NOISE * noise)


def check_form(x: Tensor, form: tuple[int, int, int]) -> None:
    """Refuse images that are not of the editor's form.

    Parameters
    ----------
    x : Tensor
        ``(n, c, h, w)``.
    form : (int, int, int)
        Channels, height and width.

    Raises
    ------
    InputError
        If they are not.
    """
    if tuple(x.shape[1:]) != form:
        got, wanted = (" x ".join(map(str, each)) for each in (x.shape[1:], form))
        raise InputError(
            f"The text editor got images of {got}, expected {wanted} (channels, height, width): give the "
            "editor their size, choose channels, or fit a text model to these images."
        )
