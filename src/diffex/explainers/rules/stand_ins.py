"""What stands in for the classifier, as a classifier: pixels are read to factors, factors decide."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diffex.classifiers import Classifier, fit_twin
from diffex.effects.arrays import FloatArray
from diffex.explainers.rules.factors import Reader
from diffex.images import Images, images_from_arrays, sample
from diffex.rules.attacks.victim import Victim
from diffex.rules.factors import Factors

_FURTHEST = 1e4
_PATCHES = (1, 2, 4, 8, 16)
_TAUGHT = 1200


def stand_in(
    name: str, read: Reader, decide: Callable[[Factors], FloatArray], images: Images, names: tuple[str, ...]
) -> Classifier:
    """Make a classifier of a reader of factors and a decision over them.

    Parameters
    ----------
    name : str
        For people.
    read : callable
        Pixels to factors.
    decide : callable
        Factors to margins of all classes, ``(n, k)``.
    images : Images
        Of the form that it takes.
    names : tuple of str, length k
        The classes.

    Returns
    -------
    Classifier
        Without gradients. Where a formula has no value, it is undecided.
    """

    def logits(x: Tensor) -> Tensor:
        margins = np.nan_to_num(decide(read(x)), nan=0.0, posinf=_FURTHEST, neginf=-_FURTHEST)
        shown = margins[:, 1:] if len(names) == 2 else margins  # of two, one is the other's negative
        return torch.from_numpy(shown).float()

    return Classifier.wrap(
        logits, class_names=names, size=images.size, channels=images.channels,
        value_range=images.value_range, mean=0.0, std=1.0, address=name,
    )  # fmt: skip


def with_guide(
    name: str, classifier: Classifier, images: Images, budget: float, folder: Path, seed: int, *,
    steps: int, device: torch.device,
) -> Victim:  # fmt: skip
    """Teach a network to do the same, near the images too, so that attacks have a gradient.

    Parameters
    ----------
    name : str
        For people.
    classifier : Classifier
        Without gradients.
    images : Images
        To learn from; once as they are, twice changed at random within the budget.
    budget : float
        Share of the pixels' range.
    folder : Path
        Where the network is kept.
    seed : int
        Of changes and training.
    steps : int
        Of training.
    device : torch.device
        Where to train.

    Returns
    -------
    Victim
        Both.
    """
    some = sample(images, _TAUGHT, seed)
    x = some.read()
    every = torch.cat([x, *(shaken(x, budget, some.value_range, seed + turn) for turn in range(2))])
    shown = images_from_arrays(
        every, value_range=some.value_range, channel_names=some.channel_names,
        pixel_size_um=some.pixel_size_um,
    )  # fmt: skip
    guide = fit_twin(classifier, shown, folder, seed=seed, steps=steps, device=device)
    return Victim(name, classifier, guide)


def shaken(x: Tensor, budget: float, value_range: tuple[float, float], seed: int) -> Tensor:
    """Change images by patches of either sign, of a size of its own for each image.

    Parameters
    ----------
    x : Tensor, shape (n, c, h, w)
        Grey values.
    budget : float
        Share of the range, up or down.
    value_range : (float, float)
        Of the pixels.
    seed : int
        Of the patches.

    Returns
    -------
    Tensor, shape (n, c, h, w)
        Within the range.
    """
    low, high = value_range
    source = torch.Generator().manual_seed(seed)
    sizes = torch.randint(len(_PATCHES), (len(x),), generator=source)
    found = x.clone()
    for place, patch in enumerate(_PATCHES):
        rows = sizes == place
        grid = [int(rows.sum()), x.shape[1], *(-(-side // patch) for side in x.shape[2:])]
        signs = 2.0 * torch.randint(2, grid, generator=source) - 1.0
        large = functional.interpolate(signs, scale_factor=float(patch)) if grid[0] else signs
        found[rows] += budget * (high - low) * large[..., : x.shape[2], : x.shape[3]]
    return found.clamp(low, high)
