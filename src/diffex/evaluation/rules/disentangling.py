"""R7: total-correlation VAE against plain VAE on dSprites, paired by seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np

from diffex.effects.arrays import FloatArray
from diffex.evaluation.bench import FIT_ROOMS, Bench, code_hash
from diffex.evaluation.disentanglement import dci, factor_vae_score, mig
from diffex.evaluation.rows import REPORTED, Measured
from diffex.generators.tcvae.config import TCVAEConfig
from diffex.generators.tcvae.fitting import kept_tcvae
from diffex.generators.tcvae.loss import active
from diffex.images import Images, images_from_arrays

SPRITES = "dsprites_subset"
_GRID = "grid_46080.npz"  # the complete grid: every combination of its five factors
_SIDE: Final = 32
_LATENTS, _BATCH = 10, 64
_BETA = 20.0
_SEEDS = 5
_JUDGED = 5000


@final
@dataclass(frozen=True)
class Score:
    """How well a code tells the factors apart.

    Parameters
    ----------
    mig, dci, factor_vae : float
        Mutual information gap, disentanglement of DCI, FactorVAE score: 0 to 1.
    used : int
        Latents in use.
    """

    mig: float
    dci: float
    factor_vae: float
    used: int


def open_sprites(folder: Path) -> tuple[Images, FloatArray]:
    """Open the complete grid of dSprites, at half its size.

    Parameters
    ----------
    folder : Path
        Of the set.

    Returns
    -------
    (Images, ndarray of shape (n, 5))
        46,080 images of 32 px in [0, 1]; shape, scale, orientation, x and y as class numbers.
    """
    with np.load(folder / _GRID) as file:
        packed, truth = file["imgs"], file["latents_classes"]
    whole = np.unpackbits(packed, axis=1).reshape(-1, _SIDE, 2, _SIDE, 2)
    halved = whole.mean(axis=(2, 4), dtype=np.float32)[:, None]
    return images_from_arrays(halved, channel_names=("sprite",)), truth[:, -5:].astype(np.float64)


def measure_disentangling(bench: Bench) -> Iterator[Measured]:
    """Measure R7.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.

    Yields
    ------
    Measured
        Pairs of seeds in which the total correlation pays, and the medians of both.
    """
    images, truth = open_sprites(bench.real(SPRITES))
    seeds = [bench.seed + 1 + i for i in range(bench.size(_SEEDS, 2))]
    plain, parted = ([_score(bench, images, truth, beta, s) for s in seeds] for beta in (1.0, _BETA))
    won = sum(b.mig > a.mig for a, b in zip(plain, parted, strict=True))
    least = bench.size(4, 1)
    listed = "; ".join(f"{a.mig:.3f} and {b.mig:.3f}" for a, b in zip(plain, parted, strict=True))
    yield Measured("R7", f"of {len(seeds)} seeds, those in which MIG is higher than a plain VAE's", won,
                   f">= {least}", note=f"plain and total correlation: {listed}")  # fmt: skip
    for name, scores in (("total correlation", parted), ("plain VAE", plain)):
        target = ">= 0.6" if scores is parted else REPORTED
        yield _middle("FactorVAE score", name, [s.factor_vae for s in scores], target)
        yield _middle("MIG", name, [s.mig for s in scores], REPORTED)
        yield _middle("disentanglement of DCI", name, [s.dci for s in scores], REPORTED)
        yield _middle("latents in use", name, [s.used for s in scores], REPORTED)


def _middle(what: str, name: str, values: list[float], target: str) -> Measured:
    note = f"from {min(values):.3g} to {max(values):.3g} over seeds"
    return Measured("R7", f"{what}, {name}, median of seeds", float(np.median(values)), target, note=note)


def _score(bench: Bench, images: Images, truth: FloatArray, beta: float, seed: int) -> Score:
    """Train, or open what was trained, and judge on some images of the grid."""
    steps = bench.size(2000, 40)
    config = TCVAEConfig(latents=_LATENTS, beta=beta, steps=steps, batch_size=_BATCH, seed=seed, side=_SIDE)
    model = kept_tcvae(images, config, bench.stage("sprites", code_hash(FIT_ROOMS)), device=bench.device)
    some = np.random.default_rng(seed).choice(len(images), bench.size(_JUDGED, 600), replace=False)
    mean, log_variance = model.posterior(images.read(some))
    codes, factors = mean.double().numpy(), truth[some]
    used = active(mean, log_variance).numpy()
    return Score(
        mig(codes, factors),
        dci(codes, factors, seed).disentanglement,
        factor_vae_score(codes, factors, seed, used),
        int(used.sum()),
    )
