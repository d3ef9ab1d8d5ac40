"""A13: do reconstructions look like the cells."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from torch import Tensor

from diffex.editors import LatentEditor
from diffex.effects.manifold import discriminate, image_statistics, radial_spectrum
from diffex.evaluation.bench import Bench
from diffex.evaluation.pictures import save_grid
from diffex.evaluation.real_fits import real_model, real_side
from diffex.evaluation.resampling import bootstrap
from diffex.evaluation.rows import Measured
from diffex.evaluation.sets import FKHR
from diffex.images import sample

FloatArray = NDArray[np.float64]
_AUROC = {"fresh": "<= 0.85", "inverted": "<= 0.6"}
_SHOWN = 8


def measure_realism(bench: Bench) -> Iterator[Measured]:
    """Measure A13: spectra, and whether a discriminator tells reconstructions from cells.

    Parameters
    ----------
    bench : Bench
        Data, seed, size of the run.

    Yields
    ------
    Measured
        A number each.
    """
    model = real_model(bench, FKHR).model
    cells = sample(real_side(bench, FKHR, "test"), bench.size(512, 64), bench.seed)
    x, sd = cells.read(), model.generator.pixels.sd
    real = image_statistics(x, sd)
    shown = [x[:_SHOWN].numpy()]
    for noise in ("fresh", "inverted"):
        editor = LatentEditor(model.generator, "fresh" if noise == "fresh" else "inverted", None, bench.seed)
        again = editor.null(editor.invert(x, cells.ids))
        shown.append(again[:_SHOWN].numpy())
        real_power, power = upper_power(x), upper_power(again)
        for channel, name in enumerate(cells.channel_names):
            a, b = power[:, channel], real_power[:, channel]
            ratio = bootstrap(len(a), lambda rows, a=a, b=b: power_ratio(a[rows], b[rows]), bench.seed)  # type: ignore[misc]
            what = f"power of reconstructions over real, upper half of the frequencies, {name}, {noise} noise"
            yield Measured("A13", what, ratio[0], "0.5 to 2", *ratio[1:])
        auroc = discriminate(real, image_statistics(again, sd), np.arange(len(x)))
        ends = auroc_interval(auroc, len(x), len(x))
        note = f"cross-validated over {len(x)} images"
        yield Measured(
            "A13",
            f"AUROC, real against reconstruction, {noise} noise",
            auroc,
            _AUROC[noise],
            *ends,
            note=note,
        )
    save_grid(np.stack(shown, axis=1), bench.figure("realism.png"))


def upper_power(x: Tensor) -> FloatArray:
    """Power in the upper half of the radial frequencies, per image and channel.

    Parameters
    ----------
    x : Tensor
        ``(n, c, h, w)`` grey values.

    Returns
    -------
    ndarray, shape (n, c)
        Mean over the rings.
    """
    rings = radial_spectrum(x.float()).double().numpy()
    return np.asarray(rings[..., rings.shape[-1] // 2 :].mean(-1))


def power_ratio(power: FloatArray, real: FloatArray) -> float:
    """Ratio of mean powers.

    Parameters
    ----------
    power, real : ndarray, shape (n,)
        Of reconstructions and of real images.

    Returns
    -------
    float
        1 where they agree.
    """
    return float(power.mean() / real.mean())


def auroc_interval(auroc: float, first: int, second: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of an AUROC after Hanley & McNeil 1982.

    Parameters
    ----------
    auroc : float
        In [0, 1].
    first, second : int
        Images of either kind.
    level : float, default 0.95
        Coverage.

    Returns
    -------
    (float, float)
        Low, high, within [0, 1].

    Examples
    --------
    >>> [round(end, 2) for end in auroc_interval(0.5, 100, 100)]
    [0.42, 0.58]
    """
    one, both = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    square = auroc**2
    variance = (auroc * (1 - auroc) + (first - 1) * (one - square) + (second - 1) * (both - square)) / (
        first * second
    )
    reach = float(norm.ppf(0.5 + level / 2) * np.sqrt(max(variance, 0.0)))
    return max(0.0, auroc - reach), min(1.0, auroc + reach)
