import json
import logging
import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from diffex.base.errors import InputError
from diffex.images import open_images, require_classes


def test_class_folders(make):
    images = open_images(make.classes(), pixel_size_um=0.5)
    assert images.class_names == ("DMSO", "drug")
    assert images.ids == tuple(f"DMSO/cell{i}.png" for i in range(2)) + tuple(
        f"drug/cell{i}.png" for i in range(3)
    )
    assert images.labels.tolist() == [0, 0, 1, 1, 1]
    assert (images.size, images.dtype, images.value_range) == ((32, 32), "uint8", (0, 255))
    assert (images.channel_names, images.pixel_size_um, images.has_masks) == (("grey",), 0.5, False)
    np.testing.assert_array_equal(images.read([3])[0, 0], make.grey(1))


class Listed:
    """What ``os.scandir`` gives, in an order of ours."""

    def __init__(self, entries):
        self._entries = iter(entries)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def close(self):
        pass


@pytest.fixture(params=["forwards", "backwards"])
def listed(monkeypatch, request):
    """A disk that lists its folders in another order than by name, as real ones do."""
    listdir, scandir, turned = os.listdir, os.scandir, request.param == "backwards"

    def scanned(*path):
        with scandir(*path) as entries:
            return Listed(sorted(entries, key=lambda entry: entry.name, reverse=turned))

    monkeypatch.setattr(os, "listdir", lambda *path: sorted(listdir(*path), reverse=turned))
    monkeypatch.setattr(os, "scandir", scanned)


@pytest.mark.parametrize("flat", [False, True])
def test_order_is_by_name_and_never_the_disks(make, listed, flat):
    for i, name in enumerate(("b/late/2", "b/late/1", "b/early/1", "a/9", "a/10")):
        make.save(f"set/{name.replace('/', '-') if flat else name}.png", make.grey(i))
    images = open_images(make.root / "set")
    names = [f"{name}.png" for name in ("a/10", "a/9", "b/early/1", "b/late/1", "b/late/2")]
    assert images.ids == tuple(name.replace("/", "-") if flat else name for name in names)
    assert images.class_names == (() if flat else ("a", "b"))
    assert images.labels is None if flat else images.labels.tolist() == [0, 0, 1, 1, 1]
    assert [int(x[0, 0, 0]) for x in images.read()[:, :, :1, :1]] == [
        int(make.grey(i)[0, 0]) for i in (4, 3, 2, 1, 0)
    ]


def test_class_folders_are_searched_to_any_depth(make):
    make.save("set/a/deep/er/1.png", make.grey())
    make.save("set/b/2.TIF", make.grey())
    make.save("set/a/0.png", make.grey())
    assert open_images(make.root / "set").ids == ("a/0.png", "a/deep/er/1.png", "b/2.TIF")


def test_hidden_and_foreign_files_are_ignored(make):
    root = make.classes(a=1, b=1)
    make.save("set/a/.hidden.png", make.grey(size=40))
    make.save("set/.cache/1.png", make.grey(size=40))
    (root / "a" / "notes.txt").write_text("not an image")
    (root / "README.md").write_text("not an image")
    (root / "empty").mkdir()
    assert open_images(root).class_counts() == {"a": 1, "b": 1}


def test_flat_folder_has_no_labels(make):
    make.save("b.png", make.grey(1))
    make.save("a.png", make.grey(0))
    images = open_images(str(make.root))
    assert (images.ids, images.labels, images.class_names) == (("a.png", "b.png"), None, ())
    with pytest.raises(InputError, match="2 images have no labels, expected at least 2 classes"):
        require_classes(images)


def test_one_class_opens_but_is_not_enough_to_compare(make):
    images = open_images(make.classes(only=2))
    require_classes(images, at_least=1)
    with pytest.raises(InputError, match=r"Got 1 class \(only\), expected at least 2"):
        require_classes(images)


def test_folders_named_like_splits_are_warned_of(make, caplog):
    open_images(make.classes(train=1, test=1))
    assert "the classes are test, train, which look like splits" in caplog.text


def test_missing_empty_and_foreign_paths(make):
    with pytest.raises(InputError, match=r"nowhere does not exist, expected a folder of images or a \.csv"):
        open_images(make.root / "nowhere")
    with pytest.raises(InputError, match="holds no images, expected PNG, JPEG or TIFF files"):
        open_images(make.root)
    with pytest.raises(InputError, match=r"a\.png is neither a folder nor a table"):
        open_images(make.save("a.png", make.grey()))


def test_images_beside_class_folders_are_refused(make):
    make.classes()
    make.save("set/overview.png", make.grey())
    with pytest.raises(InputError, match="holds 1 images beside 2 sub-folders with images, expected either"):
        open_images(make.root / "set")


def test_folders_take_no_columns(make):
    with pytest.raises(InputError, match="is a folder, but --columns and --where need a table"):
        open_images(make.classes(), columns={"label": "a"})


