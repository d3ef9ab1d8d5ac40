"""The sentences for image files that cannot be used: what was got, what was expected, what to do."""

from pathlib import Path

from diffex.base.errors import InputError
from diffex.images.naming import shown

MAX_MEGAPIXELS = 64
PLANES = {"Z": "planes of Z", "T": "points in time"}
"""What the axes are called that an image of channels has not."""


def missing(path: Path) -> InputError:
    """Give the error for a file that is not there.

    Parameters
    ----------
    path : Path
        The file, for the message.

    Returns
    -------
    InputError
        To be raised.
    """
    return InputError(f"{shown(path)} is missing, expected an image file: check the path or leave it out.")


def empty(path: Path) -> InputError:
    """Give the error for a file of zero bytes.

    Parameters
    ----------
    path : Path
        The file, for the message.

    Returns
    -------
    InputError
        To be raised.
    """
    return InputError(
        f"{shown(path)} is empty (0 bytes), expected a PNG, JPEG, TIFF or OME-Zarr image: "
        "copy it again or leave it out."
    )


def truncated(path: Path) -> InputError:
    """Give the error for a file whose data end early.

    Parameters
    ----------
    path : Path
        The file, for the message.

    Returns
    -------
    InputError
        To be raised.
    """
    return InputError(
        f"{shown(path)} is truncated (its data end early), expected a whole image: "
        "copy it again or leave it out."
    )


def unreadable(path: Path, why: str) -> InputError:
    """Give the error for a file that cannot be decoded.

    Parameters
    ----------
    path : Path
        The file, for the message.
    why : str
        The reason, in a few words.

    Returns
    -------
    InputError
        To be raised.
    """
    return InputError(
        f"{shown(path)} cannot be read ({shown(why)}), expected a PNG, JPEG, TIFF or OME-Zarr image: "
        "save it again or leave it out."
    )


def not_one_plane(path: Path, count: int, what: str) -> InputError:
    """Give the error for volumes, films and sets in one file.

    Parameters
    ----------
    path : Path
        The file, for the message.
    count : int
        How many planes there are.
    what : str
        What they are, one of `PLANES` or the like.

    Returns
    -------
    InputError
        To be raised.
    """
    return InputError(
        f"{shown(path)} holds {count} {what}, expected one image of channels: project it (maximum, mean) or "
        "save one file per plane."
    )


def not_finite(path: Path) -> InputError:
    """Give the error for NaN or infinite pixels.

    Parameters
    ----------
    path : Path
        The file, for the message.

    Returns
    -------
    InputError
        To be raised.
    """
    return InputError(
        f"{shown(path)} holds NaN or Inf pixels, expected finite numbers: replace them or leave it out."
    )


def refuse_bomb(path: Path, size: tuple[int, int], channels: int = 1) -> None:
    """Refuse an image too large to decode safely.

    Parameters
    ----------
    path : Path
        The file, for the message.
    size : (int, int)
        Height and width from the header, in pixels.
    channels : int, default 1
        How many channels are stored; four are counted as one image's worth.

    Raises
    ------
    InputError
        If there are more than 64 megapixels.
    """
    height, width = size
    megapixels = height * width * max(1.0, channels / 4) / 1e6
    if megapixels > MAX_MEGAPIXELS:
        raise InputError(
            f"{shown(path)} claims {width}x{height} px ({megapixels:.0f} megapixels), expected at most "
            f"{MAX_MEGAPIXELS} megapixels: cut it into tiles or leave it out."
        )
