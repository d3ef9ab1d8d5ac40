"""Superpixels for methods that switch parts of an image off: Achanta et al. 2012, "SLIC superpixels"."""

import numpy as np
import torch
from skimage.segmentation import slic
from torch import Tensor

_PARTS = 50
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
