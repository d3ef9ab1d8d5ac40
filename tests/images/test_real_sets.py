import time

import pandas as pd
import pytest

from diffex.images import open_images

CELLS = {"path": "file", "label": "label", "group": "well", "mask": "mask"}


def test_bbbc013(data_set):
    images = open_images(
        data_set("bbbc013_fkhr") / "cells.csv",
        columns=CELLS,
        where={"split": ["train"], "label": ["negative", "positive"]},
        channel_names=["FKHR", "DNA"],
    )
    assert repr(images) == (
        "Images(2536 of 64x64 px, channels FKHR/DNA, uint8 in [0, 255]; negative 1668, positive 868)"
    )
    assert len(set(images.groups)) > 6
    assert 0.01 < images.read_masks(range(32)).float().mean() < 0.3
    assert images.read(range(4)).shape == (4, 2, 64, 64)


def test_headers_of_4700_images_take_under_three_seconds(data_set):
    table = data_set("bbbc013_fkhr") / "cells.csv"
    start = time.process_time()
    assert len(open_images(table)) == 4694
    assert time.process_time() - start < 3


def test_jurkat_has_a_file_per_channel(data_set, tmp_path):
    root = data_set("jurkat_cellcycle")
    cells = pd.read_csv(root / "cells.csv").query("split == 'test' and phase in ('G1', 'prophase')")
    cells["dna"] = [str(root / name) for name in cells["file"]]
    cells["bf"] = [str(root / "brightfield" / name) for name in cells["file"]]
    cells.to_csv(tmp_path / "cells.csv", index=False)
    columns = {"dna": "dna", "brightfield": "bf", "label": "phase"}
    images = open_images(tmp_path / "cells.csv", columns=columns)
    assert images.channel_names == ("dna", "brightfield")
    assert images.class_counts() == {"G1": 224, "prophase": 152}
    assert images.read([0]).shape == (1, 2, 40, 40)


@pytest.mark.parametrize(
    ("folder", "channels", "dtype"),
    [
        ("bbbc039_nuclei/test", 1, "uint8"),
        ("jurkat_cellcycle/dna16/test", 1, "uint16"),
        ("bccd_cells/test", 3, "uint8"),
    ],
)
def test_real_class_folders(data_set, folder, channels, dtype):
    name, _, rest = folder.partition("/")
    images = open_images(data_set(name) / rest)
    assert (images.channels, images.dtype) == (channels, dtype)
    assert len(images.class_names) > 1
