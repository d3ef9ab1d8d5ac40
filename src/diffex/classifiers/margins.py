"""Logits as margins and probabilities."""

import torch
from torch import Tensor


def margin(logits: Tensor, target: int) -> Tensor:
    """Give the target's logit minus the log-sum-exp of the others.

    It is the log-odds of the target: ``log(p / (1 - p))``, so it does not saturate as `p` does.

    Parameters
    ----------
    logits : Tensor, shape (n, k)
        With ``k >= 2``.
    target : int
        Index of the target class.

    Returns
    -------
    Tensor, shape (n,)
        The margins, in logits (nats).

    Examples
    --------
    >>> margin(torch.tensor([[1.0, 3.0]]), 1)
    tensor([2.])
    """
    others = torch.arange(logits.shape[1], device=logits.device) != target
    return logits[:, target] - torch.logsumexp(logits[:, others], dim=1)


def probabilities(logits: Tensor) -> Tensor:
    """Give the softmax of the logits.

    Parameters
    ----------
    logits : Tensor, shape (n, k)
        As from `Classifier.logits`.

    Returns
    -------
    Tensor, shape (n, k)
        Rows sum to 1.
    """
    return torch.softmax(logits, dim=1)


def margins(logits: Tensor) -> Tensor:
    """Give the margin of every class.

    Parameters
    ----------
    logits : Tensor, shape (n, k)
        With ``k >= 2``.

    Returns
    -------
    Tensor, shape (n, k)
        Column ``j`` is ``margin(logits, j)``; gradients flow.
    """
    return torch.stack([margin(logits, target) for target in range(logits.shape[1])], dim=1)
