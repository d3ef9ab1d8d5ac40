"""Whether images fit a classifier, and their labels in its order."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from diffex.base.errors import ClassifierError
from diffex.classifiers.card import ClassifierCard
from diffex.images.images import Images

if TYPE_CHECKING:
    from diffex.classifiers.classifier import Classifier


def mismatch(card: ClassifierCard, images: Images) -> str | None:
    """Say why images do not fit a card.

    Parameters
    ----------
    card : ClassifierCard
        What the classifier expects.
    images : Images
        What is to be classified; unlabelled images need the right channels only, and images of
        some of the classes are fine.

    Returns
    -------
    str or None
        One sentence; None where they fit.
    """
    if images.channels != card.channels:
        return (
            f"The images have {images.channels} channels ({', '.join(images.channel_names)}), the classifier "
            f"expects {card.channels}: choose the channels that it was trained on with --columns."
        )
    if set(images.channel_names) == set(card.channel_names) and images.channel_names != card.channel_names:
        return (
            f"The images' channels are in the order {', '.join(images.channel_names)}, the classifier "
            f"expects {', '.join(card.channel_names)}: give them in that order with --columns."
        )
    unknown = sorted(set(images.class_names) - set(card.class_names))
    if unknown:
        return (
            f"The images have classes that the classifier does not know ({', '.join(unknown)}), it has "
            f"{', '.join(card.class_names)}: rename the folders or labels to its names."
        )
    return None


def check_images(classifier: "Classifier", images: Images) -> None:
    """Refuse images that a classifier cannot take.

    Parameters
    ----------
    classifier : Classifier
        The thing explained.
    images : Images
        What is to be classified.

    Raises
    ------
    ClassifierError
        If channel count, channel order or class names do not fit.
    """
    problem = mismatch(classifier.card, images)
    if problem is not None:
        raise ClassifierError(problem)


def align_labels(images: Images, card: ClassifierCard) -> Images:
    """Number the labels in the card's class order.

    Parameters
    ----------
    images : Images
        With or without labels.
    card : ClassifierCard
        Gives the order.

    Returns
    -------
    Images
        The same images, with `class_names` of the card; unlabelled images as they are.

    Raises
    ------
    ClassifierError
        If the images have classes that the card has not.
    """
    if images.class_names == card.class_names or images.labels is None:
        return images
    problem = mismatch(card, images)
    if problem is not None:
        raise ClassifierError(problem)
    order = np.array([card.class_names.index(name) for name in images.class_names], dtype=np.int64)
    return replace(images, labels=order[images.labels], class_names=card.class_names)
