"""What a file of many channels says of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from diffex.images.acquisition import UNKNOWN, Acquisition
from diffex.images.naming import clean_text


@final
@dataclass(frozen=True)
class StackHeader:
    """Shape, dtype and metadata of a TIFF file or an OME-Zarr image.

    Parameters
    ----------
    size : (int, int)
        Height and width in pixels.
    channels : int
        Samples per pixel, planes or pages.
    dtype : str
        Stored dtype; ``bool`` counts as ``uint8`` (0 and 255).
    rgb : bool
        Whether the file says that its channels are red, green, blue (and alpha).
    names : tuple of str
        Of the channels; empty where the file does not name each.
    pixel_size_um : float or None
        Micrometres per pixel; None where the file does not say.
    acquisition : Acquisition
        How the image was acquired, as far as the file says.
    """

    size: tuple[int, int]
    channels: int
    dtype: str
    rgb: bool = False
    names: tuple[str, ...] = ()
    pixel_size_um: float | None = None
    acquisition: Acquisition = UNKNOWN


def usable_names(names: Sequence[object], channels: int) -> tuple[str, ...]:
    """Keep channel names that tell all channels apart.

    Parameters
    ----------
    names : sequence
        As a file gives them; None where a channel has none.
    channels : int
        How many channels there are.

    Returns
    -------
    tuple of str
        A different name for each channel, or empty.

    Examples
    --------
    >>> usable_names(["DNA", " actin "], 2)
    ('DNA', 'actin')
    >>> usable_names(["DNA", None], 2)
    ()
    """
    texts = tuple(clean_text(str(name)).strip() for name in names if name is not None)
    return texts if len(texts) == channels == len(set(texts)) and all(texts) else ()