def test_mixed_sizes_channels_and_depths_name_two_files(make):
    make.classes(a=2)
    odd = "set/a/odd.png"
    make.save(odd, make.grey(size=40))
    with pytest.raises(
        InputError, match=r"size is mixed: .*cell0\.png has 32x32 px and .*odd\.png has 40x40 px, .*crop"
    ):
        open_images(make.root / "set")
    make.save(odd, make.rgb())
    with pytest.raises(InputError, match=r"channel count is mixed: .*cell0\.png has 1 and .*odd\.png has 3"):
        open_images(make.root / "set")
    make.save(odd, make.grey(dtype="uint16"))
    with pytest.raises(
        InputError, match=r"bit depth is mixed: .*cell0\.png has uint8 and .*odd\.png has uint16"
    ):
        open_images(make.root / "set")


@pytest.mark.parametrize("size", [27, 257])
def test_sizes_out_of_bounds(make, size):
    make.save("a.png", make.grey(size=size))
    with pytest.raises(InputError, match=rf"a\.png has {size}x{size} px, expected 28 to 256 px"):
        open_images(make.root)


@pytest.mark.parametrize("size", [28, 256])
def test_sizes_at_the_bounds(make, size):
    make.save("a.png", make.grey(size=size))
    assert open_images(make.root).size == (size, size)


@pytest.mark.parametrize(
    "break_file", [lambda data: b"", lambda data: data[:-20], lambda data: b"not an image"]
)
def test_bad_files_are_found_at_opening(make, break_file):
    bad = make.classes() / "drug" / "cell2.png"
    bad.write_bytes(break_file(bad.read_bytes()))
    with pytest.raises(
        InputError, match=r"cell2\.png (is empty|is truncated|cannot be read).*expected.*: .*\.$"
    ):
        open_images(make.root / "set")


def test_damage_that_headers_do_not_show_is_found_when_read(make):
    bad = make.classes() / "drug" / "cell2.png"
    content = bytearray(bad.read_bytes())
    content[60:90] = bytes(30)
    bad.write_bytes(content)
    images = open_images(make.root / "set")
    with pytest.raises(InputError, match=r"cell2\.png cannot be read"):
        images.read()


def test_codec_that_is_not_here_is_found_at_opening(make):
    Image.fromarray(make.grey()).save(make.root / "a.tif", compression="tiff_lzw")
    try:
        tifffile.imread(make.root / "a.tif")
    except ValueError:
        with pytest.raises(InputError, match=r"a\.tif cannot be read \(.*imagecodecs"):
            open_images(make.root)
    else:
        assert open_images(make.root).size == (32, 32)


HOSTILE = [
    "naïve ünï 細胞.png",
    "two\nlines.png",
    "<script>alert('x')</script>".replace("/", "") + ".png",
    "quo\"te's.png",
    "a,b=c.png",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(make, name):
    make.save(f"set/{name}/{name}", make.grey())
    images = open_images(make.root / "set")
    assert images.ids == (f"{name}/{name}",)
    assert images.class_names == (name,)
    assert images.read().shape == (1, 1, 32, 32)


def test_names_that_are_not_unicode(make):
    source = make.save("plain.png", make.grey())
    folder = os.fsencode(make.root) + b"/set/\xff"
    os.makedirs(folder)  # noqa: PTH103 - a name in bytes
    with open(folder + b"/cell\xfe.png", "wb") as file:  # noqa: PTH123 - a name in bytes
        file.write(source.read_bytes())
    images = open_images(make.root / "set")
    assert images.ids == ("\\udcff/cell\\udcfe.png",)
    assert images.class_names == ("\\udcff",)
    json.dumps(images.ids, ensure_ascii=False).encode("utf-8")
    assert len(images.fingerprint()) == 32
    assert images.read().shape == (1, 1, 32, 32)


def test_16_bit_and_float_sets(make):
    make.save("deep/a.png", make.grey(dtype="uint16"))
    images = open_images(make.root / "deep")
    assert (images.dtype, images.value_range) == ("uint16", (0, 65535))
    make.save("float/a.tif", np.linspace(-3, 1, 32 * 32, dtype="float32").reshape(32, 32))
    make.save("float/b.tif", np.linspace(0, 12.34, 32 * 32, dtype="float32").reshape(32, 32))
    images = open_images(make.root / "float")
    assert (images.dtype, images.value_range) == ("float32", (-3, 13))


def test_float_set_between_0_and_1(make):
    make.save("a.tif", np.random.default_rng(0).random((4, 32, 32)).astype("float32"))
    images = open_images(make.root)
    assert (images.value_range, images.channel_names) == ((0, 1), ("ch0", "ch1", "ch2", "ch3"))


def test_pixel_size_must_be_positive(make):
    with pytest.raises(InputError, match=r"pixel_size_um got 0, expected micrometres per pixel above 0"):
        open_images(make.classes(), pixel_size_um=0)


def test_fingerprint_follows_the_files(make):
    root = make.classes()
    before = open_images(root).fingerprint()
    assert open_images(os.path.relpath(root)).fingerprint() == before
    make.save("set/drug/cell0.png", make.grey(9))
    assert open_images(root).fingerprint() != before


def test_opening_says_what_it_leaves_out(make, caplog):
    pixels = make.rgb()
    pixels[..., 2] = 0
    make.save("a.png", pixels)
    with caplog.at_level(logging.INFO, logger="diffex"):
        assert open_images(make.root).channel_names == ("red", "green")
    assert "Zero in all of 1 images looked at, left out: channel blue." in caplog.text
