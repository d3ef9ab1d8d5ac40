"""Images as a vision-language model takes them: a few PNGs."""

import io
from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffex.images.images import Images

_SIDES = (256, 1024)  # px: smaller ones are enlarged, larger ones reduced
_COLOURS = ("red", "green", "blue")
_STRETCH = (0.5, 99.5)


@final
class Pictures:
    """Some of the images, ready to be shown to a model.

    Parameters
    ----------
    images : Images
        All of them.
    count : int
        At most so many are shown, evenly spaced over the classes.
    """

    def __init__(self, images: Images, count: int) -> None:
        order = np.arange(len(images)) if images.labels is None else np.argsort(images.labels, kind="stable")
        places = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(np.int64))
        shown = images.read(order[places]).numpy()
        self.pngs: tuple[bytes, ...] = tuple(_png(picture) for picture in _as_rgb(shown, images))
        self.legend = _legend(images.channel_names)


def _legend(names: Sequence[str]) -> str:
    if len(names) == 1 or [name.lower() for name in names] == list(_COLOURS):
        return ""
    shown = ", ".join(f"{name[:60]} in {colour}" for name, colour in zip(names, _COLOURS, strict=False))
    return f"Colours show channels: {shown}. "


def _as_rgb(pixels: NDArray[np.float32], images: Images) -> NDArray[np.uint8]:
    planes = pixels[:, :3]
    low, high = _limits(planes, images)
    scaled = np.clip((planes - low) / np.maximum(high - low, 1e-12), 0, 1)
    if planes.shape[1] == 1:
        scaled = np.repeat(scaled, 3, axis=1)
    missing = 3 - scaled.shape[1]
    scaled = np.pad(scaled, ((0, 0), (0, missing), (0, 0), (0, 0)))
    return np.asarray(np.rint(255 * scaled.transpose(0, 2, 3, 1)), dtype=np.uint8)


def _limits(planes: NDArray[np.float32], images: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give black and white of each channel: 8 bit as it is, else the channel's own quantiles."""
    if images.dtype == "uint8":
        return np.array(images.value_range[0], dtype=np.float64), np.array(
            images.value_range[1], dtype=np.float64
        )
    low, high = np.percentile(planes, _STRETCH, axis=(0, 2, 3))[..., None, None]
    return np.asarray(low), np.asarray(high)


def _png(picture: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(picture)
    side = max(image.size)
    factor = max(_SIDES[0] / side, 1.0) if side < _SIDES[1] else _SIDES[1] / side
    size = tuple(max(1, round(edge * factor)) for edge in image.size)
    buffer = io.BytesIO()
    image.resize((size[0], size[1]), Image.Resampling.BICUBIC).save(buffer, format="PNG")
    return buffer.getvalue()
