"""Reading every quantity off the pixels."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.errors import InputError
from diffex.measurements.background import corner_means, gradients
from diffex.measurements.catalogue import (
    CHANNELS,
    FIELD_CHANNELS,
    FIELD_SHAPES,
    SHAPES,
    STAINED,
    Template,
    View,
    nucleus_channel,
    quantities,
    staining_channels,
)
from diffex.measurements.fields import fields
from diffex.measurements.intensity import compartments, correlations, intensities
from diffex.measurements.puncta import puncta
from diffex.measurements.segmentation import channel_scores, segment
from diffex.measurements.shape import shapes
from diffex.measurements.texture import scale_px, smooth, spans, textures

_CHUNK_VALUES = 2**18  # pixel values measured at once: bounds memory and stays in the cache
_SMALLEST_PX = 8

ShapeFrom = Literal["masks", "pixels"]


def measure(
    pixels: Tensor,
    channel_names: Sequence[str],
    masks: Tensor | None = None,
    pixel_size_um: float | None = None,
    *,
    shape_from: ShapeFrom = "masks",
    shape_channel: int | None = None,
    view: View = "cell",
) -> pd.DataFrame:
    """Measure crops of a cell, or fields: a row per image, a column per quantity, never NaN.

    Every row depends on its own image alone. Where a compartment is empty its mean is that of the crop, its
    spread 0 and its ratios 0; where no object is found, a central disc stands in for it.

    Parameters
    ----------
    pixels : Tensor, shape (n, c, h, w)
        Crops with one object in the centre, in their own value range.
    channel_names : sequence of str, length c
        Original names; a nuclear stain among them (see `nucleus_channel`) makes the object a ``nucleus``.
    masks : Tensor of bool, shape (n, h, w), optional
        The objects; rows without a single pixel, and all rows where None, are segmented from the pixels.
    pixel_size_um : float, optional
        Micrometres per pixel; None leaves lengths and areas in pixels.
    shape_from : {"masks", "pixels"}, default "masks"
        ``pixels`` segments afresh for size, shape and position, starting from the masks, so that an edit
        which changes the shape is seen; intensities are read inside `masks` either way.
    shape_channel : int, optional
        The channel to segment in; default the nuclear stain, else for each image the channel that shows the
        object best. Fix it (`choose_channel`) where images are compared with edits of themselves.
    view : {"cell", "field"}, default "cell"
        ``field``: several objects anywhere, see `fields`; masks of one object mean nothing then.

    Returns
    -------
    DataFrame
        n rows, columns named and ordered as in `quantities`, float64.

    Raises
    ------
    InputError
        If shapes, names or pixel size do not fit, or pixels are not finite.

    Examples
    --------
    >>> import torch
    >>> crops = torch.zeros(2, 1, 64, 64)
    >>> masks = torch.zeros(2, 64, 64, dtype=torch.bool)
    >>> masks[:, 22:42, 22:42] = True
    >>> measure(crops, ["DNA"], masks, pixel_size_um=0.5)["area_um2"].tolist()
    [100.0, 100.0]
    """
    _check(pixels, channel_names, masks, pixel_size_um, shape_channel)
    columns = [quantity.name for quantity in quantities(channel_names, pixel_size_um, view)]
    values = pixels.detach().cpu().numpy()
    given = None if masks is None else masks.detach().cpu().numpy().astype(bool)
    channel = nucleus_channel(channel_names) if shape_channel is None else shape_channel
    staining = staining_channels(channel_names)
    step = max(1, _CHUNK_VALUES // max(1, int(np.prod(values.shape[1:]))))
    parts = [np.zeros((0, len(columns)))]
    for start in range(0, len(values), step):
        some = slice(start, start + step)
        own = None if given is None else given[some]
        chunk = values[some].astype(np.float64)
        if view == "field":
            parts.append(_measure_fields(chunk, channel, pixel_size_um))
        else:
            parts.append(_measure_chunk(chunk, own, channel, staining, shape_from, pixel_size_um))
    return pd.DataFrame(np.concatenate(parts), columns=columns)


def _measure_chunk(
    pixels: NDArray[np.float64],
    masks: NDArray[np.bool_] | None,
    channel: int | None,
    staining: Sequence[int],
    shape_from: ShapeFrom,
    pixel_size_um: float | None,
) -> NDArray[np.float64]:
    objects = _objects(pixels, masks, channel)
    outlines = objects if shape_from == "masks" else _fresh(pixels, masks, objects, channel)
    form = shapes(outlines)
    bright = _channel_values(pixels, objects)
    first = _in_order(form | bright, SHAPES, CHANNELS, pixels.shape[1], pixel_size_um)
    last = [correlations(pixels, objects)]
    for index in staining:
        stained = shapes(segment(pixels, index)[0])
        last += [stained[t.stem][:, None] * _factor(t, pixel_size_um) for t in STAINED]
    return np.concatenate([first, *last], axis=1)


def _measure_fields(
    pixels: NDArray[np.float64], channel: int | None, pixel_size_um: float | None
) -> NDArray[np.float64]:
    found = fields(pixels, _channels(pixels, None, channel))
    return _in_order(found, FIELD_SHAPES, FIELD_CHANNELS, pixels.shape[1], pixel_size_um)


def _in_order(
    found: Mapping[str, NDArray[np.float64]],
    shapes: Sequence[Template],
    channels: Sequence[Template],
    count: int,
    pixel_size_um: float | None,
) -> NDArray[np.float64]:
    """Columns in the order of the catalogue: what is measured once, then what is measured in each channel."""
    columns = [found[t.stem] * _factor(t, pixel_size_um) for t in shapes]
    for index in range(count):
        columns += [found[t.stem][:, index] * _factor(t, pixel_size_um) for t in channels]
    return np.stack(columns, axis=1)


def _channel_values(
    pixels: NDArray[np.float64], objects: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    fine = smooth(pixels, scale_px(*pixels.shape[2:]))
    span = spans(fine)
    parts = compartments(objects)
    return {
        **intensities(pixels, parts, span),
        **textures(pixels, objects, span),
        **puncta(pixels, fine, objects, span),
        "gradient": gradients(pixels, parts.rest),
        "corner_mean": corner_means(pixels),
    }


def _objects(
    pixels: NDArray[np.float64], masks: NDArray[np.bool_] | None, channel: int | None
) -> NDArray[np.bool_]:
    if masks is None:
        return segment(pixels, _channels(pixels, None, channel))[0]
    missing = ~masks.any(axis=(1, 2))
    if not missing.any():
        return masks
    objects = masks.copy()
    objects[missing] = segment(pixels[missing], _channels(pixels[missing], None, channel))[0]
    return objects


def _fresh(
    pixels: NDArray[np.float64],
    masks: NDArray[np.bool_] | None,
    objects: NDArray[np.bool_],
    channel: int | None,
) -> NDArray[np.bool_]:
    if masks is None:
        return objects
    return segment(pixels, _channels(pixels, masks, channel), seeds=masks)[0]


def _channels(
    pixels: NDArray[np.float64], masks: NDArray[np.bool_] | None, channel: int | None
) -> NDArray[np.intp]:
    if channel is not None:
        return np.full(len(pixels), channel)
    if pixels.shape[1] == 1:
        return np.zeros(len(pixels), dtype=np.intp)
    return np.asarray(channel_scores(pixels, masks).argmax(axis=1))


def _factor(template: Template, pixel_size_um: float | None) -> float:
    return 1.0 if pixel_size_um is None else float(pixel_size_um**template.power)


def _check(
    pixels: Tensor,
    channel_names: Sequence[str],
    masks: Tensor | None,
    pixel_size_um: float | None,
    shape_channel: int | None,
) -> None:
    shape = tuple(pixels.shape)
    if len(shape) != 4 or min(shape[2:]) < _SMALLEST_PX or not shape[1]:
        raise InputError(
            f"pixels got shape {shape}, expected (n, channels, height, width), at least 8 px wide."
        )
    if len(channel_names) != shape[1]:
        raise InputError(
            f"channel_names got {len(channel_names)} names, expected one per channel ({shape[1]})."
        )
    if masks is not None and tuple(masks.shape) != (shape[0], *shape[2:]):
        raise InputError(
            f"masks got shape {tuple(masks.shape)}, expected {(shape[0], *shape[2:])} as the pixels."
        )
    if pixel_size_um is not None and not 0 < pixel_size_um < float("inf"):
        raise InputError(
            f"pixel_size_um got {pixel_size_um}, expected micrometres per pixel above 0, or None."
        )
    if shape_channel is not None and not 0 <= shape_channel < shape[1]:
        raise InputError(
            f"shape_channel got {shape_channel}, expected 0 to {shape[1] - 1}, or None to choose."
        )
    if not bool(pixels.isfinite().all()):
        raise InputError("pixels hold NaN or Inf: replace them before measuring.")
