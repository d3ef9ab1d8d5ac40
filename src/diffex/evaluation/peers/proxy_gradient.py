"""One image's proxy gradient for all: after Sobieski & Biecek 2024, "Global counterfactual directions"."""

import numpy as np
import torch

from diffex.concepts import Concept
from diffex.concepts.sources.making import make
from diffex.concepts.white_codes import ridge
from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray
from diffex.evaluation.peers.counted import Counted
from diffex.images import Images

KIND = "proxy_gradient"
_SAMPLES = 192
_REACH = 0.5
_BATCH = 64


def proxy_gradient(
    editor: LatentEditor,
    classifier: Counted,
    image: Images,
    target: int,
    covariance: FloatArray,
    seed: int = 0,
) -> Concept:
    """Find a direction for all images from one image, without gradients of the classifier.

    Codes around the image's are rendered and classified; the gradient of a proxy fitted to the answers is the
    direction. The published proxy is a small network and its search hundreds of times as long; ours is a
    ridge regression, which has the same gradient everywhere.

    Parameters
    ----------
    editor : LatentEditor
        Renders.
    classifier : Counted
        Asked 192 times, as is the renderer.
    image : Images
        One.
    target : int
        Index of the class.
    covariance : ndarray, shape (d, d)
        Of the codes; perturbations are half a standard deviation of each latent.
    seed : int, default 0
        Of the perturbations.

    Returns
    -------
    Concept
        ``proxy_gradient:1``, of unit length.
    """
    inversion = editor.invert(image.read(), image.ids)
    spread = _REACH * np.sqrt(np.diag(covariance))
    drawn = np.random.default_rng(seed).standard_normal((_SAMPLES, len(spread)))
    codes = inversion.codes + torch.from_numpy(drawn * spread).to(inversion.codes)
    several = inversion.take([0] * _BATCH)
    with torch.no_grad():
        answers = torch.cat(
            [classifier.margins(editor.render(several, part), target) for part in torch.split(codes, _BATCH)]
        )
    y = answers.double().cpu().numpy()[:, None]
    slope = ridge(drawn, (y - y.mean()) / max(float(y.std()), 1e-12))[:, 0]
    return make(KIND, (slope * spread)[None])[0]
