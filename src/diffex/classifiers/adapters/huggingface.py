"""Image classifiers of the transformers library, from a hub or a folder."""

import math
from typing import Any

from torch import Tensor, nn

from diffex.base.errors import ClassifierError, MissingPartError
from diffex.classifiers.card import ClassifierCard, make_card
from diffex.classifiers.classifier import Classifier

_INTERPOLATIONS = {2: "bilinear", 3: "bicubic"}


class HuggingFaceNetwork(nn.Module):
    """A transformers model that gives its logits alone.

    Parameters
    ----------
    model : nn.Module
        From ``AutoModelForImageClassification``.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Give logits ``(n, k)`` for normalised images ``(n, c, h, w)``."""
        logits: Tensor = self.model(pixel_values=x).logits
        return logits


def open_huggingface(name: str, address: str) -> Classifier:
    """Open ``hf:NAME``.

    Parameters
    ----------
    name : str
        ``ORG/NAME`` on the hub, or a local folder written by ``save_pretrained`` of model and
        image processor. Weights must be safetensors.
    address : str
        What the user wrote.

    Returns
    -------
    Classifier
        Differentiable; images are resized to its input size as a whole, never cropped.

    Raises
    ------
    ClassifierError
        If the model cannot be found or read.
    MissingPartError
        If transformers is not installed.
    """
    try:
        from transformers import AutoModelForImageClassification

        model: Any = AutoModelForImageClassification.from_pretrained(name, use_safetensors=True).float()
    except ImportError as error:  # also from within transformers, where torchvision is broken
        raise MissingPartError(
            f"transformers cannot be imported ({str(error).splitlines()[0][:160]}), hf: classifiers need it: "
            "pip install transformers, and remove a torchvision that does not fit torch."
        ) from error
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ClassifierError(
            f"hf:{name} cannot be opened ({reason}), expected an image classifier with safetensors "
            "weights: check the name, the network connection or the folder."
        ) from error
    card = card_from_processor(processor_fields(name), model.config)
    return Classifier(HuggingFaceNetwork(model), card, differentiable=True, address=address)


def processor_fields(name: str) -> dict[str, Any]:
    """Read the settings of an image processor; making the processor would need torchvision.

    Parameters
    ----------
    name : str
        ``ORG/NAME`` on the hub, or a local folder.

    Returns
    -------
    dict
        As in ``preprocessor_config.json``.

    Raises
    ------
    ClassifierError
        If there is none.
    """
    from transformers.image_processing_utils import BaseImageProcessor

    try:
        return dict(BaseImageProcessor.get_image_processor_dict(name)[0])
    except OSError as error:
        raise ClassifierError(
            f"{name} has no preprocessor_config.json, which says how pixels are normalised: "
            "save its image processor into the folder too."
        ) from error


def card_from_processor(fields: dict[str, Any], config: Any) -> ClassifierCard:
    """Turn transformers' settings into a card.

    Parameters
    ----------
    fields : dict
        The image processor's settings.
    config : transformers.PretrainedConfig
        The model's settings: class names, channels, size.

    Returns
    -------
    ClassifierCard
        What the network was trained with.

    Raises
    ------
    ClassifierError
        If the settings tell no input size.
    """
    settings = config.to_dict()
    labels = config.id2label
    scale = float(fields.get("rescale_factor", 1 / 255)) if fields.get("do_rescale", True) else 1.0
    normalise = fields.get("do_normalize", True)
    high = 255 * scale
    return make_card(
        {
            "class_names": [str(labels[index]) for index in sorted(labels)],
            "size": _input_size(fields, settings),
            "channels": int(settings.get("num_channels", 3)),
            "value_range": (0.0, 1.0 if math.isclose(high, 1.0) else high),
            "mean": fields.get("image_mean") or 0.5 if normalise else 0.0,
            "std": fields.get("image_std") or 0.5 if normalise else 1.0,
            "interpolation": _INTERPOLATIONS.get(int(fields.get("resample") or 2), "bilinear"),
        },
        "the model's preprocessor_config.json",
    )


def _input_size(fields: dict[str, Any], settings: dict[str, Any]) -> tuple[int, int]:
    cropped = fields.get("crop_size") if fields.get("do_center_crop") else None
    for size in (cropped, fields.get("size"), settings.get("image_size")):
        if isinstance(size, int):
            return size, size
        if isinstance(size, dict) and {"height", "width"} <= size.keys():
            return int(size["height"]), int(size["width"])
        if isinstance(size, dict) and "shortest_edge" in size:
            return int(size["shortest_edge"]), int(size["shortest_edge"])
    raise ClassifierError(
        "The model's preprocessor_config.json got no size, expected height and width: add "
        '"size": {"height": 224, "width": 224} with the size of training.'
    )
