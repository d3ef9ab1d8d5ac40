import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.images import open_images


def two_channels(make, seed=0):
    pixels = make.rgb(seed)
    pixels[..., 2] = 0
    return pixels


def test_names_follow_the_channels_in_use(make):
    make.save("a.png", two_channels(make))
    images = open_images(make.root, channel_names=["FKHR", "DNA"])
    assert images.channel_names == ("FKHR", "DNA")
    np.testing.assert_array_equal(images.read()[0], np.moveaxis(two_channels(make), -1, 0)[:2])


def test_a_name_for_each_stored_channel_keeps_them_all(make):
    make.save("a.png", two_channels(make))
    assert open_images(make.root, channel_names=["FKHR", "DNA", "none"]).read().shape == (1, 3, 32, 32)


def test_names_must_fit_and_differ(make):
    make.save("a.png", two_channels(make))
    with pytest.raises(
        InputError, match=r"got 1 names \(x\), expected 2 .*\(red, green\) or 3 for all stored"
    ):
        open_images(make.root, channel_names=["x"])
    with pytest.raises(InputError, match="got x, x, expected different names"):
        open_images(make.root, channel_names=["x", "x"])


def test_a_channel_lit_in_one_image_of_the_sample_stays(make):
    for i in range(20):
        make.save(f"{i:02d}.png", two_channels(make, i))
    make.save("07.png", make.rgb())
    assert open_images(make.root).channel_names == ("red", "green", "blue")


def test_grey_saved_as_rgb_has_one_channel(make):
    for i in range(3):
        make.save(f"{i}.png", np.repeat(make.grey(i)[..., None], 3, axis=2))
    images = open_images(make.root)
    assert images.channel_names == ("grey",)
    np.testing.assert_array_equal(images.read([2])[0, 0], make.grey(2))


def test_constant_alpha_is_left_out_and_other_alpha_kept(make):
    opaque = np.full((32, 32, 1), 255, dtype=np.uint8)
    make.save("opaque/a.png", np.concatenate([make.rgb(), opaque], axis=2))
    make.save("lit/a.png", np.concatenate([make.rgb(), make.grey()[..., None]], axis=2))
    assert open_images(make.root / "opaque").channel_names == ("red", "green", "blue")
    assert open_images(make.root / "lit").channel_names == ("red", "green", "blue", "alpha")


def test_grey_with_alpha(make):
    pixels = np.stack([make.grey(), np.full((32, 32), 255, dtype=np.uint8)], axis=2)
    make.save("a.png", pixels)
    assert open_images(make.root).channel_names == ("grey",)


def test_black_images_keep_a_channel(make):
    make.save("a.tif", np.zeros((3, 32, 32), dtype=np.uint8))
    assert open_images(make.root).channel_names == ("ch0",)


def parts(make, first, second, suffix="png"):
    for i in range(2):
        make.save(f"dna/{i}.{suffix}", first(i))
        make.save(f"bf/{i}.{suffix}", second(i))
    return make.table(f"id,d,b\n0,dna/0.{suffix},bf/0.{suffix}\n1,dna/1.{suffix},bf/1.{suffix}\n")


COLUMNS = {"dna": "d", "brightfield": "b"}


def test_one_file_per_channel(make):
    table = parts(make, make.grey, lambda i: np.repeat(make.grey(i + 10)[..., None], 3, axis=2))
    images = open_images(table, columns=COLUMNS)
    assert images.channel_names == ("dna", "brightfield")
    assert images.ids == ("dna/0.png", "dna/1.png")
    np.testing.assert_array_equal(images.read([1])[0], np.stack([make.grey(1), make.grey(11)]))
    assert list(images.table.columns) == ["id"]


def test_channel_files_must_agree(make):
    table = parts(make, make.grey, lambda i: make.grey(i, size=40))
    with pytest.raises(InputError, match=r"size of the channels' files is mixed: .*32x32 px and .*40x40 px"):
        open_images(table, columns=COLUMNS)
    table = parts(make, make.grey, lambda i: make.grey(i, dtype="uint16"))
    with pytest.raises(InputError, match=r"differ in bit depth \(uint16, uint8\)"):
        open_images(table, columns=COLUMNS)
    table = parts(make, make.grey, make.rgb)
    with pytest.raises(
        InputError, match=r"files of channel 'brightfield' hold 3 channels \(red, green, blue\)"
    ):
        open_images(table, columns=COLUMNS)


def test_channel_files_name_themselves(make):
    table = parts(make, make.grey, make.grey)
    with pytest.raises(InputError, match="their names are the keys of --columns"):
        open_images(table, columns=COLUMNS, channel_names=["a", "b"])
    with pytest.raises(InputError, match="got path=d as well as channels of their own"):
        open_images(table, columns={"path": "d", "brightfield": "b"})
