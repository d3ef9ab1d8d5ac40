"""Which quantities are measured, with their names, words and units."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, final

from diffex.measurements.quantity import Kind, Quantity, channel_slugs, unique

View = Literal["cell", "field"]
"""What an image shows: one object in its middle, or several anywhere."""

_NUCLEAR = re.compile(r"dna|dapi|hoechst|nucle(?!ol)|h2b|draq|propidium|sytox|histone")


@final
@dataclass(frozen=True)
class Template:
    """A quantity before the object, the channel and the length unit are filled in.

    Parameters
    ----------
    stem : str
        What the measuring functions call it.
    name, words : str
        With ``{object}`` or ``{objects}``, ``{slug}``, ``{channel}`` and ``{length}`` to be filled in.
    unit : str
        The unit, unless `power` says that it is a length or an area.
    kind : str
        Its family.
    log : bool
        Whether a change reads best as a percentage or fold.
    power : int
        Power of the pixel size that turns pixels into micrometres: 0, 1 or 2.
    """

    stem: str
    name: str
    words: str
    unit: str
    kind: Kind
    log: bool
    power: int = 0

    def fill(self, object_word: str, slug: str, channel: str, pixel_size_um: float | None) -> Quantity:
        """Fill in object, channel and length unit.

        Parameters
        ----------
        object_word : str
            ``"nucleus"`` or ``"object"``.
        slug, channel : str
            Column-safe and original name of the channel; empty for shapes.
        pixel_size_um : float or None
            Micrometres per pixel.

        Returns
        -------
        Quantity
            Ready to name a column.
        """
        length = _length(self.power, pixel_size_um)
        parts = {
            "object": object_word, "objects": _PLURAL[object_word], "slug": slug, "channel": channel,
            "length": length,
        }  # fmt: skip
        unit = length if self.power else self.unit
        return Quantity(self.name.format(**parts), self.words.format(**parts), unit, self.kind, self.log)


_PLURAL = {"object": "objects", "nucleus": "nuclei"}


def _length(power: int, pixel_size_um: float | None) -> str:
    if pixel_size_um is None:
        return "px"
    return "um2" if power == 2 else "um"


SHAPES = (
    Template("area", "area_{length}", "{object} area", "", "size", True, 2),
    Template("perimeter", "perimeter_{length}", "{object} perimeter", "", "size", True, 1),
    Template("major_axis", "major_axis_{length}", "{object} length (major axis)", "", "size", True, 1),
    Template("minor_axis", "minor_axis_{length}", "{object} width (minor axis)", "", "size", True, 1),
    Template("eccentricity", "eccentricity", "{object} eccentricity", "", "shape", False),
    Template("form_factor", "form_factor", "{object} roundness (form factor)", "", "shape", False),
    Template("solidity", "solidity", "{object} solidity", "", "shape", False),
    Template(
        "centroid_offset",
        "centroid_offset",
        "{object} distance from the crop centre",
        "px",
        "position",
        False,
    ),
)

_GREY = "grey levels"
CHANNELS = (
    Template(
        "object_mean", "{object}_mean_{slug}", "mean {channel} in the {object}", _GREY, "intensity", True
    ),
    Template(
        "object_sd", "sd_{object}_{slug}", "spread of {channel} within the {object}", _GREY, "intensity", True
    ),
    Template(
        "total", "total_{slug}", "total {channel} in the {object} above background", _GREY, "intensity", True
    ),
    Template(
        "ring_mean",
        "ring_mean_{slug}",
        "mean {channel} in the ring around the {object}",
        _GREY,
        "intensity",
        True,
    ),
    Template(
        "ring_sd",
        "sd_ring_{slug}",
        "spread of {channel} in the ring around the {object}",
        _GREY,
        "intensity",
        True,
    ),
    Template(
        "log2_ratio", "log2_{object}_ring_{slug}", "{object}/ring ratio of {channel}", "log2", "ratio", False
    ),
    Template(
        "edge_contrast",
        "edge_contrast_{slug}",
        "contrast of {channel} across the {object} edge",
        "",
        "ratio",
        False,
    ),
    Template(
        "rest_mean", "rest_mean_{slug}", "mean {channel} away from the {object}", _GREY, "intensity", True
    ),
    Template("image_mean", "image_mean_{slug}", "mean {channel} of the whole crop", _GREY, "intensity", True),
    Template(
        "background", "background_mean_{slug}", "background level of {channel}", _GREY, "intensity", True
    ),
    Template(
        "gradient",
        "background_gradient_{slug}",
        "background gradient of {channel} across the crop",
        _GREY,
        "intensity",
        False,
    ),
    Template(
        "corner_mean", "corner_mean_{slug}", "mean {channel} in the crop corners", _GREY, "intensity", True
    ),
    Template(
        "granularity",
        "granularity_{slug}",
        "fine granularity of {channel} in the {object}",
        "",
        "texture",
        False,
    ),
    Template(
        "coarse",
        "texture_contrast_{slug}",
        "coarse texture of {channel} in the {object}",
        "",
        "texture",
        False,
    ),
    Template("puncta_count", "puncta_count_{slug}", "puncta count in {channel}", "count", "puncta", False),
    Template(
        "puncta_contrast", "puncta_contrast_{slug}", "puncta contrast in {channel}", _GREY, "puncta", False
    ),
    Template(
        "puncta_spread",
        "puncta_spread_{slug}_{length}",
        "mean distance of {channel} puncta from the {object} centre",
        "",
        "puncta",
        False,
        1,
    ),
)

_IN_OBJECT = re.compile(
    r"(?:(?:nucleus|object)_mean|sd_(?:nucleus|object)|total|granularity|texture_contrast)_(\w+)"
)

STAINED = (
    Template("area", "stained_area_{slug}_{length}", "area stained by {channel}", "", "extent", True, 2),
    Template(
        "solidity",
        "stained_solidity_{slug}",
        "solidity of the area stained by {channel}",
        "",
        "extent",
        False,
    ),
)
"""Of every channel but the nuclear one, where there is one: how large the cell is, how ragged its outline."""

FIELD_SHAPES = (
    Template("count", "object_count", "number of {objects} in the field", "count", "extent", False),
    Template("area", "object_area_{length}", "mean area of {objects}", "", "size", True, 2),
    Template("eccentricity", "object_eccentricity", "mean eccentricity of {objects}", "", "shape", False),
)
FIELD_CHANNELS = (
    Template("object_mean", "object_mean_{slug}", "mean {channel} in {objects}", _GREY, "intensity", True),
    Template(
        "brightest",
        "brightest_{slug}",
        "mean {channel} in the brightest of {objects}",
        _GREY,
        "intensity",
        True,
    ),
    Template("image_mean", "image_mean_{slug}", "mean {channel} of the field", _GREY, "extent", True),
    Template("covered", "covered_{slug}", "share of the field stained by {channel}", "", "extent", False),
    Template(
        "gradient",
        "background_gradient_{slug}",
        "background gradient of {channel} across the field",
        _GREY,
        "intensity",
        False,
    ),
    Template(
        "granularity",
        "granularity_{slug}",
        "fine granularity of {channel} in {objects}",
        "",
        "texture",
        False,
    ),
    Template(
        "coarse", "texture_contrast_{slug}", "coarse texture of {channel} in {objects}", "", "texture", False
    ),
    Template(
        "specks",
        "speck_contrast_{slug}",
        "summed contrast of {channel} specks off {objects}",
        _GREY,
        "puncta",
        True,
    ),
    Template(
        "puncta_count", "puncta_count_{slug}", "puncta of {channel} on {objects}", "count", "puncta", False
    ),
)


def nucleus_channel(channel_names: Sequence[str]) -> int | None:
    """Find the channel that shows nuclei, by its name.

    Parameters
    ----------
    channel_names : sequence of str
        Original names.

    Returns
    -------
    int or None
        The first whose name holds a nuclear stain (DNA, DAPI, Hoechst, H2B...); None where none does.

    Examples
    --------
    >>> nucleus_channel(["FKHR", "DNA"])
    1
    >>> nucleus_channel(["brightfield"]) is None
    True
    """
    found = (i for i, name in enumerate(channel_names) if _NUCLEAR.search(name.lower()))
    return next(found, None)


def read_in_object(name: str) -> str | None:
    """Find the channel of a quantity that is read within the object alone.

    Parameters
    ----------
    name : str
        Of a quantity of `quantities`, view ``cell``.

    Returns
    -------
    str or None
        Its slug; None for shapes, and for what is read elsewhere or in several places.

    Examples
    --------
    >>> read_in_object("sd_nucleus_dna"), read_in_object("ring_mean_dna")
    ('dna', None)
    """
    found = _IN_OBJECT.fullmatch(name)
    return found[1] if found else None


def staining_channels(channel_names: Sequence[str]) -> list[int]:
    """Find the channels that may show more of the cell than its nucleus.

    Parameters
    ----------
    channel_names : sequence of str
        Original names.

    Returns
    -------
    list of int
        All but the nuclear one; none where no channel is nuclear, since the object is then the cell itself.

    Examples
    --------
    >>> staining_channels(["FKHR", "DNA"]), staining_channels(["red", "green", "blue"])
    ([0], [])
    """
    nucleus = nucleus_channel(channel_names)
    return [] if nucleus is None else [i for i in range(len(channel_names)) if i != nucleus]


def quantities(
    channel_names: Sequence[str], pixel_size_um: float | None = None, view: View = "cell"
) -> tuple[Quantity, ...]:
    """List what `measure` measures, in the order of its columns.

    Parameters
    ----------
    channel_names : sequence of str
        Original names. Where one of them is a nuclear stain the object is called ``nucleus``, else
        ``object``.
    pixel_size_um : float, optional
        Micrometres per pixel; None where unknown, then lengths and areas are in pixels.
    view : {"cell", "field"}, default "cell"
        One object in the middle, or several anywhere.

    Returns
    -------
    tuple of Quantity
        Of a cell 8 of shape and position, 17 per channel, one correlation per pair of channels; beside a
        nuclear stain 2 of what each other channel stains. Of a field 3 of its objects, 9 per channel.

    Examples
    --------
    >>> [q.name for q in quantities(["FKHR", "DNA"], 0.5)][:2]
    ['area_um2', 'perimeter_um']
    >>> [q.words for q in quantities(["FKHR", "DNA"]) if q.name == "log2_nucleus_ring_fkhr"]
    ['nucleus/ring ratio of FKHR']
    """
    found = tuple((_of_cell if view == "cell" else _of_field)(channel_names, pixel_size_um))
    names = unique([quantity.name for quantity in found])
    return tuple(replace(quantity, name=name) for quantity, name in zip(found, names, strict=True))


def _of_field(channel_names: Sequence[str], pixel_size_um: float | None) -> Iterator[Quantity]:
    return _filled(FIELD_SHAPES, FIELD_CHANNELS, channel_names, pixel_size_um)


def _filled(
    shapes: Sequence[Template],
    channels: Sequence[Template],
    channel_names: Sequence[str],
    pixel_size_um: float | None,
) -> Iterator[Quantity]:
    word = _object_word(channel_names)
    for template in shapes:
        yield template.fill(word, "", "", pixel_size_um)
    for slug, channel in zip(channel_slugs(channel_names), channel_names, strict=True):
        for template in channels:
            yield template.fill(word, slug, channel, pixel_size_um)


def _object_word(channel_names: Sequence[str]) -> str:
    return "object" if nucleus_channel(channel_names) is None else "nucleus"


def _of_cell(channel_names: Sequence[str], pixel_size_um: float | None) -> Iterator[Quantity]:
    yield from _filled(SHAPES, CHANNELS, channel_names, pixel_size_um)
    word, slugs = _object_word(channel_names), channel_slugs(channel_names)
    for i, j in combinations(range(len(slugs)), 2):
        words = f"correlation of {channel_names[i]} with {channel_names[j]} in the {word}"
        yield Quantity(f"correlation_{slugs[i]}_{slugs[j]}", words, "", "ratio", False)
    for index in staining_channels(channel_names):
        for template in STAINED:
            yield template.fill(word, slugs[index], channel_names[index], pixel_size_um)
