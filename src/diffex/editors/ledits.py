"""LEDITS++ as published: diffusers' own pipeline behind the protocol of editors, the peer of `TextEditor`."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, final

import torch
from diffusers import DPMSolverMultistepScheduler, LEditsPPPipelineStableDiffusion
from diffusers.pipelines.ledits_pp.pipeline_leditspp_stable_diffusion import LEDITSCrossAttnProcessor
from torch import Tensor, nn

from diffex.base.errors import InputError
from diffex.base.noise import generator
from diffex.concepts import Concept
from diffex.editors.editor import Inversion
from diffex.editors.text import check_form
from diffex.generators.text.model import TextModel
from diffex.generators.text.scaling import from_unit, to_unit

_CHANNELS = 4  # the pipeline's masks are written for latents of Stable Diffusion
_LEVEL = 2  # of the U-Net: it reads attention at a quarter of the latents' side
_LEAST_SIDE = 8  # of latents, so that it can smooth that attention


@final
class LEditsEditor:
    """LEDITS++ (Brack et al., CVPR 2024) with the released settings of DiffEx (Kazimi et al., CVPR 2025).

    Inversion with the stochastic DPM-Solver++ of second order; guidance only where the attention to the
    phrase and the change of the noise are both large. Null edit: all steps without a phrase. An edit of
    strength s is guided by ``guidance * |s|``, away from the phrase where s is negative.

    It is the peer of `TextEditor`: either takes any model that `open_text_model` opens.
    Images are edited one by one: in a batch, the pipeline mixes the attention of its images. Its masks take
    latents of 4 channels; of more channels, each four have a mask of their own.

    Parameters
    ----------
    model : TextModel
        What renders; as Stable Diffusion 1.5, it must attend to the text at a quarter of the latents' side.
    value_range : (float, float)
        Grey values of the images.
    steps : int, default 50
        Steps of inversion and of rendering.
    skip : float, default 0.1
        Share of further steps, at the noisiest end, that are left out.
    guidance : float, default 10
        Of an edit of strength 1.
    threshold : float, default 0.75
        Quantile from which a place is inside the mask.
    seed : int, default 0
        Of the noise.

    Raises
    ------
    InputError
        If the model has no attention there, or its latents are too small or no multiple of 4 channels.
    """

    def __init__(
        self,
        model: TextModel,
        value_range: tuple[float, float],
        *,
        steps: int = 50,
        skip: float = 0.1,
        guidance: float = 10.0,
        threshold: float = 0.75,
        seed: int = 0,
    ) -> None:
        self.model, self.value_range, self.seed = model, value_range, seed
        self.steps, self.skip, self.guidance, self.threshold = steps, skip, guidance, threshold
        _check_layout(model)
        self._pipeline = _LatentPipeline(model)

    @property
    def evaluations(self) -> int:
        """Evaluations of the U-Net for one edited image: with and without the phrase at every step."""
        return 2 * self.steps

    @property
    def inversion_evaluations(self) -> int:
        """Evaluations of the U-Net that one inversion takes."""
        return self.steps

    def concept(self, id: str, phrase: str, name: str | None = None, parent: str | None = None) -> Concept:
        """Make the concept of a phrase; its direction holds the numbers of the phrase's tokens.

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
            Of kind ``"text"``. The masks need to know how many words there are, which an encoded phrase
            does not tell.

        Raises
        ------
        InputError
            If the phrase is longer than the text encoder reads.
        """
        self.model.check_phrase(phrase)
        numbers = torch.tensor(self.model.tokenizer(phrase).input_ids, dtype=torch.float32)
        return Concept(id=id, kind="text", name=name or phrase, direction=numbers, parent=parent)

    def invert(self, x: Tensor, ids: tuple[str, ...]) -> Inversion:
        """Find start and noise of every step that render the images.

        Parameters
        ----------
        x : Tensor
            ``(n, c, h, w)`` grey values, of the model's size.
        ids : tuple of str
            Names; noise depends on them.

        Returns
        -------
        Inversion
            Codes are the latents, flattened; the noise holds, along the channels, the start and the noise
            of each step.

        Raises
        ------
        InputError
            If the images are of another size or number of channels.
        """
        check_form(x, (self.model.channels, self.model.size, self.model.size))
        latents = [
            self.model.encode(y.to(self.model.device)) for y in torch.split(to_unit(x, self.value_range), 1)
        ]
        kept = [self._invert(one, name).cpu() for one, name in zip(latents, ids, strict=True)]
        return Inversion(ids, torch.cat(latents).flatten(1).cpu(), torch.cat(kept))

    def null(self, inversion: Inversion) -> Tensor:
        """Render all steps without a phrase, ``(n, c, h, w)``."""
        return self._render(inversion, ())

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
        return self._render(inversion, [(concept, s) for concept, s in edits if s != 0])

    def _invert(self, latents: Tensor, name: str) -> Tensor:
        pipeline = self._pipeline
        with _borrowed(self.model.unet):
            pipeline.invert(
                image=_in_fours(latents),
                source_guidance_scale=1.0,  # there is no text of the source
                num_inversion_steps=self.steps,
                skip=self.skip,
                generator=generator(name, "ledits", self.seed),
            )
        return torch.cat([pipeline.init_latents[None], pipeline.zs]).flatten(0, 2)[None]

    def _render(self, inversion: Inversion, edits: Sequence[tuple[Concept, float]]) -> Tensor:
        with _borrowed(self.model.unet):
            return torch.cat([self._render_one(noise, edits) for noise in torch.split(inversion.noise, 1)])

    def _render_one(self, noise: Tensor, edits: Sequence[tuple[Concept, float]]) -> Tensor:
        channels, *side = self.model.unet.config.in_channels, *noise.shape[2:]
        start, *maps = noise.to(self.model.device).view(-1, channels // _CHANNELS, _CHANNELS, *side)
        self._pipeline.restore(start, torch.stack(maps), self.skip)
        self._pipeline.phrases = [concept.direction.long().tolist() for concept, _ in edits]
        latents: Tensor = self._pipeline(
            editing_prompt=[concept.id for concept, _ in edits] or None,
            edit_guidance_scale=[self.guidance * abs(strength) for _, strength in edits],
            reverse_editing_direction=[strength < 0 for _, strength in edits],
            edit_threshold=self.threshold,
        ).images
        y = self.model.decode(_whole(latents, channels)).float()
        return from_unit(y, self.value_range).cpu()


@contextmanager
def _borrowed(unet: Any) -> Iterator[None]:
    """Give a U-Net its attention back: the pipeline leaves in it what stores every map."""
    kept = dict(unet.attn_processors)
    with warnings.catch_warnings():
        # The scheduler hands tensors to numpy in a way that numpy 2 deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        try:
            yield
        finally:
            unet.set_attn_processor(kept)


@final
class _AsItIs:
    """Stands for autoencoder and image processor where images are latents: what goes in comes out."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(scaling_factor=1.0, block_out_channels=(1,))

    def decode(self, latents: Tensor, **_: Any) -> tuple[Tensor]:
        """Give the latents."""
        return (latents,)

    def postprocess(self, image: Tensor, **_: Any) -> Tensor:
        """Give the image."""
        return image


