"""Ways along concepts to a class, found by asking a black box that gives no gradients."""

import torch
from torch import Tensor

from diffex.base.noise import noise_for
from diffex.base.progress import progress
from diffex.classifiers import margin
from diffex.explainers.reach import Reach
from diffex.generators.model import Model

_SINGLE = 3


@torch.no_grad()
def concept_ways(
    model: Model, reach: Reach, ids: tuple[str, ...], codes: Tensor, directions: Tensor, target: int
) -> list[Tensor]:
    """Try every concept on every image, and give the best few and their blend.

    Parameters
    ----------
    model : Model
        Renders in one step; its classifier itself judges.
    reach : Reach
        Of `codes`.
    ids : tuple of str
        Of the images.
    codes : Tensor
        ``(n, d)``.
    directions : Tensor
        ``(k, d)``, of concepts.
    target : int
        Class wanted.

    Returns
    -------
    list of Tensor
        Moves ``(n, d)`` as long as the manifold allows: along the concepts, up or down, whose step raises the
        margin most, and along all of them by as much as each raises it (a gradient in concepts).
    """
    units = directions / reach.length(directions).clamp_min(1e-9).unsqueeze(1)
    gains = _gains(model, ids, codes, units, target)
    signed = torch.cat([units, -units])
    best = gains.topk(min(_SINGLE, len(signed)), dim=1).indices
    up, down = gains.chunk(2, dim=1)
    ways = [*(signed[best[:, i]] for i in range(best.shape[1])), (up - down) @ units]
    return [way * reach.farthest(way).nan_to_num(posinf=0.0) for way in ways]


def _gains(model: Model, ids: tuple[str, ...], codes: Tensor, units: Tensor, target: int) -> Tensor:
    """Margin after a step of two standard deviations along each concept, up and then down, ``(n, 2k)``."""
    generator, noise = model.generator, noise_for(ids, model.generator.image_shape, "counterfactual")
    value_range = generator.pixels.value_range
    steps = 2.0 * torch.cat([units, -units])
    found = [
        margin(model.classifier.logits(generator.one_step(codes + step, noise), value_range), target).cpu()
        for step in progress(steps, "Asking the classifier of each concept")
    ]
    return torch.stack(found, dim=1)
