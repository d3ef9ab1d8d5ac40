"""The smallest move of a code that makes an image another class and stays on the manifold."""

import torch
from torch import Tensor

from diffex.base.noise import noise_for
from diffex.base.progress import progress
from diffex.classifiers import margin
from diffex.editors import Inversion, LatentEditor
from diffex.explainers.concept_ways import concept_ways
from diffex.explainers.reach import Reach, reach_of
from diffex.generators.model import Model

_STEPS = 40
_RATE = 0.15
_MARGIN = 0.5
_HALVINGS = 10
_TOLERANCE = 0.05


def smallest_moves(
    model: Model, editor: LatentEditor, inversion: Inversion, target: int, directions: Tensor
) -> tuple[Tensor, Tensor]:
    """Try several ways to the class, and keep for each image the shortest that flips it.

    Parameters
    ----------
    model : Model
        Generator and classifier.
    editor : LatentEditor
        Renders at full depth.
    inversion : Inversion
        Of the images.
    target : int
        Class wanted.
    directions : Tensor
        ``(k, d)``: concepts to try as well, for a classifier without gradients; may be empty.

    Returns
    -------
    (Tensor, Tensor)
        Moves ``(n, d)``, none of which leaves the manifold, and the images they give. Where no way flips
        an image, the move that comes nearest to it.
    """
    reach, null = reach_of(model, inversion.codes), editor.null(inversion)
    best_move, best_image = torch.zeros_like(inversion.codes), null
    best = _cost(model, reach, best_move, null, target)
    for way in _ways(model, reach, inversion, target, directions):
        move, image = _shortened(model, editor, inversion, reach, way, target)
        cost = _cost(model, reach, move, image, target)
        better = cost < best
        best_move = torch.where(better.unsqueeze(1), move, best_move)
        best_image = torch.where(better.view(-1, 1, 1, 1), image, best_image)
        best = torch.minimum(best, cost)
    return best_move, best_image


def class_way(model: Model, codes: Tensor, target: int) -> Tensor:
    """From the mean code of the nearest class that is not the target to the mean code of the target.

    Parameters
    ----------
    model : Model
        Knows the mean codes.
    codes : Tensor
        ``(n, d)``.
    target : int
        Class wanted.

    Returns
    -------
    Tensor
        ``(n, d)``.
    """
    means = model.class_codes
    others = torch.tensor([k for k in range(len(means)) if k != target])
    nearest = others[torch.cdist(codes, means[others]).argmin(1)]
    return means[target] - means[nearest]


def _ways(model: Model, reach: Reach, inversion: Inversion, target: int, directions: Tensor) -> list[Tensor]:
    codes, ids = inversion.codes, inversion.ids
    across = class_way(model, codes, target)
    starts = (torch.zeros_like(codes), 0.5 * across)
    guided = [_search(model, reach, ids, codes, start, target) for start in starts]
    asked = concept_ways(model, reach, ids, codes, directions, target) if len(directions) else []
    return [across, *guided, *asked]


def _search(
    model: Model, reach: Reach, ids: tuple[str, ...], codes: Tensor, start: Tensor, target: int
) -> Tensor:
    """Descend in white codes; each image keeps its move from when it first passed the wanted margin."""
    generator = model.generator
    noise = noise_for(ids, generator.image_shape, "counterfactual")
    white = start @ reach.whitener
    done = torch.zeros(len(codes), dtype=torch.bool)
    for _ in progress(range(_STEPS), "Searching the smallest change"):
        with torch.enable_grad():
            u = white.clone().requires_grad_(True)
            image = generator.one_step(codes + u @ reach.spread, noise)
            reached = margin(model.guide.logits(image, generator.pixels.value_range), target).cpu()
            lacking = (_MARGIN - reached).clamp_min(0) + u.square().sum(1) / (2 * u.shape[1])
            (gradient,) = torch.autograd.grad(lacking.sum(), u)
        done |= reached >= _MARGIN
        if bool(done.all()):
            break
        step = _RATE * gradient / gradient.norm(dim=1, keepdim=True).clamp_min(1e-9)
        white = torch.where(done.unsqueeze(1), white, reach.pulled_back(white - step))
    moves: Tensor = white @ reach.spread
    return moves


def _shortened(
    model: Model, editor: LatentEditor, inversion: Inversion, reach: Reach, moves: Tensor, target: int
) -> tuple[Tensor, Tensor]:
    """Bisect each move between 0 and twice its length or the manifold's edge, to 5 %, with the classifier."""
    low, high = torch.zeros(len(moves), 1), reach.farthest(moves).clamp_max(2.0)
    for _ in progress(range(_HALVINGS), "Shortening it"):
        if bool((high - low <= _TOLERANCE * high).all()):
            break
        middle = (low + high) / 2
        flips = _flips(model, editor.render(inversion, inversion.codes + middle * moves), target).unsqueeze(1)
        low, high = torch.where(flips, low, middle), torch.where(flips, middle, high)
    return high * moves, editor.render(inversion, inversion.codes + high * moves)


@torch.no_grad()
def _flips(model: Model, x: Tensor, target: int) -> Tensor:
    return model.classifier.logits(x, model.generator.pixels.value_range).argmax(1).cpu() == target


@torch.no_grad()
def _cost(model: Model, reach: Reach, moves: Tensor, x: Tensor, target: int) -> Tensor:
    """Length of a move that flips; beyond all lengths, less the margin, for one that does not."""
    logits = model.classifier.logits(x, model.generator.pixels.value_range).cpu()
    missed = 1e6 - margin(logits, target).double()
    return torch.where(logits.argmax(1) == target, reach.length(moves).double(), missed)
