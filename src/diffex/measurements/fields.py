"""Measuring fields of several objects, none of which is the one in the middle."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import regionprops_table

from diffex.measurements.background import gradients
from diffex.measurements.morphology import label
from diffex.measurements.puncta import spots, tally
from diffex.measurements.texture import scale_px, smooth, spans, textures

_SMALLEST = 0.004  # of the field's area; below it a component is a speck
_NOISE = 5.0  # robust standard deviations above the middle value that an object must exceed


def fields(pixels: NDArray[np.float64], channel: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """Measure fields: how many objects, how large and bright, how much is stained, what lies beside.

    Objects are the connected components of one channel, its specks taken out by a median, above Otsu's
    threshold and above five robust standard deviations over the middle value, larger than 0.4 % of the field;
    what each channel stains is found likewise. Spots, as of `spots`, are specks off the objects, puncta
    on them. Otsu, IEEE Trans. Syst. Man Cybern. 9:62 (1979).

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Fields.
    channel : ndarray of int, shape (n,)
        Where objects are found.

    Returns
    -------
    dict of str to ndarray
        ``count``, and means over objects of ``area`` (px) and ``eccentricity``, of shape (n,). Of shape
        (n, c): ``object_mean``, the mean over objects of a channel's median, and ``brightest``, its largest;
        ``granularity`` and ``coarse`` within objects; ``image_mean``, ``covered`` (share of the field),
        ``gradient``, ``specks`` (their summed contrast: a faint one is hardly there) and ``puncta_count``. 0
        without any object.
    """
    fine = smooth(pixels, scale_px(*pixels.shape[2:]))
    span = spans(fine)
    calm = _without_specks(pixels)
    stained = np.stack([_standing_out(calm[:, c]) for c in range(pixels.shape[1])], axis=1)
    objects = _objects(stained[np.arange(len(pixels)), channel])
    light, count = _spots_off_and_on(pixels, fine, span, objects > 0)
    return {
        **_of_objects(pixels, objects),
        **textures(pixels, objects > 0, span),
        "image_mean": pixels.mean(axis=(2, 3)),
        "covered": stained.mean(axis=(2, 3)),
        "gradient": gradients(pixels, np.asarray(~stained.any(axis=1))),
        "specks": light,
        "puncta_count": count,
    }


def _without_specks(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    side = 2 * round(scale_px(*pixels.shape[2:])) + 1
    return np.asarray(ndimage.median_filter(pixels, side, axes=(2, 3)))


def _standing_out(planes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark what is brighter than the background, (n, h, w); nothing in an empty field."""
    middle = np.median(planes, axis=(1, 2), keepdims=True)
    noise = 1.4826 * np.median(np.abs(planes - middle), axis=(1, 2), keepdims=True)
    otsu = [
        threshold_otsu(plane) if np.ptp(plane) else np.inf  # type: ignore[no-untyped-call]
        for plane in planes
    ]
    return np.asarray(planes > np.maximum(np.array(otsu)[:, None, None], middle + _NOISE * noise))


def _objects(stained: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number the components that are large enough, over the whole stack."""
    numbers = label(stained)
    sizes = np.bincount(numbers.ravel())
    large = sizes >= _SMALLEST * stained[0].size
    return np.asarray(np.where(large[numbers], numbers, 0), dtype=np.int32)


def _of_objects(pixels: NDArray[np.float64], objects: NDArray[np.int32]) -> dict[str, NDArray[np.float64]]:
    """Count objects and average what each is like."""
    names = ("area", "eccentricity")
    channels = pixels.shape[1]
    rows = np.zeros((len(pixels), 3 + 2 * channels))
    for row, plane, numbers in zip(rows, pixels, objects, strict=True):
        found = regionprops_table(  # type: ignore[no-untyped-call]
            numbers, np.moveaxis(plane, 0, -1), names, extra_properties=(_median,)
        )
        if not len(found["area"]):
            continue
        bright = np.stack([found[name] for name in found if name.startswith("_median")], axis=1)
        shape = found["area"].mean(), found["eccentricity"].mean()
        row[:] = [len(bright), *shape, *bright.mean(axis=0), *bright.max(axis=0)]
    count, area, eccentricity, *bright_columns = rows.T
    return {
        "count": count,
        "area": area,
        "eccentricity": eccentricity,
        "object_mean": np.stack(bright_columns[:channels], axis=1),
        "brightest": np.stack(bright_columns[channels:], axis=1),
    }


def _median(region: NDArray[np.bool_], values: NDArray[np.float64]) -> float:
    """Typical value of a channel in an object, whatever specks lie on it."""
    return float(np.median(values[region]))


def _spots_off_and_on(
    pixels: NDArray[np.float64],
    fine: NDArray[np.float64],
    span: NDArray[np.float64],
    found: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum the response of every channel's spots off the objects, and count those on them, (n, c) each."""
    response, where = spots(pixels, fine, span)
    image, _, row, column = where
    off = ~found[image, row, column]
    beside, on = ([index[side] for index in where] for side in (off, ~off))
    shape = pixels.shape[:2]
    return tally(beside, shape, response[where][off]), tally(on, shape)
