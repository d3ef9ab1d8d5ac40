"""A store of cells holds what it was given, reads by chunks, and says what is wrong with it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import zarr

from diffex.base.errors import FolderError, InputError
from diffex.images import images_from_arrays, open_images, read_image
from diffex.images.ome_zarr import read_zarr, read_zarr_header
from diffex.images.store_writing import write_store
from diffex.images.stores import is_store

COUNT = 40


@pytest.fixture
def images():
    random = np.random.default_rng(0)
    made = images_from_arrays(
        random.integers(0, 2**16, (COUNT, 2, 128, 120)).astype(np.float32),
        value_range=(0.0, 65535.0),
        labels=np.arange(COUNT) % 2,
        class_names=("b", "a"),
        channel_names=("dna", "actin"),
        groups=np.array([f"w{k % 4}" for k in range(COUNT)]),
        masks=random.random((COUNT, 128, 120)) > 0.5,
        table=pd.DataFrame({"dose": np.arange(COUNT) / 2, "id": "mine"}),
        pixel_size_um=0.5,
    )
    return replace(made, dtype="uint16")


@pytest.fixture
def store(images, tmp_path):
    return write_store(images, tmp_path / "cells.zarr")


def test_all_is_kept(images, store):
    again = open_images(store)
    assert again.dtype == "uint16" and again.read().equal(images.read())
    assert again.read_masks().equal(images.read_masks())
    assert again.ids == images.ids and again.groups.tolist() == images.groups.tolist()
    assert (again.channel_names, again.value_range, again.size) == (("dna", "actin"), (0, 65535), (128, 120))
    assert again.pixel_size_um == 0.5 and again.class_counts() == {"a": 20, "b": 20}
    assert again.table.columns.tolist() == ["dose", "id_given"]
    shards = list((store / "pixels" / "c").iterdir())
    assert len(shards) == 1 and zarr.open_array(store / "pixels").chunks[0] < COUNT  # more chunks than files


def test_some_of_it(images, store):
    again = open_images(
        store, columns={"group": "id_given"}, where={"dose": ["1", "7.5"]}, channel_names=["x", "y"]
    )
    assert again.read().equal(images.read([2, 15])) and again.channel_names == ("x", "y")
    assert again.subset([1]).read().equal(images.read([15])) and set(again.groups) == {"mine"}
    assert again.table["dose"].tolist() == [1, 7.5]


def test_the_fingerprint_follows_the_pixels(images, store, tmp_path):
    before = open_images(store).fingerprint()
    assert open_images(store).fingerprint() == before
    shutil.rmtree(store)
    other = images_from_arrays(
        images.read() * 0, value_range=(0, 65535), ids=images.ids, groups=images.groups
    )
    assert open_images(write_store(other, store)).fingerprint() != before


def test_an_interrupted_copy_is_told(store):
    shard = next((store / "masks" / "c").rglob("0"))
    file = next(path for path in shard.rglob("*") if path.is_file())
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"cells\.zarr is damaged or cut short"):
        open_images(store).read_masks()
    file.unlink()
    with pytest.raises(InputError, match=r"masks/c/0/0/0 is missing\), expected a whole store of cells"):
        open_images(store)


def test_other_schemas_and_damaged_heads(store):
    head = json.loads((store / "zarr.json").read_text())
    head["attributes"]["diffex_cells"]["schema"] = 9
    (store / "zarr.json").write_text(json.dumps(head))
    with pytest.raises(InputError, match="its schema is 9, this diffex knows 1"):
        open_images(store)
    (store / "zarr.json").write_text("{")
    assert not is_store(store)


def test_what_a_store_does_not_take(images, store):
    with pytest.raises(InputError, match=r"--columns got mask=m for the store .*expected label or group"):
        open_images(store, columns={"mask": "m"})
    with pytest.raises(InputError, match="channel_names got x, expected 2 different names"):
        open_images(store, channel_names=["x"])
    with pytest.raises(FolderError, match="is there already"):
        write_store(images, store)


@pytest.mark.parametrize("codec", ["zstd", "blosc"])
@pytest.mark.parametrize("at", ["start", "end"])
def test_sharded_ome_zarr_of_others(tmp_path, codec, at):
    """Written by zarr-python with its own sharding codec; a cut shard is refused, not read as noise."""
    pixels = np.random.default_rng(0).integers(0, 255, (2, 64, 64)).astype(np.uint8)
    inner = zarr.codecs.ZstdCodec() if codec == "zstd" else zarr.codecs.BloscCodec()
    sharding = zarr.codecs.ShardingCodec(
        chunk_shape=(1, 32, 32), codecs=[zarr.codecs.BytesCodec(), inner], index_location=at
    )
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    array = group.create_array(
        "0", shape=pixels.shape, dtype="uint8", chunks=(2, 64, 64), serializer=sharding, compressors=None
    )
    array[...] = pixels
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    assert read_zarr_header(tmp_path / "a.zarr").size == (64, 64)
    np.testing.assert_array_equal(read_zarr(tmp_path / "a.zarr"), pixels)
    shard = tmp_path / "a.zarr" / "0" / "c" / "0" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:-900])
    with pytest.raises(InputError, match="chunk that is damaged or cut short"):
        read_image(tmp_path / "a.zarr")
