import pickle

import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.images import open_images
from diffex.images.caching import ArrayCache
from diffex.images.sources import FileSource


def test_cache_forgets_what_was_used_longest_ago():
    cache = ArrayCache(limit_bytes=250)
    for key in "abc":
        cache.put(key, np.zeros(100, dtype=np.uint8))
    assert (cache.get("a"), len(cache), cache.bytes) == (None, 2, 200)
    cache.get("b")
    cache.put("d", np.zeros(100, dtype=np.uint8))
    assert cache.get("c") is None
    assert cache.get("b") is not None


def test_cache_keeps_nothing_larger_than_itself():
    cache = ArrayCache(limit_bytes=10)
    cache.put("a", np.zeros(100, dtype=np.uint8))
    assert (len(cache), cache.bytes) == (0, 0)


def test_streaming_keeps_memory_bounded(make):
    files = tuple((make.save(f"{i}.png", make.grey(i)),) for i in range(12))
    source = FileSource(files, ((0,),), (32, 32), cache=ArrayCache(3 * 32 * 32 * 4))
    for _ in range(2):
        for i in range(12):
            np.testing.assert_array_equal(source.read(i)[0], make.grey(i))
            assert source.cache.bytes <= source.cache.limit_bytes
    assert len(source.cache) == 3


def test_what_reads_in_random_order_may_keep_more_and_never_less(make):
    images = open_images(make.classes())
    part = images.subset([0])
    assert part.remember() is part
    assert images.source.cache.limit_bytes == 256 * 2**20
    images.remember(10)
    assert images.source.cache.limit_bytes == 256 * 2**20


def test_opening_decodes_one_image_and_subsets_share_what_is_read(make):
    images = open_images(make.classes())
    assert images.source.cache.limit_bytes == 64 * 2**20
    assert len(images.source.cache) == 1
    part = images.subset([3, 1])
    batches = [(positions.tolist(), pixels.shape) for positions, pixels in part.batches(1)]
    assert batches == [([0], (1, 1, 32, 32)), ([1], (1, 1, 32, 32))]
    assert len(images.source.cache) == 3


def test_kept_arrays_cannot_be_changed(make):
    images = open_images(make.classes())
    images.read([0]).zero_()
    np.testing.assert_array_equal(images.read([0])[0, 0], make.grey(100))
    with pytest.raises(ValueError, match="read-only"):
        images.source.read(0)[:] = 0


def test_source_travels_to_another_process_without_its_cache(make):
    source = open_images(make.classes()).source
    copy = pickle.loads(pickle.dumps(source))
    assert len(copy.cache) == 0
    np.testing.assert_array_equal(copy.read(0), source.read(0))


def test_files_that_change_after_opening(make):
    root = make.classes()
    images = open_images(root)
    make.save("set/drug/cell0.png", make.grey(size=40))
    with pytest.raises(InputError, match=r"cell0\.png has changed size since it was opened: open"):
        images.read()
    (root / "drug" / "cell0.png").unlink()
    with pytest.raises(InputError, match=r"cell0\.png is missing"):
        images.read()
    with pytest.raises(InputError, match=r"cell0\.png has gone since it was opened"):
        images.fingerprint()
