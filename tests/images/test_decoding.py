import numpy as np
import pytest
import tifffile
from PIL import Image

from diffex.base.errors import InputError
from diffex.images import read_image, read_mask
from diffex.images.decoding import value_range_of


def test_grey_png_keeps_every_value(tmp_path, make):
    image = read_image(make.save("a.png", make.grey(0)))
    np.testing.assert_array_equal(image.pixels[0], make.grey(0))
    assert (image.dtype, image.value_range, image.pixels.dtype) == ("uint8", (0, 255), np.float32)


def test_16_bit_png_keeps_every_value(tmp_path, make):
    image = read_image(make.save("a.png", make.grey(0, dtype="uint16")))
    np.testing.assert_array_equal(image.pixels[0], make.grey(0, dtype="uint16"))
    assert (image.dtype, image.value_range) == ("uint16", (0, 65535))


def test_rgb_png_becomes_channels_first(tmp_path, make):
    pixels = read_image(make.save("a.png", make.rgb(0))).pixels
    np.testing.assert_array_equal(pixels, np.moveaxis(make.rgb(0), -1, 0))


def test_jpeg_is_told_by_content_not_suffix(tmp_path, make):
    Image.fromarray(make.rgb(0)).save(tmp_path / "a.png", format="JPEG")
    image = read_image(tmp_path / "a.png")
    assert (image.header.format, image.pixels.shape) == ("jpeg", (3, 32, 32))


def test_grey_and_cmyk_jpeg(tmp_path, make):
    Image.fromarray(make.grey(0)).save(tmp_path / "g.jpg")
    Image.fromarray(make.rgb(0)).convert("CMYK").save(tmp_path / "c.jpg")
    assert read_image(tmp_path / "g.jpg").pixels.shape == (1, 32, 32)
    assert read_image(tmp_path / "c.jpg").pixels.shape == (3, 32, 32)


@pytest.mark.parametrize("transparent", [False, True])
def test_palette_becomes_its_colours(tmp_path, make, transparent):
    palette = Image.fromarray(make.rgb(0)).quantize(16)
    options = {"transparency": bytes(range(16))} if transparent else {}
    palette.save(tmp_path / "a.png", **options)
    expected = np.moveaxis(np.asarray(palette.convert("RGB")), -1, 0)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, expected)


def test_one_bit_png_is_0_and_255(tmp_path, make):
    make.save("a.png", make.grey(0) > 99)
    assert set(np.unique(read_image(tmp_path / "a.png").pixels)) == {0, 255}


