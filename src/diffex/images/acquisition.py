"""How images were acquired, as far as their files say."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import final

import pandas as pd

DATES = ("date", "acquired")
"""Columns of when: the day, and day and time."""


@final
@dataclass(frozen=True)
class ChannelAcquisition:
    """How one channel was acquired; None where the file does not say.

    Parameters
    ----------
    exposure_s : float, optional
        Seconds.
    excitation_nm, emission_nm : float, optional
        Nanometres.
    """

    exposure_s: float | None = None
    excitation_nm: float | None = None
    emission_nm: float | None = None


@final
@dataclass(frozen=True)
class Acquisition:
    """How an image was acquired; None where its file does not say.

    Parameters
    ----------
    acquired : str, optional
        Date and time, ISO 8601.
    manufacturer, microscope : str, optional
        Whose microscope, and which.
    magnification : float, optional
        Of the objective.
    numerical_aperture : float, optional
        Likewise.
    channels : tuple of ChannelAcquisition
        One per channel of the image, or empty.
    """

    acquired: str | None = None
    manufacturer: str | None = None
    microscope: str | None = None
    magnification: float | None = None
    numerical_aperture: float | None = None
    channels: tuple[ChannelAcquisition, ...] = ()

    def of(self, channels: int) -> "Acquisition":
        """Leave out what is said of channels, unless it is said of this many.

        Parameters
        ----------
        channels : int
            That the image has.

        Returns
        -------
        Acquisition
            Of that image.
        """
        return self if len(self.channels) == channels else replace(self, channels=())

    def known(self, channel_names: Sequence[str]) -> dict[str, str | float]:
        """Give what is known by name.

        Parameters
        ----------
        channel_names : sequence of str
            One per channel.

        Returns
        -------
        dict of str to str or float
            ``acquired, manufacturer, microscope, magnification, numerical_aperture``, and of each channel
            ``NAME_exposure_s``, ``NAME_excitation_nm``, ``NAME_emission_nm``.

        Examples
        --------
        >>> Acquisition(magnification=20.0, channels=(ChannelAcquisition(0.1),)).known(["DNA"])
        {'magnification': 20.0, 'DNA_exposure_s': 0.1}
        """
        named = asdict(self)
        for name, channel in zip(channel_names, named.pop("channels"), strict=False):
            named |= {f"{name}_{key}": value for key, value in channel.items()}
        return {name: value for name, value in named.items() if value is not None}


UNKNOWN = Acquisition()
"""Of a file that does not say."""


def join_acquisitions(parts: Sequence[tuple[Acquisition, int]]) -> Acquisition:
    """Join what the files of one image say, a channel or more each.

    Parameters
    ----------
    parts : sequence of (Acquisition, int)
        Of each file, and how many of its channels are used.

    Returns
    -------
    Acquisition
        With the channels of all; of the rest what the first file that knows it says.
    """
    rest: dict[str, str | float] = {}
    channels: list[ChannelAcquisition] = []
    for part, count in parts:
        channels += (part.channels or (ChannelAcquisition(),) * count)[:count]
        rest = part.known(()) | rest
    return Acquisition(**rest, channels=tuple(channels))  # type: ignore[arg-type]  # by their names


def split_acquisitions(
    acquisitions: Sequence[Acquisition], channel_names: Sequence[str]
) -> tuple[dict[str, str | float], pd.DataFrame]:
    """Split what is known of some images into what they share and what tells them apart.

    Parameters
    ----------
    acquisitions : sequence of Acquisition
        Of each image.
    channel_names : sequence of str
        One per channel.

    Returns
    -------
    shared : dict of str to str or float
        What all of them say.
    apart : DataFrame
        A row per image, a column for each thing in which they differ, and the day as ``date`` where days
        differ and all are known.
    """
    rows = [one.known(channel_names) for one in acquisitions]
    shared = {name: value for name, value in rows[0].items() if all(row.get(name) == value for row in rows)}
    apart = pd.DataFrame(rows, index=range(len(rows))).drop(columns=[*shared])
    if "acquired" in apart and apart["acquired"].notna().all():
        days = apart["acquired"].str[: len("2000-01-01")]
        apart = apart.assign(date=days) if days.nunique() > 1 else apart
    return shared, apart
