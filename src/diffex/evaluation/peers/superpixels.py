"""Superpixels for methods that switch parts of an image off: Achanta et al. 2012, "SLIC superpixels"."""

from typing import Any

import numpy as np
import torch
from skimage.segmentation import slic
from torch import Tensor

from diffex.evaluation.peers.counted import Counted

_PARTS = 50
_TOGETHER = 64  # pictures asked at once
_COMPACTNESS = 0.1  # for channels scaled to 0..1, where 10 is meant for Lab colours of 0..100


def superpixels(x: Tensor) -> Tensor:
    """Cut one image into about 50 parts.

    Parameters
    ----------
    x : Tensor, shape (1, c, h, w)
        Grey values.

    Returns
    -------
    Tensor of int, shape (1, 1, h, w)
        Number of the part, from 0 without gaps; the same for all channels.
    """
    image = x[0].cpu().double().numpy().transpose(1, 2, 0)
    span = np.maximum(np.ptp(image, axis=(0, 1)), 1e-12)
    scaled = (image - image.min(axis=(0, 1))) / span
    parts = slic(scaled, _PARTS, compactness=_COMPACTNESS, channel_axis=-1, convert2lab=False, start_label=0)
    return torch.from_numpy(np.unique(parts, return_inverse=True)[1].reshape(1, 1, *parts.shape))


def explained_by_parts(method: Any, classifier: Counted, x: Tensor, *, samples: int, seed: int) -> Tensor:
    """Explain images by switching their superpixels to black.

    Parameters
    ----------
    method : object
        Captum's LIME or KernelSHAP.
    classifier : Counted
        Gives the value of black.
    x : Tensor
        ``(n, c, h, w)`` grey values.
    samples : int
        Pictures asked per image.
    seed : int
        Of the pictures.

    Returns
    -------
    Tensor
        ``(n, 1, h, w)``.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        found = [
            method.attribute(
                one,
                baselines=classifier.value_range[0],
                feature_mask=superpixels(one).to(one.device),
                n_samples=samples,
                perturbations_per_eval=_TOGETHER,
            )[:, :1]
            for one in torch.split(x, 1)
        ]
    return torch.cat(found).float().cpu()
