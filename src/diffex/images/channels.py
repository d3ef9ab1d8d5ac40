"""Which stored channels carry something, and what they are called."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.base.positions import evenly
from diffex.images.decoding import read_image
from diffex.images.headers import Header

_SAMPLE = 64
_log = logging.getLogger("diffex")


@final
@dataclass(frozen=True)
class Channels:
    """The stored channels that are used.

    Parameters
    ----------
    kept : tuple of int
        Their positions in the file.
    names : tuple of str
        A name for each.
    """

    kept: tuple[int, ...]
    names: tuple[str, ...]


def choose_channels(files: Sequence[Path], header: Header, names: Sequence[str] | None) -> Channels:
    """Choose the channels of a set whose files hold all channels.

    Looks at up to 64 files spread over the set. Left out, with a log line: an alpha channel that is
    constant, channels that are zero everywhere, and green and blue where they equal red.

    Parameters
    ----------
    files : sequence of Path
        All files of the set.
    header : Header
        The header that they share.
    names : sequence of str, optional
        Names of the channels. As many names as stored channels keep all of them.

    Returns
    -------
    Channels
        What to use.

    Raises
    ------
    InputError
        If the number of names fits neither the stored nor the used channels, or a name repeats.
    """
    if names is not None and len(set(names)) != len(names):
        raise InputError(f"channel_names got {', '.join(names)}, expected different names: rename one.")
    if names is not None and len(names) == header.channels:
        return Channels(tuple(range(header.channels)), tuple(names))
    used = _used_channels(files, header, header.channel_names)
    if names is None:
        return used
    if len(names) != len(used.kept):
        raise InputError(
            f"channel_names got {len(names)} names ({', '.join(names)}), expected {len(used.kept)} for the "
            f"channels in use ({', '.join(used.names)}) or {header.channels} for all stored ones: "
            "give a name to each."
        )
    return Channels(used.kept, tuple(names))


def choose_part(files: Sequence[Path], header: Header, name: str) -> Channels:
    """Choose the one channel of files that hold a channel each.

    Parameters
    ----------
    files : sequence of Path
        The files of this channel.
    header : Header
        The header that they share.
    name : str
        What the channel is called.

    Returns
    -------
    Channels
        A single one.

    Raises
    ------
    InputError
        If the files hold more than one channel.
    """
    used = _used_channels(files, header, header.channel_names)
    if len(used.kept) != 1:
        raise InputError(
            f"The files of channel {name!r} hold {len(used.kept)} channels ({', '.join(used.names)}), "
            "expected one file per channel: save grey images, or name these files with path=COLUMN."
        )
    return Channels(used.kept, (name,))


def _used_channels(files: Sequence[Path], header: Header, stored: tuple[str, ...]) -> Channels:
    if header.channels == 1:
        return Channels((0,), stored)
    sample = _sample(files)
    kept = tuple(range(header.channels))
    if header.layout.endswith("alpha") and _constant([pixels[-1] for pixels in sample]):
        kept = kept[:-1]
        _log.info("The alpha channel is constant in all of %d images looked at: left out.", len(sample))
    if kept == (0, 1, 2) and header.layout.startswith("rgb") and all(_is_grey(pixels) for pixels in sample):
        _log.info("Red, green and blue are equal in all of %d images looked at: one kept.", len(sample))
        return Channels((0,), ("grey",))
    lit = tuple(channel for channel in kept if any(pixels[channel].any() for pixels in sample)) or kept[:1]
    if lit != kept:
        dark = ", ".join(stored[channel] for channel in kept if channel not in lit)
        _log.info("Zero in all of %d images looked at, left out: channel %s.", len(sample), dark)
    return Channels(lit, tuple(stored[channel] for channel in lit))


def _sample(files: Sequence[Path]) -> list[NDArray[np.float32]]:
    positions = evenly(len(files), _SAMPLE)
    return [read_image(files[position]).pixels for position in positions]


def _constant(planes: Sequence[NDArray[np.float32]]) -> bool:
    return all(bool((plane == planes[0].flat[0]).all()) for plane in planes)


def _is_grey(pixels: NDArray[np.float32]) -> bool:
    return bool((pixels[0] == pixels[1]).all() and (pixels[0] == pixels[2]).all())
