"""Small image files for the tests of this room."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image


@dataclass(frozen=True)
class Maker:
    root: Path

    def grey(self, seed=0, size=32, dtype="uint8"):
        high = 256 if dtype == "uint8" else 60000
        return np.random.default_rng(seed).integers(1, high, (size, size)).astype(dtype)

    def rgb(self, seed=0, size=32):
        return np.random.default_rng(seed).integers(1, 256, (size, size, 3), dtype=np.uint8)

    def save(self, name, array):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in (".tif", ".tiff"):
            tifffile.imwrite(path, array, photometric="minisblack")
        else:
            Image.fromarray(array).save(path)
        return path

    def classes(self, **counts):
        """One sub-folder per class, below ``set``."""
        for k, (name, count) in enumerate((counts or {"drug": 3, "DMSO": 2}).items()):
            for i in range(count):
                self.save(f"set/{name}/cell{i}.png", self.grey(100 * k + i))
        return self.root / "set"

    def fields(self, count=2, dtype="uint16"):
        """Fields with cells that touch nothing, and their label images."""
        made = {}
        for index in range(count):
            labels = np.zeros((120, 150), dtype="uint16")
            for cell, (y, x) in enumerate([(5, 60), (40, 40), (60, 100), (80, 50)]):
                labels[y - 5 : y + 6, x - 4 : x + 5] = cell + 1
            noise = np.random.default_rng(index).integers(1, 99, (2, *labels.shape))
            made[f"A{index + 1:02d}"] = ((noise + 50 * (labels > 0)).astype(dtype), labels)
        return made

    def table(self, text, name="cells.csv"):
        (self.root / name).write_text(text, encoding="utf-8")
        return self.root / name


@pytest.fixture
def make(tmp_path):
    return Maker(tmp_path)
