"""Zero-shot classifiers: CLIP models that compare an image with sentences about it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.errors import ClassifierError
from diffex.classifiers.adapters.huggingface import card_from_processor, processor_fields
from diffex.classifiers.card import make_card
from diffex.classifiers.classifier import Classifier

TEMPLATE = "a photo of a {label}"
_LABELS, _TEMPLATE = "labels=", "template="


class ClipNetwork(nn.Module):
    """Similarity of images to fixed sentences, scaled as the model learnt it.

    Parameters
    ----------
    model : CLIPModel
        Of the transformers library.
    sentences : Tensor
        ``(k, t)`` token numbers, padded.
    mask : Tensor
        ``(k, t)``, 0 where padded.
    """

    sentences: Tensor

    def __init__(self, model: Any, sentences: Tensor, mask: Tensor) -> None:
        super().__init__()
        self.vision, self.projection = model.vision_model, model.visual_projection
        with torch.no_grad():
            pooled = model.text_model(input_ids=sentences, attention_mask=mask).pooler_output
            encoded = functional.normalize(model.text_projection(pooled), dim=1)
        self.register_buffer("sentences", encoded * model.logit_scale.detach().exp())

    def forward(self, x: Tensor) -> Tensor:
        """Give logits ``(n, k)`` for normalised images ``(n, 3, h, w)``."""
        pooled = self.projection(self.vision(pixel_values=x).pooler_output)
        return functional.normalize(pooled, dim=1) @ self.sentences.T


def open_clip(rest: str, class_names: Sequence[str]) -> Classifier:
    """Open ``clip:NAME``, ``clip:NAME?labels=A,B`` or ``clip:NAME?labels=A,B&template=TEXT``.

    Parameters
    ----------
    rest : str
        ``NAME`` is ``ORG/NAME`` on the hub, or a local folder with model, tokenizer and
        ``preprocessor_config.json``; weights must be safetensors. `TEXT` holds ``{label}``, by default
        ``a photo of a {label}``.
    class_names : sequence of str
        Labels where the address gives none.

    Returns
    -------
    Classifier
        Differentiable; its address always holds its labels.

    Raises
    ------
    ClassifierError
        If there are fewer than two labels, the template has no place for them, or the model cannot be
        found or read.
    """
    name, labels, template = _parse(rest, class_names)
    from transformers import CLIPModel, CLIPTokenizer

    try:
        model: Any = CLIPModel.from_pretrained(name, use_safetensors=True).float()
        tokenizer = CLIPTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ClassifierError(
            f"clip:{name} cannot be opened ({str(error).strip().splitlines()[0][:200]}), expected a CLIP "
            "model with safetensors weights: check the name, the network connection or the folder."
        ) from error
    said = [template.replace("{label}", label) for label in labels]
    read = tokenizer(said, padding=True, return_tensors="pt")
    longest, most = read.input_ids.shape[1], model.config.text_config.max_position_embeddings
    if longest > most:
        raise ClassifierError(f"clip:{name} got a label of {longest} tokens, it reads {most}: shorten it.")
    card = card_from_processor(processor_fields(name), model.config.vision_config)
    named = make_card(card.model_dump() | {"class_names": labels}, f"clip:{name}")
    given = "" if template == TEMPLATE else f"&{_TEMPLATE}{template}"
    return Classifier(
        ClipNetwork(model, read.input_ids, read.attention_mask),
        named,
        differentiable=True,
        address=f"clip:{name}?{_LABELS}{','.join(labels)}{given}",
    )


def _parse(rest: str, class_names: Sequence[str]) -> tuple[str, list[str], str]:
    name, _, query = rest.partition("?")
    parts = [part for part in query.split("&") if part]
    labels, template = list(class_names), TEMPLATE
    for part in parts:
        if part.startswith(_LABELS):
            labels = [label.strip() for label in part.removeprefix(_LABELS).split(",")]
        elif part.startswith(_TEMPLATE):
            template = part.removeprefix(_TEMPLATE)
        else:
            raise ClassifierError(f"clip:{name} got {part!r}, expected labels=A,B or template=TEXT.")
    if len(labels) < 2 or not all(labels):
        raise ClassifierError(
            f"clip:{name} got {len(labels)} labels, expected at least 2: write clip:{name}?labels=A,B, or "
            "give images with classes."
        )
    if "{label}" not in template:
        raise ClassifierError(f"clip:{name} got the template {template!r}, expected {{label}} in it.")
    return name, labels, template
