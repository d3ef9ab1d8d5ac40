"""The one place where the adversarial-robustness-toolbox is imported."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffex.base.errors import MissingPartError

AttackName = Literal["FGSM", "PGD", "DeepFool", "Square"]
ATTACKS: tuple[AttackName, ...] = ("FGSM", "PGD", "DeepFool", "Square")
"""One step and many steps along the gradient, the smallest change, and random squares without gradients."""
GRADIENTS: tuple[AttackName, ...] = ("FGSM", "PGD", "DeepFool")
"""Those that need gradients."""

_BATCH = 128
_FIRST_SQUARE = 0.8


@final
@dataclass(frozen=True)
class Effort:
    """How hard attacks try.

    Parameters
    ----------
    steps : int
        Of PGD.
    foolings : int
        Steps of DeepFool, each of which asks for a gradient per class.
    starts : int
        Random starts of PGD.
    queries : int
        Asked of the model by Square, per image.
    """

    steps: int = 30
    foolings: int = 8
    starts: int = 1
    queries: int = 200


def require_attacks() -> None:
    """Refuse to attack without the library.

    Raises
    ------
    MissingPartError
        If it is not installed.
    """
    try:
        import art.attacks.evasion  # noqa: F401
    except ImportError as error:
        raise MissingPartError(
            "adversarial-robustness-toolbox is not installed, attacks on rules need it: "
            "pip install 'diffex[attacks]'."
        ) from error


def run_attack(
    name: AttackName,
    network: nn.Module,
    x: Tensor,
    labels: NDArray[np.int64],
    budget: float,
    *,
    effort: Effort,
    seed: int,
) -> Tensor:
    r"""Change images so that a network no longer says their labels.

    Parameters
    ----------
    name : {"FGSM", "PGD", "DeepFool", "Square"}
        Who attacks.
    network : nn.Module
        Logits ``(n, k)`` of pixels in [0, 1].
    x : Tensor, shape (n, c, h, w)
        Pixels in [0, 1].
    labels : ndarray of int, shape (n,)
        True classes.
    budget : float
        Largest change of any pixel, :math:`\lVert x' - x \rVert_\infty`.
    effort : Effort
        Steps and queries.
    seed : int
        Of everything random.

    Returns
    -------
    Tensor, shape (n, c, h, w)
        Within the budget and within [0, 1]; the change that DeepFool asks for is cut to both.

    Raises
    ------
    MissingPartError
        If the library is not installed.

    References
    ----------
    Nicolae et al. 2018, "Adversarial Robustness Toolbox"; Goodfellow et al. 2015 (FGSM), Madry et al. 2018
    (PGD), Moosavi-Dezfooli et al. 2016 (DeepFool), Andriushchenko et al. 2020 (Square).
    """
    require_attacks()
    from art.estimators.classification import PyTorchClassifier

    with torch.no_grad():
        classes = network(x[:1]).shape[1]
    wrapped = PyTorchClassifier(
        network, nn.CrossEntropyLoss(), tuple(x.shape[1:]), classes, clip_values=(0.0, 1.0), device_type="cpu"
    )
    pixels, wanted = x.numpy().astype(np.float32), np.eye(classes, dtype=np.float32)[labels]
    state = np.random.get_state()  # noqa: NPY002 - the library draws from the global generator
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            np.random.seed(seed % 2**32)  # noqa: NPY002
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed accelerators for good
            found = _attack(name, wrapped, budget, effort).generate(pixels, wanted)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    change = (torch.from_numpy(np.asarray(found, dtype=np.float32)) - x).clamp(-budget, budget)
    return (x + change).clamp(0.0, 1.0)


def _attack(name: AttackName, wrapped: Any, budget: float, effort: Effort) -> Any:
    from art.attacks import evasion

    if name == "FGSM":
        return evasion.FastGradientMethod(wrapped, eps=budget, batch_size=_BATCH)
    if name == "PGD":
        return evasion.ProjectedGradientDescent(
            wrapped, eps=budget, eps_step=2.5 * budget / effort.steps, max_iter=effort.steps,
            num_random_init=effort.starts, batch_size=_BATCH, verbose=False,
        )  # fmt: skip
    if name == "DeepFool":
        return evasion.DeepFool(wrapped, max_iter=effort.foolings, batch_size=_BATCH, verbose=False)
    return evasion.SquareAttack(
        wrapped, eps=budget, max_iter=effort.queries, p_init=_first_square(*wrapped.input_shape[1:]),
        batch_size=_BATCH, verbose=False,
    )  # fmt: skip


def _first_square(height: int, width: int) -> float:
    """Share of the pixels in the first square: what the paper takes, less where it would not fit inside."""
    return min(_FIRST_SQUARE, (min(height, width) - 1) ** 2 / (height * width))
