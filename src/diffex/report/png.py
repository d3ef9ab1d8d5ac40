"""Pixels as PNG, for pages that hold their pictures in themselves."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_THOROUGH = 6  # of 9


def png_file(pixels: NDArray[np.uint8], effort: int = _THOROUGH) -> bytes:
    """Write a PNG file to memory.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w) or (h, w, 3) or (h, w, 4)
        Grey, colour, or colour with opacity.
    effort : int, default 6
        Of the compression, 1 (fast) to 9 (small).

    Returns
    -------
    bytes
        The file.

    Examples
    --------
    >>> png_file(np.zeros((2, 2), dtype=np.uint8))[1:4]
    b'PNG'
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=effort)
    return file.getvalue()


def png_text(pixels: NDArray[np.uint8], effort: int = _THOROUGH) -> str:
    """Write a PNG file in the letters of base64.

    Parameters
    ----------
    pixels : ndarray of uint8
        As `png_file` takes them.
    effort : int, default 6
        Of the compression.

    Returns
    -------
    str
        The file.
    """
    return base64.b64encode(png_file(pixels, effort)).decode("ascii")


def png_address(pixels: NDArray[np.uint8], effort: int = _THOROUGH) -> str:
    """Make an address that is the picture itself.

    Parameters
    ----------
    pixels : ndarray of uint8
        As `png_file` takes them.
    effort : int, default 6
        Of the compression.

    Returns
    -------
    str
        A ``data:image/png`` address.
    """
    return f"data:image/png;base64,{png_text(pixels, effort)}"
