"""Contrastive directions on image features: distinct in the picture, alike from cell to cell."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.noise import derive_seed
from diffex.concepts.concept import Concept
from diffex.concepts.evidence import Evidence
from diffex.concepts.sources.making import make

KIND = "contrastive_images"
_TEMPERATURE, _STEPS = 0.1, 200


def propose(evidence: Evidence, count: int) -> list[Concept]:
    """Train directions whose effect on image features tells them apart.

    Parameters
    ----------
    evidence : Evidence
        Feature steps: how features change with each latent, for some images.
    count : int
        How many directions.

    Returns
    -------
    list of Concept
        ``contrastive_images:1``...

    Notes
    -----
    InfoNCE (van den Oord et al. 2018) over pairs of images; features of an edit are linear in the direction,
    from finite differences of one-step renders, so the training costs no further evaluation.
    """
    spread = torch.from_numpy(evidence.spread).float()
    steps = torch.from_numpy(evidence.feature_steps).float()  # (m, d, p)
    if not steps.abs().max() > 0:
        return []
    steps = torch.einsum("mdp,de->mep", steps, spread)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(derive_seed(KIND, evidence.seed) % 2**31)
        directions = _train(steps, count)
    return make(KIND, directions.double().numpy() @ evidence.spread)


def _train(steps: Tensor, count: int) -> Tensor:
    raw = nn.Parameter(torch.randn(count, steps.shape[1]))
    optimizer = torch.optim.Adam([raw], lr=2e-2)
    for _ in range(_STEPS):
        unit = functional.normalize(raw, dim=1)
        first, second = torch.randperm(len(steps))[:2]
        a = functional.normalize(unit @ steps[first], dim=1)
        b = functional.normalize(unit @ steps[second], dim=1)
        loss = functional.cross_entropy((a @ b.T) / _TEMPERATURE, torch.arange(count))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return functional.normalize(raw.detach(), dim=1)
