"""Files of microscope vendors: what is said without bioio, and what is read with it."""

import builtins

import numpy as np
import pytest

from diffex.base.errors import InputError, MissingPartError
from diffex.images import open_images
from diffex.images.decoding import read_image
from diffex.images.headers import read_header

PIXELS = np.arange(2 * 40 * 48, dtype=np.uint16).reshape(2, 40, 48)


@pytest.fixture
def czi(tmp_path):
    """Write planes as CZI, all else one: ``czi("name", pixels, z=2)``."""
    pytest.importorskip("bioio_czi", reason="bioio-czi is not installed")
    writer = pytest.importorskip("pylibCZIrw.czi", reason="pylibCZIrw is not installed")

    def write(name, pixels=PIXELS, planes=1):
        path = tmp_path / name
        with writer.create_czi(str(path)) as document:
            for c, z in np.ndindex(len(pixels), planes):
                document.write(pixels[c][..., None], plane={"C": c, "Z": z, "T": 0}, scene=0)
            document.write_metadata(
                "field", channel_names={c: f"stain {c}" for c in range(len(pixels))},
                scale_x=0.325e-6, scale_y=0.325e-6,
            )  # fmt: skip
        return path

    return write


@pytest.mark.may_skip
def test_a_czi_file_is_read_with_names_and_pixel_size(czi):
    path = czi("field.czi")
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, PIXELS)
    assert image.dtype == "uint16"
    assert image.header.channel_names == ("stain 0", "stain 1")
    assert image.header.pixel_size_um == pytest.approx(0.325)


@pytest.mark.may_skip
def test_folders_of_czi_files_are_opened(czi):
    path = czi("a.czi")
    czi("b.czi", PIXELS + np.uint16(1))
    images = open_images(path.parent)
    assert images.ids == ("a.czi", "b.czi") and images.pixel_size_um == pytest.approx(0.325)
    np.testing.assert_array_equal(images.read([1])[0].numpy(), PIXELS + 1)


@pytest.mark.may_skip
def test_volumes_are_refused(czi):
    with pytest.raises(InputError, match="holds 3 planes of Z, expected one image of channels"):
        read_header(czi("volume.czi", planes=3))


@pytest.mark.may_skip
def test_a_damaged_czi_file_is_refused_in_one_sentence(czi, tmp_path):
    path = tmp_path / "cut.czi"
    path.write_bytes(czi("whole.czi").read_bytes()[:700])
    with pytest.raises(InputError, match=r"cut\.czi"):
        read_image(path)


def test_without_bioio_the_reader_is_named(tmp_path, monkeypatch):
    path = tmp_path / "field.nd2"
    path.write_bytes(b"\xda\xce\xbe\x0a" + bytes(64))
    real = builtins.__import__

    def without(name, *args, **more):
        if name.partition(".")[0] == "bioio":
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPartError, match=r"field.nd2 is read by bioio .* pip install bioio bioio-nd2"):
        read_header(path)


def test_content_decides_before_the_suffix(tmp_path):
    path = tmp_path / "field.nd2"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match="truncated"):
        read_header(path)
