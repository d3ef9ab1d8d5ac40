import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from diffex.measurements import class_differences, measure


def _read(folder, count):
    table = pd.read_csv(folder / "cells.csv").sample(count, random_state=0).reset_index(drop=True)
    pixels = np.stack([np.atleast_3d(np.asarray(Image.open(folder / name))) for name in table["file"]])
    masks = np.stack([np.asarray(Image.open(folder / name)) > 0 for name in table["mask"]])
    return table, torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32), torch.tensor(masks)


@pytest.fixture(scope="module")
def translocation(data_set):
    table, pixels, masks = _read(data_set("bbbc013_fkhr"), 400)
    return table, pixels[:, :2], masks


@pytest.mark.parametrize("given", [True, False])
def test_nucleus_to_ring_ratio_is_that_of_the_set(translocation, given):
    table, pixels, masks = translocation
    measured = measure(pixels, ["FKHR", "DNA"], masks if given else None)
    pairs = (measured["log2_nucleus_ring_fkhr"], table["gfp_nuc_ring_log2ratio"])
    assert np.corrcoef(*pairs)[0, 1] > 0.95


def test_translocation_is_what_differs_between_the_classes(translocation):
    table, pixels, masks = translocation
    keep = np.flatnonzero(table["label"].isin(["negative", "positive"]))
    measured = measure(pixels[keep], ["FKHR", "DNA"], masks[keep])
    labels = (table["label"].iloc[keep] == "positive").to_numpy().astype(int)
    wells = table["well"].iloc[keep].to_numpy(dtype=str)
    top = class_differences(measured, labels, ["negative", "positive"], wells).iloc[0]
    assert top.quantity == "log2_nucleus_ring_fkhr"
    assert top.auroc > 0.95


def test_shapes_of_manual_masks_are_those_of_the_set(data_set):
    table, pixels, masks = _read(data_set("bbbc039_nuclei"), 400)
    measured = measure(pixels, ["DNA"], masks)
    for name, known in {"eccentricity": "eccentricity", "area_px": "area", "major_axis_px": "major"}.items():
        assert np.corrcoef(measured[name], table[known])[0, 1] > 0.95, name


def test_shapes_read_off_the_pixels_follow_manual_masks(data_set):
    table, pixels, masks = _read(data_set("bbbc039_nuclei"), 400)
    measured = measure(pixels, ["DNA"], masks, shape_from="pixels")
    # Touching neighbours are the rest.
    assert np.corrcoef(measured["area_px"], table["area"])[0, 1] > 0.9
    assert np.corrcoef(measured["eccentricity"], table["eccentricity"])[0, 1] > 0.8
