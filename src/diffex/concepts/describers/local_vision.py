"""A describer that runs a vision-language model on this machine, through transformers."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import torch
from PIL import Image

from diffex.base.devices import best_precision, resolve_device
from diffex.base.errors import InputError, MissingPartError
from diffex.concepts.describers.answers import clean
from diffex.concepts.describers.dialogue import Dialogue, Question, Reply
from diffex.concepts.describers.pictures import Pictures
from diffex.concepts.describers.two_stages import ask_for_tree
from diffex.concepts.tree import ConceptTree
from diffex.images.images import Images


@final
class LocalDescriber:
    """Propose phrases by asking a vision-language model that runs here.

    Parameters
    ----------
    name : str
        ``ORG/NAME`` on the hub, or a local folder written by ``save_pretrained`` of an image-text-to-text
        model and its processor, with a chat template. Weights must be safetensors; no code of its is run.
    cache : Path, optional
        Folder of answers by content (prompt, pictures, name); a second run asks nothing. None keeps none.
    max_images : int, default 8
        At most so many images are shown; more need more memory.
    max_new_tokens : int, default 2048
        Longest answer.
    device : str, default "auto"
        As in `diffex.base.devices.resolve_device`.

    Raises
    ------
    InputError
        If the device is unknown or absent.
    """

    def __init__(
        self,
        name: str,
        *,
        cache: Path | None = None,
        max_images: int = 8,
        max_new_tokens: int = 2048,
        device: str = "auto",
    ) -> None:
        self.name, self.max_images, self.max_new_tokens = name, max_images, max_new_tokens
        self.device = resolve_device(device)
        self._loaded: tuple[Any, Any] | None = None
        self._dialogue = Dialogue(name, self._ask, cache)

    @property
    def transcript(self) -> Sequence[Mapping[str, Any]]:
        """Every prompt and answer, without pictures."""
        return tuple(self._dialogue.transcript)

    @property
    def tokens(self) -> int:
        """Tokens read and written; answers from the cache cost none."""
        return self._dialogue.tokens

    def describe(self, images: Images, domain: str | None = None) -> ConceptTree:
        """Show some images and ask for a tree, in two stages.

        Parameters
        ----------
        images : Images
            At most `max_images` of them, evenly spaced over the classes, are shown.
        domain : str, optional
            What they show, for example ``"blood cells"``.

        Returns
        -------
        ConceptTree
            Categories as groups, items and their kinds as phrases.

        Raises
        ------
        InputError
            If the model cannot be opened, or gives no usable answer.
        MissingPartError
            If transformers, or what it needs for this model, is not installed.
        """
        return ask_for_tree(self._dialogue, Pictures(images, self.max_images), domain)

    def _ask(self, question: Question) -> Reply:
        if self._loaded is None:  # not before: a run whose answers are cached needs no model
            self._loaded = _opened(self.name, self.device)
        processor, model = self._loaded
        pictures = [Image.open(io.BytesIO(png)).convert("RGB") for png in question.pngs]
        content = [{"type": "image", "image": picture} for picture in pictures]
        messages = [{"role": "user", "content": [*content, {"type": "text", "text": question.prompt}]}]
        try:
            inputs = processor.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
            ).to(self.device, model.dtype)
            with torch.inference_mode():
                tokens = model.generate(**inputs, max_new_tokens=self.max_new_tokens, do_sample=False)
        except (ValueError, IndexError, RuntimeError) as error:
            raise InputError(
                f"Describer {self.name} cannot answer ({clean(str(error), 200)}), expected a chat model that "
                f"takes {len(pictures)} images: choose another, or --describer offline."
            ) from error
        new = tokens[:, inputs["input_ids"].shape[1] :]
        text = processor.batch_decode(new, skip_special_tokens=True)[0]
        return Reply(text, int(tokens.shape[1]))


def _opened(name: str, device: torch.device) -> tuple[Any, Any]:
    try:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        processor: Any = AutoProcessor.from_pretrained(name)
        model: Any = AutoModelForImageTextToText.from_pretrained(name, use_safetensors=True)
    except ImportError as error:  # also from within transformers, where a processor needs torchvision
        raise MissingPartError(
            f"Describer {name} needs a part that cannot be imported ({clean(str(error), 160)}): "
            "install what the message names."
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"Describer {name} cannot be opened ({clean(str(error), 200)}), expected an image-text-to-text "
            "model with safetensors weights: check the name, the network connection or the folder."
        ) from error
    dtype = torch.bfloat16 if best_precision(device) == "bf16" and device.type == "cuda" else torch.float32
    return processor, model.to(device, dtype).eval()
