import json

import numpy as np


def field(make):
    labels = np.zeros((80, 90), dtype=np.uint8)
    labels[35:45, 40:50] = 7
    make.save("field.png", labels + np.uint8(20))
    return make.save("labels.png", labels)


def test_crop(cli, make, tmp_path):
    arguments = (
        "crop",
        tmp_path / "field.png",
        "--labels",
        field(make),
        "--size",
        28,
        "--out",
        tmp_path / "out",
    )
    done = cli(*arguments)
    assert done.code == 0, done
    assert "1 cells of 1 fields are in" in done.out
    assert "no pixel size. Go on with: --columns path=path,mask=mask,group=field" in done.out
    said = json.loads(cli(*arguments, "--json", "--pixel-size", 0.5).out)
    assert (said["cells"], said["skipped"], said["pixel_size_um"]) == (1, 0, 0.5)


def test_label_image_of_another_shape(refused, make, tmp_path):
    field(make)
    other = make.save("other.png", np.ones((80, 80), dtype=np.uint8))
    sentence = refused("crop", tmp_path / "field.png", "--labels", other, "--out", tmp_path / "out")
    assert "other.png is 80x80 px and its field" in sentence