@final
class _UNetInFours(nn.Module):
    """A U-Net whose latents are seen as a batch of latents of 4 channels, and that predicts noise.

    Parameters
    ----------
    model : TextModel
        Whose U-Net it is.
    """

    def __init__(self, model: TextModel) -> None:
        super().__init__()
        self.unet, self._predict = model.unet, model.predict_noise
        self.config = SimpleNamespace(in_channels=_CHANNELS)

    @property
    def device(self) -> torch.device:
        """Where the U-Net computes."""
        return torch.device(self.unet.device)

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        found: torch.dtype = self.unet.dtype
        return found

    @property
    def attn_processors(self) -> dict[str, Any]:
        """Those of the U-Net."""
        return dict(self.unet.attn_processors)

    def set_attn_processor(self, processor: Any) -> None:
        """Set the U-Net's; each four channels are shown the same maps."""
        if isinstance(processor, dict):
            for one in processor.values():
                if isinstance(one, LEDITSCrossAttnProcessor):
                    one.attnstore = _repeated(one.attnstore)
        self.unet.set_attn_processor(processor)

    def forward(self, latents: Tensor, timestep: Tensor, encoder_hidden_states: Tensor) -> SimpleNamespace:
        """Predict the noise."""
        channels = int(self.unet.config.in_channels)
        text = encoder_hidden_states[:: channels // _CHANNELS]
        noise = self._predict(_whole(latents, channels), timestep, text)
        return SimpleNamespace(sample=_in_fours(noise))


def _in_fours(latents: Tensor) -> Tensor:
    """Turn ``(n, 4 k, h, w)`` into ``(n k, 4, h, w)``."""
    return latents.reshape(-1, _CHANNELS, *latents.shape[2:])


def _whole(latents: Tensor, channels: int) -> Tensor:
    """Undo `_in_fours`."""
    return latents.reshape(-1, channels, *latents.shape[2:])


def _repeated(store: Any) -> Callable[..., None]:
    """Give every row to a store k times: of a batch of k it takes row i to be of item i modulo k."""

    def keep(maps: Tensor, **where: Any) -> None:
        store(maps.repeat_interleave(store.batch_size, dim=0), **where)

    return keep


class _LatentPipeline(LEditsPPPipelineStableDiffusion):  # type: ignore[misc]
    """diffusers' pipeline where images are latents and phrases are token numbers.

    Parameters
    ----------
    model : TextModel
        Whose networks it calls.
    """

    def __init__(self, model: TextModel) -> None:
        nothing = _AsItIs()
        scheduler = DPMSolverMultistepScheduler.from_config(model.scheduler.config, prediction_type="epsilon")
        super().__init__(
            vae=nothing,
            text_encoder=model.text_encoder,
            tokenizer=model.tokenizer,
            unet=_UNetInFours(model),
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        self.image_processor = nothing
        self.phrases: list[list[int]] = []
        self.set_progress_bar_config(disable=True)

    def maybe_free_model_hooks(self) -> None:
        """Do nothing: no model was moved off its device."""

    def encode_image(self, image: Tensor, **_: Any) -> tuple[Tensor, Tensor]:
        """Give the latents, twice."""
        return image, image

    def encode_prompt(self, **given: Any) -> tuple[Tensor, Tensor, list[int]]:
        """Encode `phrases` and nothing, and count words: recent tokenizers count the padding as well."""
        empty = self._encode([[]])
        if not given["enable_edit_guidance"]:
            return empty, empty, []  # inversion takes the first for its text
        return self._encode(self.phrases), empty, [len(ids) - 2 for ids in self.phrases]

    def restore(self, start: Tensor, maps: Tensor, skip: float) -> None:
        """Set what `invert` leaves, of one image: start ``(k, 4, h, w)``, noise ``(steps, k, 4, h, w)``."""
        steps = len(maps)
        self.scheduler.set_timesteps(int(steps * (1 + skip)))
        self.inversion_steps = self.scheduler.timesteps[-steps:]
        self.init_latents, self.zs, self.batch_size, self.eta = start, maps, len(start), 1.0

    def _encode(self, phrases: list[list[int]]) -> Tensor:
        tokenizer, most = self.tokenizer, self.tokenizer.model_max_length
        ends = [tokenizer.bos_token_id, tokenizer.eos_token_id]
        rows = [(ids or ends) for ids in phrases]
        padded = [[*ids, *[tokenizer.pad_token_id] * (most - len(ids))] for ids in rows]
        encoded: Tensor = self.text_encoder(torch.tensor(padded, device=self.device))[0]
        return encoded.repeat_interleave(self.batch_size, dim=0)


def _check_layout(model: TextModel) -> None:
    """Refuse a model that the pipeline does not take."""
    channels, side = int(model.unet.config.in_channels), int(model.unet.config.sample_size)
    if channels % _CHANNELS:
        raise InputError(
            f"LEDITS++ got a model with latents of {channels} channels, expected a multiple of {_CHANNELS}: "
            "use the default text editor."
        )
    blocks = tuple(model.unet.config.down_block_types)
    if side < _LEAST_SIDE or not str(blocks[_LEVEL : _LEVEL + 1]).count("CrossAttn"):
        raise InputError(
            f"LEDITS++ got a model with latents of {side} x {side} that does not attend to the text at a "
            f"quarter of their side, expected Stable Diffusion's layout and at least {_LEAST_SIDE} x "
            f"{_LEAST_SIDE}: use the default text editor."
        )
