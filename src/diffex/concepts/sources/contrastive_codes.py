"""Contrastive directions as published: distinct for a co-trained projector on the code."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffex.base.noise import derive_seed
from diffex.concepts.concept import Concept
from diffex.concepts.evidence import Evidence
from diffex.concepts.sources.making import make

KIND = "contrastive_codes"
_TEMPERATURE, _STEPS, _BATCH, _ALPHA = 0.5, 150, 16, 1.0


def propose(evidence: Evidence, count: int) -> list[Concept]:
    """Train global directions and a projector with the published loss.

    Parameters
    ----------
    evidence : Evidence
        Codes.
    count : int
        How many directions.

    Returns
    -------
    list of Concept
        ``contrastive_codes:1``...

    Notes
    -----
    Bourou et al. 2025 after LatentCLR (Yuksel et al. 2021): features are projector(z + a d) - projector(z),
    pairs of one direction attract, others repel, ``exp(0.5 |cos|)``. Directions are global here, where the
    released code lets a network choose them per image; neither sees an image or the classifier.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(derive_seed(KIND, evidence.seed) % 2**31)
        white = torch.linalg.lstsq(
            torch.from_numpy(evidence.spread), torch.from_numpy(evidence.codes - evidence.codes.mean(0)).T
        ).solution.T.float()
        directions = _train(white, count)
    return make(KIND, directions.double().numpy() @ evidence.spread)


def _train(white: Tensor, count: int) -> Tensor:
    size = white.shape[1]
    raw = nn.Parameter(torch.randn(count, size))
    projector = nn.Sequential(
        nn.Linear(size, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64)
    )
    optimizer = torch.optim.Adam([raw, *projector.parameters()], lr=1e-2, weight_decay=1e-3)
    for _ in range(_STEPS):
        z = white[torch.randint(len(white), (_BATCH,))]
        unit = functional.normalize(raw, dim=1)
        moved = (z.unsqueeze(0) + _ALPHA * unit.unsqueeze(1)).flatten(0, 1)  # (k*b, d)
        features = projector(moved) - projector(z).detach().repeat(count, 1)
        loss = published_loss(functional.normalize(features, dim=1), count)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return functional.normalize(raw.detach(), dim=1)


def published_loss(features: Tensor, count: int) -> Tensor:
    """Contrast ``-log(mean positive / mean negative)`` of ``exp(0.5 |cos|)``.

    Parameters
    ----------
    features : Tensor
        ``(k * b, p)``, unit rows, direction by direction.
    count : int
        Directions k.

    Returns
    -------
    Tensor
        Scalar, at least -0.5.
    """
    batch = len(features) // count
    similar = torch.exp(_TEMPERATURE * (features @ features.T).abs())
    same = (
        torch.eye(count, device=features.device)
        .repeat_interleave(batch, 0)
        .repeat_interleave(batch, 1)
        .bool()
    )
    itself = torch.eye(len(features), dtype=torch.bool, device=features.device)
    positive = (similar * (same & ~itself)).sum(1) / max(batch - 1, 1)
    negative = (similar * ~same).sum(1) / max(len(features) - batch, 1)
    return -(positive / negative).log().mean()
