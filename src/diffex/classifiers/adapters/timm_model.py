"""Classifiers of the timm library (an optional part)."""

from pathlib import Path
from typing import Any

from diffex.base.errors import ClassifierError, MissingPartError
from diffex.base.files import load_tensors
from diffex.classifiers.card import ClassifierCard, make_card
from diffex.classifiers.classifier import Classifier

_LOCAL = "local-dir:"
_HUB = "hf-hub:"


def open_timm(name: str, address: str) -> Classifier:
    """Open ``timm:NAME``.

    Parameters
    ----------
    name : str
        A timm model with its tag, ``hf-hub:ORG/NAME``, or ``local-dir:FOLDER`` with ``config.json``
        and ``model.safetensors``. Weights are read from safetensors only.
    address : str
        What the user wrote.

    Returns
    -------
    Classifier
        Differentiable; images are resized to its input size as a whole, never cropped.

    Raises
    ------
    MissingPartError
        If timm is not installed or cannot be imported.
    ClassifierError
        If the model or its weights cannot be found.
    """
    timm = _import_timm()
    try:
        network: Any = timm.create_model(name, pretrained=False)
    except (RuntimeError, ValueError, OSError, AssertionError) as error:
        raise ClassifierError(
            f"timm got {name!r}, which it does not know: timm.list_models(pretrained=True) lists the names."
        ) from error
    settings = dict(network.pretrained_cfg)
    try:
        network.load_state_dict(load_tensors(_weights_path(name, settings)))
    except RuntimeError as error:
        raise ClassifierError(f"The weights of timm:{name} do not fit the model: get both again.") from error
    card = card_from_settings(settings, int(network.num_classes))
    return Classifier(network, card, differentiable=True, address=address)


def card_from_settings(settings: dict[str, Any], classes: int) -> ClassifierCard:
    """Turn timm's ``pretrained_cfg`` into a card.

    Parameters
    ----------
    settings : dict
        With ``input_size``, ``mean``, ``std``, ``interpolation``, ``label_names``, ``license``.
    classes : int
        Number of outputs; they are numbered where there are no names.

    Returns
    -------
    ClassifierCard
        Value range (0, 1), as in timm.

    Raises
    ------
    ClassifierError
        If the settings contradict each other.
    """
    channels, height, width = settings["input_size"]
    names = settings.get("label_names") or [f"class {index}" for index in range(classes)]
    bicubic = settings.get("interpolation") == "bicubic"
    return make_card(
        {
            "class_names": [str(name) for name in names],
            "size": (height, width),
            "channels": channels,
            "mean": settings["mean"],
            "std": settings["std"],
            "interpolation": "bicubic" if bicubic else "bilinear",
            "licence": settings.get("license"),
        },
        "timm's pretrained_cfg",
    )


def _import_timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise MissingPartError(f"timm cannot be imported ({error}): pip install timm.") from error
    except RuntimeError as error:  # torchvision built for another torch fails so
        raise MissingPartError(
            "timm cannot be imported because torchvision does not fit torch "
            f"({str(error).splitlines()[0][:120]}): install torch and torchvision from the same index."
        ) from error
    return timm


def _weights_path(name: str, settings: dict[str, Any]) -> Path:
    if name.startswith(_LOCAL):
        return Path(name.removeprefix(_LOCAL)) / "model.safetensors"
    repository = name.removeprefix(_HUB) if name.startswith(_HUB) else settings.get("hf_hub_id")
    if not repository:
        raise ClassifierError(f"timm:{name} has no pretrained weights: choose a name with a tag that has.")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(str(repository), "model.safetensors"))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ClassifierError(
            f"The safetensors weights of timm:{name} cannot be had ({type(error).__name__}): check the "
            "network connection, or download them and give timm:local-dir:FOLDER."
        ) from error
