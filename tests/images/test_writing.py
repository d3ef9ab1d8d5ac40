from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffex.base.errors import InputError
from diffex.images import open_images, place, read_image, write_image

RANGES = {"uint8": (0, 255), "uint16": (0, 65535), "int16": (-32768, 32767), "uint32": (0, 2**32 - 1)}


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_what_is_written_is_read_again(tmp_path, channels, dtype):
    value_range = RANGES.get(dtype, (0, 1))
    shape = (channels, 32, 30)
    pixels = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * value_range[1]
    pixels = pixels if dtype.startswith("float") else pixels.round()
    path = write_image(tmp_path / "cell.png", pixels, dtype, value_range)
    image = read_image(path)
    assert path.name == ("cell.png" if dtype == "uint8" and channels < 4 else "cell.tif")
    assert image.dtype == dtype
    np.testing.assert_array_equal(image.pixels[:channels], pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float16"])
def test_tiff_keeps_names_and_pixel_size(tmp_path, dtype):
    names = ("DNA", "Aktin \u03b1")
    path = write_image(tmp_path / "a.ome.tif", torch.ones(2, 32, 30), dtype, (0, 1), names, 0.65)
    header = read_image(path).header
    assert (path.name, header.dtype) == ("a.ome.tif", dtype)
    known = dtype != "float16"  # which OME-TIFF does not know
    assert (header.names, header.pixel_size_um) == ((names, 0.65) if known else ((), None))


def test_two_channels_get_a_blue_of_zero(tmp_path):
    write_image(tmp_path / "a.png", torch.full((2, 32, 32), 7.0), "uint8", (0, 255))
    assert Image.open(tmp_path / "a.png").getextrema() == ((7, 7), (7, 7), (0, 0))
    assert open_images(tmp_path).channel_names == ("red", "green")


@pytest.mark.parametrize("dtype", RANGES)
def test_integers_are_rounded_and_clipped(tmp_path, dtype):
    low, high = RANGES[dtype]
    pixels = torch.tensor([-1e12, 3.4, 3.6, 1e12]).repeat(1, 32, 8)
    stored = read_image(write_image(tmp_path / "a.tif", pixels, dtype, (low, high))).pixels
    np.testing.assert_array_equal(stored[0, 0, :4], np.float32([low, 3, 4, high]))


def test_floats_are_clipped_not_rounded(tmp_path):
    pixels = torch.tensor([-2.0, 0.25, 0.5, 3.0]).repeat(1, 32, 8)
    stored = read_image(write_image(tmp_path / "a", pixels, "float32", (-1, 1))).pixels
    np.testing.assert_array_equal(stored[0, 0, :4], np.float32([-1, 0.25, 0.5, 1]))


@pytest.mark.parametrize(
    ("name", "expected"), [("a.jpg", "a.png"), ("a.PNG", "a.PNG"), ("a.v2", "a.v2.png"), ("a.tif", "a.png")]
)
def test_suffix_follows_the_format(tmp_path, name, expected):
    pixels = torch.zeros(1, 32, 32)
    assert write_image(tmp_path / "new" / name, pixels, "uint8", (0, 255)) == tmp_path / "new" / expected
    assert [file.name for file in (tmp_path / "new").iterdir()] == [expected]


def test_tiff_suffix_is_kept(tmp_path):
    assert write_image(tmp_path / "a.tiff", torch.zeros(1, 32, 32), "uint16", (0, 65535)).name == "a.tiff"


@pytest.mark.parametrize("pixels", [torch.zeros(32, 32), torch.full((1, 32, 32), torch.nan)])
def test_bad_pixels_write_nothing(tmp_path, pixels):
    with pytest.raises(InputError, match=r"a\.png was to hold pixels of shape .*: nothing was written"):
        write_image(tmp_path / "a.png", pixels, "uint8", (0, 255))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../../x/a.png", "/x/a.png", "x/../a.png", "//x/a.png"])
def test_place_never_leaves_the_folder(name):
    assert place(Path("out"), name).is_relative_to("out")
    assert ".." not in place(Path("out"), name).parts
