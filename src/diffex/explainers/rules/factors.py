"""Where factors come from: measurements with units, or the latents of the generator."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from diffex.effects.arrays import FloatArray
from diffex.generators import DiffusionAutoencoder
from diffex.images import Images, images_from_arrays
from diffex.measurements import measure, quantities
from diffex.rules.factors import Factor, Factors

Reader = Callable[[Tensor], Factors]
"""From grey values ``(n, c, h, w)`` to factors; pixels alone count, no mask that came with them."""

_CHUNK = 256


def measured_factors(images: Images, shape_channel: int | None = None) -> Factors:
    """Measure every named quantity.

    Parameters
    ----------
    images : Images
        N single-cell crops.
    shape_channel : int, optional
        Where objects are segmented; see `measure`.

    Returns
    -------
    Factors
        In micrometres where the pixel size is known, else in pixels.
    """
    tables = [
        measure(
            x, images.channel_names, images.read_masks(rows), images.pixel_size_um,
            shape_channel=shape_channel,
        )
        for rows, x in images.batches(_CHUNK)
    ]  # fmt: skip
    known = quantities(images.channel_names, images.pixel_size_um)
    values = pd.concat(tables).to_numpy(dtype=np.float64)
    return Factors(tuple(Factor(q.name, q.words, q.unit) for q in known), values)


def pixel_reader(images: Images, shape_channel: int) -> Reader:
    """Give the way from grey values to measurements, objects segmented by these pixels alone.

    Parameters
    ----------
    images : Images
        Of the same form.
    shape_channel : int
        Where objects are segmented.

    Returns
    -------
    callable
        Of grey values ``(n, c, h, w)``.
    """

    def read(x: Tensor) -> Factors:
        shown = images_from_arrays(
            x, value_range=images.value_range, channel_names=images.channel_names,
            pixel_size_um=images.pixel_size_um,
        )  # fmt: skip
        return measured_factors(shown, shape_channel)

    return read


def latent_factors(generator: DiffusionAutoencoder, codes: Tensor, measured: Factors) -> Factors:
    """Take the latents of the generator, each described by what it goes with.

    Parameters
    ----------
    generator : DiffusionAutoencoder
        Whose latents.
    codes : Tensor
        ``(n, d)``, of the images.
    measured : Factors
        Of the same images.

    Returns
    -------
    Factors
        ``z1`` and so on, in standard deviations over the generator's fitting images.
    """
    spread = generator.code_cov.diagonal().sqrt().double().cpu().numpy()
    values = codes.double().cpu().numpy() / np.where(spread > 0, spread, 1.0)
    said = described(values, measured)
    return Factors(tuple(Factor(f"z{i + 1}", words) for i, words in enumerate(said)), values)


def described(latents: FloatArray, measured: Factors) -> list[str]:
    """Say which quantity each latent goes with most, and how well all of them together predict it (R2).

    Parameters
    ----------
    latents : ndarray, shape (n, d)
        Of images.
    measured : Factors
        Of the same images.

    Returns
    -------
    list of str
        One per latent; R2 is that of a linear regression on half of the images, on the other half.
    """
    table = StandardScaler().fit_transform(measured.values)
    r2 = [LinearRegression().fit(table[::2], z[::2]).score(table[1::2], z[1::2]) for z in latents.T]
    with np.errstate(invalid="ignore"):
        alike = np.nan_to_num(table.T @ StandardScaler().fit_transform(latents) / len(table))
    best = np.abs(alike).argmax(axis=0)
    return [
        f"latent {i + 1} (goes with {measured.meanings[j].words}, r {alike[j, i]:+.2f}; measurements explain "
        f"{100 * max(0.0, r2[i]):.0f} %)"
        for i, j in enumerate(best)
    ]