@pytest.mark.parametrize("shape", [(32, 40), (5, 32, 40), (1, 32, 40), (2, 32, 40), (50, 60, 70)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float16", "float32", "float64"])
def test_tiff_stacks(tmp_path, make, shape, dtype):
    stack = (np.random.default_rng(0).random(shape) * 100).astype(dtype)
    image = read_image(make.save("a.tif", stack))
    np.testing.assert_array_equal(image.pixels, stack.reshape(-1, *shape[-2:]).astype("float32"))
    assert image.dtype == dtype


def test_tiff_with_channels_last(tmp_path, make):
    stack = np.random.default_rng(0).random((32, 40, 5)).astype("float32")
    np.testing.assert_array_equal(read_image(make.save("a.tif", stack)).pixels, np.moveaxis(stack, -1, 0))


def test_tiff_written_page_by_page_has_a_channel_per_page(tmp_path, make):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for i in range(3):
            writer.write(make.grey(i), photometric="minisblack")
    pixels = read_image(tmp_path / "a.tif").pixels
    np.testing.assert_array_equal(pixels, np.stack([make.grey(i) for i in range(3)]))


@pytest.mark.parametrize("options", [{"imagej": True}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_tiff_flavours(tmp_path, make, options):
    stack = np.stack([make.grey(i, dtype="uint16") for i in range(2)])
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", metadata={"axes": "CYX"}, **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, stack)


@pytest.mark.parametrize(
    ("dtype", "bounds", "expected"),
    [
        ("uint8", (3, 4), (0, 255)),
        ("int16", (0, 9), (-32768, 32767)),
        ("float32", (0, 1), (0, 1)),
        ("float32", (-0.2, 1), (-1, 1)),
        ("float64", (-3.17, 12.4), (-4, 13)),
        ("float32", (0, 4090), (0, 4100)),
        ("float32", (0.0, 1.01), (0, 1.1)),
        ("float32", (5, 5), (5, 6)),
    ],
)
def test_value_range(dtype, bounds, expected):
    assert value_range_of(dtype, bounds) == expected


def test_mask_is_any_value_in_any_colour_but_alpha(tmp_path, make):
    inside = np.zeros((32, 32), dtype=bool)
    inside[4:9, 5:8] = True
    rgba = np.zeros((32, 32, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    rgba[inside, 1] = 1
    np.testing.assert_array_equal(read_mask(make.save("a.png", rgba)), inside)
    np.testing.assert_array_equal(read_mask(make.save("b.png", inside)), inside)
    np.testing.assert_array_equal(read_mask(make.save("c.tif", inside.astype("uint16") * 7)), inside)


def test_missing_and_empty_files(tmp_path, make):
    with pytest.raises(InputError, match=r"gone\.png is missing"):
        read_image(tmp_path / "gone.png")
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match=r"a\.png is empty \(0 bytes\), expected"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("share", [0.2, 0.6, 0.97])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "stack.tif"])
def test_truncated_files(tmp_path, make, name, share):
    stack = np.stack([make.grey(0), make.grey(1)])
    whole = make.save(name, stack if "stack" in name else make.grey(0)).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=rf"{name} (is truncated|cannot be read).*, expected .*: .*\.$"):
        read_image(tmp_path / name)


def test_damaged_and_foreign_files(tmp_path, make):
    (tmp_path / "a.png").write_bytes(b"GIF89a, not an image of ours")
    with pytest.raises(InputError, match=r"a\.png cannot be read \(its first bytes are of another format\)"):
        read_image(tmp_path / "a.png")
    content = bytearray(make.save("b.png", make.grey(0)).read_bytes())
    content[60:90] = bytes(30)
    (tmp_path / "b.png").write_bytes(content)
    with pytest.raises(InputError, match=r"b\.png cannot be read"):
        read_image(tmp_path / "b.png")
    (tmp_path / "c.tif").write_bytes(b"II*\0" + bytes(100))
    with pytest.raises(InputError, match=r"c\.tif cannot be read"):
        read_image(tmp_path / "c.tif")


def _with_size(png: bytes, side: int) -> bytes:
    return png[:16] + side.to_bytes(4, "big") * 2 + png[24:]


def test_bombs_are_refused_by_their_header(tmp_path, make):
    content = make.save("a.png", make.grey(0)).read_bytes()
    for side, megapixels in ((9000, 81), (60000, 3600)):
        (tmp_path / "a.png").write_bytes(_with_size(content, side))
        message = rf"a\.png claims {side}x{side} px \({megapixels} megapixels\), expected at most 64"
        with pytest.raises(InputError, match=message):
            read_image(tmp_path / "a.png")


def test_tiff_bomb(tmp_path, make):
    bomb = np.broadcast_to(np.uint8(0), (9000, 9000))
    tifffile.imwrite(tmp_path / "a.tif", bomb, compression="zlib")
    with pytest.raises(InputError, match=r"claims 9000x9000 px \(81 megapixels\)"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_pixels_must_be_finite(tmp_path, make, value):
    array = np.zeros((32, 32))
    array[3, 3] = value
    with pytest.raises(InputError, match=r"a\.tif holds NaN or Inf pixels, expected finite numbers"):
        read_image(make.save("a.tif", array))


def test_tiff_of_other_shapes_and_types(tmp_path, make):
    make.save("a.tif", np.zeros((2, 3, 32, 32), dtype=np.uint8))
    with pytest.raises(InputError, match=r"its shape \(2, 3, 32, 32\) is not that of one image"):
        read_image(tmp_path / "a.tif")
    make.save("b.tif", np.zeros((32, 32), dtype=np.complex64))
    with pytest.raises(InputError, match="pixels of type complex64"):
        read_image(tmp_path / "b.tif")
    with tifffile.TiffWriter(tmp_path / "c.tif") as writer:
        writer.write(make.grey(0, 32))
        writer.write(make.grey(0, 40))
    with pytest.raises(InputError, match="its pages differ in size or type"):
        read_image(tmp_path / "c.tif")


def test_16_bit_colour_png_is_refused_rather_than_halved(tmp_path, make):
    content = bytearray(make.save("a.png", make.rgb(0)).read_bytes())
    content[24] = 16
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="16-bit colour is read from TIFF"):
        read_image(tmp_path / "a.png")


def test_names_in_messages_fit_one_line(tmp_path, make):
    (tmp_path / "two\nlines\x1b[31m.png").touch()
    with pytest.raises(InputError, match=r"two\\nlines\\x1b\[31m\.png is empty"):
        read_image(tmp_path / "two\nlines\x1b[31m.png")
