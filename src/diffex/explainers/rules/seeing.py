"""What the rule method sees of the images: factors, margins, codes, and which images only test."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.errors import InputError
from diffex.base.ledger import CostLedger
from diffex.effects.arrays import FloatArray
from diffex.effects.matrix import Judge, margin_of
from diffex.explainers.preparing import shape_channel
from diffex.explainers.rules.config import RuleConfig
from diffex.explainers.rules.factors import latent_factors, measured_factors
from diffex.explainers.rules.learnt import Learnt, learn_factors
from diffex.generators.model import Model
from diffex.images import Images, split_by_group
from diffex.rules.factors import Factors

_HELD_OUT = 0.33
_FEWEST_TESTS = 24


@final
@dataclass(frozen=True, eq=False)
class Seen:
    """All images, as rules see them.

    Parameters
    ----------
    images : Images
        N of them.
    test : ndarray of bool, shape (n,)
        Those that only test.
    measured, factors : Factors
        Measurements, and what formulas read.
    margins : ndarray, shape (n, k)
        The classifier's.
    codes : ndarray, shape (n, d)
        Of the generator.
    covariance : ndarray, shape (d, d)
        Of codes, over the generator's fitting images.
    learnt : Learnt, optional
        The VAE, where factors are learnt.
    """

    images: Images
    test: NDArray[np.bool_]
    measured: Factors
    factors: Factors
    margins: FloatArray
    codes: FloatArray
    covariance: FloatArray
    learnt: Learnt | None

    @property
    def tests(self) -> Images:
        """The images that only test."""
        return self.images.subset(np.flatnonzero(self.test))

    @property
    def fitting(self) -> Images:
        """The others."""
        return self.images.subset(np.flatnonzero(~self.test))


def see(images: Images, model: Model, config: RuleConfig, ledger: CostLedger) -> Seen:
    """Measure, classify and encode all images.

    Parameters
    ----------
    images : Images
        Of the model's form.
    model : Model
        Generator and classifier.
    config : RuleConfig
        Which factors; seed.
    ledger : CostLedger
        The account.

    Returns
    -------
    Seen
        Tests are those images that the model held out, else a third, whole groups.

    Raises
    ------
    InputError
        If images are too few.
    """
    test = _tested(images, model, config.seed)
    measured, margins, encoded = _read(images, model, ledger)
    learnt = _learnt(images, test, model, measured, config, ledger) if config.factors == "tcvae" else None
    if learnt is not None:
        factors = learnt.factors
    elif config.factors == "autoencoder":
        factors = latent_factors(model.generator, encoded, measured)
    else:
        factors = measured
    covariance = model.generator.code_cov.double().cpu().numpy()
    codes = encoded.double().cpu().numpy()
    return Seen(images, test, measured, factors, margins, codes, covariance, learnt)


def _read(images: Images, model: Model, ledger: CostLedger) -> tuple[Factors, FloatArray, Tensor]:
    """Measurements, the classifier's margins of all classes, and codes of all images."""
    judge = Judge(model.classifier, images.value_range, ledger)
    with ledger.timed("factors"):
        measured = measured_factors(images, shape_channel(images))
        parts = [(model.generator.encode(x), judge.logits(x)) for _, x in images.batches(128)]
    codes, logits = torch.cat([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    margins = np.stack([margin_of(logits, k) for k in range(logits.shape[1])], axis=1)
    return measured, margins, codes


def _learnt(
    images: Images, test: NDArray[np.bool_], model: Model, measured: Factors, config: RuleConfig,
    ledger: CostLedger,
) -> Learnt:  # fmt: skip
    """Learn factors from the images that do not test; beside the model, so that another run has them."""
    folder, fitting = Path(model.address) / "factors", images.subset(np.flatnonzero(~test))
    with ledger.timed("learning factors"):
        return learn_factors(images, fitting, measured, folder, config.seed, model.generator.device)


def _tested(images: Images, model: Model, seed: int) -> NDArray[np.bool_]:
    """Mark the images that test: those that the model held out, else a third."""
    unseen = model.held_out_of(images)
    if _FEWEST_TESTS <= unseen.sum() <= len(images) / 2:
        return unseen
    _, second = split_by_group(images, _HELD_OUT, seed)
    chosen = frozenset(second.ids)
    test = np.array([name in chosen for name in images.ids])
    if test.sum() < _FEWEST_TESTS:
        raise InputError(
            f"Got {len(images)} images, of which {test.sum()} may test the rules; at least "
            f"{_FEWEST_TESTS} are needed: add images."
        )
    return test
