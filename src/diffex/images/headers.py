"""What an image file says of itself before any pixel is decoded."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, final

from PIL.JpegImagePlugin import JpegImageFile

from diffex.base.errors import DiffexError
from diffex.images import ome_zarr, refusals, tiff, vendor
from diffex.images.acquisition import UNKNOWN, Acquisition
from diffex.images.stacks import StackHeader

Layout = Literal["grey", "grey_alpha", "rgb", "rgb_alpha", "stack"]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# PNG's colour types; 3 is a palette, which is turned into RGB.
_PNG_LAYOUTS: dict[int, Layout] = {0: "grey", 2: "rgb", 3: "rgb", 4: "grey_alpha", 6: "rgb_alpha"}
_CHANNELS = {"grey": 1, "grey_alpha": 2, "rgb": 3, "rgb_alpha": 4}
_NAMES = {
    "grey": ("grey",),
    "grey_alpha": ("grey", "alpha"),
    "rgb": ("red", "green", "blue"),
    "rgb_alpha": ("red", "green", "blue", "alpha"),
}


@final
@dataclass(frozen=True)
class Header:
    """Format, size, channels, dtype and metadata of one file.

    Parameters
    ----------
    format : {"png", "jpeg", "tiff", "zarr", "vendor"}
        Told by the first bytes, not by the suffix; a folder with Zarr's metadata is ``zarr``, and a file of
        other bytes with the suffix of a microscope vendor is ``vendor``.
    size : (int, int)
        Height and width in pixels.
    channels : int
        How many channels `diffex.images.decoding.read_image` gives, alpha included.
    layout : {"grey", "grey_alpha", "rgb", "rgb_alpha", "stack"}
        What the channels are; ``stack`` is any number of unnamed ones.
    dtype : str
        Name of the stored dtype, for example ``"uint16"``.
    names : tuple of str
        Of the channels, where the file names each; else empty.
    pixel_size_um : float or None
        Micrometres per pixel, where the file says.
    acquisition : Acquisition
        How the image was acquired, where the file says.
    """

    format: Literal["png", "jpeg", "tiff", "zarr", "vendor"]
    size: tuple[int, int]
    channels: int
    layout: Layout
    dtype: str
    names: tuple[str, ...] = ()
    pixel_size_um: float | None = None
    acquisition: Acquisition = UNKNOWN

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The file's own names, else those of its layout, else ``ch0``..."""
        return self.names or _NAMES.get(self.layout) or tuple(f"ch{i}" for i in range(self.channels))


def read_header(path: Path) -> Header:
    """Read one file's header; decode nothing.

    Parameters
    ----------
    path : Path
        A PNG, JPEG or TIFF file, one of a microscope's vendor, or the folder of an OME-Zarr image.

    Returns
    -------
    Header
        What the file says of itself.

    Raises
    ------
    InputError
        If the file is missing, empty, of another format, cut short, or above 64 megapixels.
    """
    zarr = ome_zarr.is_zarr(path)
    if not (zarr or path.is_file()):
        raise refusals.missing(path)
    try:
        return _stack_header("zarr", ome_zarr.read_zarr_header(path)) if zarr else _read_header(path)
    except DiffexError:
        raise
    # Parsers raise errors of every kind on damaged bytes; the user needs one sentence.
    except Exception as error:
        raise refusals.unreadable(path, f"{error}" or type(error).__name__) from error


def _read_header(path: Path) -> Header:
    with path.open("rb") as stream:
        magic = stream.read(8)
        if not magic:
            raise refusals.empty(path)
        if magic == _PNG:
            return _png_header(path, stream)
        if magic.startswith(_JPEG):
            return _jpeg_header(path, stream)
    if magic.startswith(_TIFF):
        return _stack_header("tiff", tiff.read_stack_header(path))
    if vendor.is_vendor(path):
        return _stack_header("vendor", vendor.read_vendor_header(path))
    raise refusals.unreadable(path, "its first bytes are of another format")


def _png_header(path: Path, stream: BinaryIO) -> Header:
    start = stream.read(25)
    if len(start) < 25:
        raise refusals.truncated(path)
    kind, width, height, depth, colour = struct.unpack(">4sIIBB", start[4:18])
    if kind != b"IHDR" or colour not in _PNG_LAYOUTS or not width or not height:
        raise refusals.unreadable(path, "its PNG header is damaged")
    refusals.refuse_bomb(path, (height, width))
    if depth == 16 and colour != 0:
        # Pillow would silently keep only the upper 8 bits.
        raise refusals.unreadable(path, "16-bit PNG files must be grey; 16-bit colour is read from TIFF")
    _refuse_cut_png(path, stream)
    layout = _PNG_LAYOUTS[colour]
    dtype = "uint16" if depth == 16 else "uint8"
    return Header("png", (height, width), _CHANNELS[layout], layout, dtype)


def _refuse_cut_png(path: Path, stream: BinaryIO) -> None:
    # Walking the chunks finds a cut file at opening, hours before a training would read it.
    while True:
        start = stream.read(8)
        if len(start) < 8:
            raise refusals.truncated(path)
        length, kind = struct.unpack(">I4s", start)
        if kind == b"IEND":
            return
        stream.seek(length + 4, 1)


def _jpeg_header(path: Path, stream: BinaryIO) -> Header:
    stream.seek(0)
    with JpegImageFile(stream) as image:
        size = (image.height, image.width)
        layout: Layout = "grey" if image.mode == "L" else "rgb"
        refusals.refuse_bomb(path, size)
        stream.seek(0)
        content = stream.read()
    if content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda"):
        raise refusals.truncated(path)
    return Header("jpeg", size, _CHANNELS[layout], layout, "uint8")


def _stack_header(form: Literal["tiff", "zarr", "vendor"], stack: StackHeader) -> Header:
    layout: Layout = "grey" if stack.channels == 1 else "stack"
    if stack.rgb and stack.channels in (3, 4):
        layout = "rgb" if stack.channels == 3 else "rgb_alpha"
    return Header(
        form, stack.size, stack.channels, layout, stack.dtype, stack.names, stack.pixel_size_um,
        stack.acquisition,
    )  # fmt: skip
