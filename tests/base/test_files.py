import json

import numpy as np
import pytest
import torch

from diffex.base.errors import FolderError
from diffex.base.files import (
    atomic_path,
    load_tensors,
    plain,
    read_json,
    save_tensors,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_whole_or_absent(tmp_path):
    with atomic_path(tmp_path / "deep" / "a.txt") as temporary:
        temporary.write_text("whole")
        assert names(tmp_path / "deep") == [temporary.name], "nothing has the final name yet"
    assert names(tmp_path / "deep") == ["a.txt"]
    assert (tmp_path / "deep" / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_leaves_nothing_and_the_old_file_as_it_was(tmp_path, error):
    write_text(tmp_path / "old.txt", "old")

    def stop_halfway():
        with atomic_path(tmp_path / "old.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises((error, FolderError)):
        stop_halfway()
    assert names(tmp_path) == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


def test_a_disk_that_refuses_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match=r"Cannot write .*file/a.txt: .*\. Free some space or choose"):
        write_text(tmp_path / "file" / "a.txt", "x")


@pytest.mark.parametrize("name", ["核 \N{MICRO SIGN}m.json", "a'b\"c.json"])
def test_json_keeps_what_numpy_holds(tmp_path, name):
    value = {
        "n": np.int64(3),
        "x": np.float32(0.5),
        "nan": float("nan"),
        "t": (1, 2),
        "a": np.eye(2),
        5: "核",
    }
    write_json(tmp_path / name, value)
    assert read_json(tmp_path / name) == {
        "n": 3, "x": 0.5, "nan": None, "t": [1, 2], "a": [[1.0, 0.0], [0.0, 1.0]], "5": "核",
    }  # fmt: skip


def test_plain_gives_up_on_nothing(tmp_path):
    assert plain({"p": tmp_path, "inf": np.float64("inf")}) == {"p": str(tmp_path), "inf": None}
    json.dumps(plain({"s": {3}, "f": frozenset({4})}))


def test_missing_and_damaged_files_are_named(tmp_path):
    for read in (read_json, load_tensors):
        with pytest.raises(FolderError, match="gone is missing: the folder is incomplete"):
            read(tmp_path / "gone")
        (tmp_path / "bad").write_bytes(b"\xff{")
        with pytest.raises(FolderError, match="bad is damaged"):
            read(tmp_path / "bad")


def test_tensors_survive_the_disk(tmp_path):
    shared = torch.arange(6.0).view(2, 3)
    kept = {"a": shared.T, "b": shared, "half": shared.to(torch.bfloat16), "empty": torch.empty(0, 4)}
    save_tensors(tmp_path / "t.safetensors", kept)
    for name, tensor in load_tensors(tmp_path / "t.safetensors").items():
        assert torch.equal(tensor, kept[name]) and tensor.dtype == kept[name].dtype
