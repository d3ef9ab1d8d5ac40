"""Classifiers made by Python code of the user's."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from diffex.base.errors import ClassifierError
from diffex.base.importing import import_callable
from diffex.classifiers.card import ClassifierCard, make_card
from diffex.classifiers.classifier import Classifier
from diffex.images.images import Images


def open_python(name: str, address: str, images: Images | None) -> Classifier:
    """Open ``py:MODULE:CALLABLE``.

    Parameters
    ----------
    name : str
        ``MODULE:CALLABLE``; the module is imported, from the working folder too, and the callable
        is called without arguments and returns an ``nn.Module``. A `ClassifierCard` or dict
        named ``card`` on the callable or the module it returns says what the network expects.
    address : str
        What the user wrote.
    images : Images or None
        Where there is no card, size, channels and classes are theirs, and pixels are taken to be
        in (0, 1) with mean 0.5 and standard deviation 0.5.

    Returns
    -------
    Classifier
        Differentiable.

    Raises
    ------
    ClassifierError
        If it cannot be imported, returns something else, or has no card and there are no images.
    """
    factory = import_callable(name, f"--classifier {address}", ClassifierError)
    _require_no_arguments(factory, address)
    network = _called(factory, address)
    if not isinstance(network, nn.Module):
        raise ClassifierError(
            f"{address} returned a {type(network).__name__}, expected an nn.Module: return the network."
        )
    own = getattr(factory, "card", None) or getattr(network, "card", None)
    return Classifier(network, _card(own, address, images), differentiable=True, address=address)


def _require_no_arguments(factory: Any, address: str) -> None:
    """Refuse what cannot be called as it is, above all a function of images."""
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise ClassifierError(
            f"{address} cannot be called without arguments ({error}), expected a callable that returns an "
            "nn.Module: write a function of images as the module's forward, and return the module."
        ) from error
    except ValueError:  # some callables written in C have no signature
        return


def _called(factory: Callable[[], Any], address: str) -> Any:
    try:
        return factory()
    except Exception as failed:  # the user's code runs: anything can happen
        why = f"{type(failed).__name__}: {failed}"
        raise ClassifierError(f"{address} failed when it was called ({why}): mend it.") from failed


def _card(own: object, address: str, images: Images | None) -> ClassifierCard:
    if isinstance(own, ClassifierCard):
        return own
    if isinstance(own, dict):
        return make_card(own, f"card of {address}")
    if images is None or len(images.class_names) < 2:
        raise ClassifierError(
            f"{address} has no card and there are no labelled images to take one from: set an attribute "
            'card = {"class_names": [...], "size": [h, w], "channels": c} on the callable.'
        )
    fields = {"class_names": images.class_names, "size": images.size, "channels": images.channels}
    return make_card(fields, f"card of {address}")
