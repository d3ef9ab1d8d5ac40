"""What would stop a long command halfway, found before it starts."""

import torch

from diffex.base.progress import progress
from diffex.classifiers import Classifier, check_images
from diffex.images import Images, sample

_TRIED = 64


def read_through(images: Images) -> None:
    """Decode every image once, so that a damaged one is named before any work.

    Parameters
    ----------
    images : Images
        What is to be used.

    Raises
    ------
    InputError
        If a file is truncated, damaged, or holds NaN or Inf.
    """
    for row in progress(images.rows.tolist(), "Reading every image once"):
        images.source.read(int(row))
        if images.has_masks:
            images.source.read_mask(int(row))


@torch.no_grad()
def try_classifier(classifier: Classifier, images: Images) -> None:
    """Classify up to 64 of the images, so that a classifier that fails on them is found before any work.

    Parameters
    ----------
    classifier : Classifier
        The thing explained.
    images : Images
        What is to be explained.

    Raises
    ------
    ClassifierError
        If channels or classes do not fit, or logits are not finite.
    """
    check_images(classifier, images)
    classifier.logits(sample(images, _TRIED, seed=0).read(), images.value_range)
