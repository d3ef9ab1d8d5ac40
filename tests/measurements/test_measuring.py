import time

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.base.errors import InputError
from diffex.images import PlantedCells
from diffex.measurements import measure, quantities


@pytest.fixture(scope="module")
def cells(ellipse):
    """12 cells of 2 channels with known nuclei."""
    rng = np.random.default_rng(0)
    masks = np.stack([ellipse(rng.uniform(8, 13), rng.uniform(6, 10), rng.uniform(0, 3)) for _ in range(12)])
    body = ellipse(22, 20)
    dna = masks * 120.0 + 10
    marker = body * 40.0 + masks * rng.uniform(-20, 80, 12)[:, None, None] + 10
    pixels = np.stack([marker, dna], axis=1) + rng.normal(0, 3, (12, 2, 64, 64))
    return torch.tensor(pixels, dtype=torch.float32), torch.tensor(masks)


NAMES = ("Marker", "DNA")


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("pixel_size_um", [None, 0.5])
def test_columns_are_the_quantities(cells, given, pixel_size_um):
    table = measure(cells[0], NAMES, cells[1] if given else None, pixel_size_um)
    assert list(table.columns) == [q.name for q in quantities(NAMES, pixel_size_um)]
    assert len(table) == 12
    assert (table.dtypes == np.float64).all()
    assert np.isfinite(table.to_numpy()).all()


def test_pixel_size_turns_pixels_into_micrometres(cells):
    px, um = measure(*_with_names(cells)), measure(*_with_names(cells), pixel_size_um=0.5)
    assert np.allclose(um["area_um2"], px["area_px"] * 0.25)
    for name in ("perimeter", "major_axis", "minor_axis", "puncta_spread_marker"):
        assert np.allclose(um[f"{name}_um"], px[f"{name}_px"] * 0.5)
    same = [name for name in px.columns if name in um.columns]
    pd.testing.assert_frame_equal(um[same], px[same])


def _with_names(cells):
    return cells[0], NAMES, cells[1]


@pytest.mark.parametrize("names", [NAMES, ("a", "b")])
@pytest.mark.parametrize("shape_from", ["masks", "pixels"])
def test_rows_do_not_depend_on_the_batch(cells, names, shape_from):
    pixels, masks = cells
    whole = measure(pixels, names, masks, shape_from=shape_from)
    single = [measure(pixels[i : i + 1], names, masks[i : i + 1], shape_from=shape_from) for i in range(12)]
    pd.testing.assert_frame_equal(whole, pd.concat(single, ignore_index=True), rtol=1e-9, atol=1e-9)


def test_rows_do_not_depend_on_the_chunk(cells):
    many = measure(cells[0].repeat(12, 1, 1, 1), NAMES)  # more than one chunk
    pd.testing.assert_frame_equal(
        many.iloc[132:].reset_index(drop=True), measure(cells[0], NAMES), rtol=1e-9, atol=1e-9
    )


def test_masks_given_and_segmented_agree(cells):
    given, own = measure(*_with_names(cells)), measure(cells[0], NAMES)
    for name in ("area_px", "eccentricity", "nucleus_mean_marker", "log2_nucleus_ring_marker"):
        assert np.corrcoef(given[name], own[name])[0, 1] > 0.95, name


def test_rows_without_a_mask_are_segmented(cells):
    pixels, masks = cells
    some = masks.clone()
    some[3:] = False
    mixed = measure(pixels, NAMES, some)
    pd.testing.assert_frame_equal(mixed[:3], measure(pixels[:3], NAMES, masks[:3]))
    pd.testing.assert_frame_equal(
        mixed[3:].reset_index(drop=True), measure(pixels[3:], NAMES), rtol=1e-9, atol=1e-9
    )


def test_an_edit_of_the_shape_is_seen_from_pixels_only(ellipse):
    mask = torch.tensor(ellipse(10, 10))[None]
    edited = torch.tensor(ellipse(13, 10) * 100.0, dtype=torch.float32)[None, None]
    stale = measure(edited, ["DNA"], mask)
    fresh = measure(edited, ["DNA"], mask, shape_from="pixels")
    truth = np.sqrt(1 - (10 / 13) ** 2)
    assert stale["eccentricity"][0] < 0.05
    assert fresh["eccentricity"][0] == pytest.approx(truth, abs=0.05)
    intensities = [
        q.name for q in quantities(["DNA"]) if q.kind in ("intensity", "texture", "ratio", "puncta")
    ]
    pd.testing.assert_frame_equal(stale[intensities], fresh[intensities])


def test_the_shape_channel_can_be_fixed(ellipse):
    planes = np.stack([ellipse(16, 16), ellipse(8, 8)]) * 100.0
    pixels = torch.tensor(planes, dtype=torch.float32)[None]
    areas = [measure(pixels, ["a", "b"], shape_channel=c)["area_px"][0] for c in (0, 1)]
    assert areas == pytest.approx([np.pi * 256, np.pi * 64], rel=0.1)


@pytest.mark.parametrize("size", [(28, 28), (64, 64), (48, 70), (256, 256)])
@pytest.mark.parametrize("value", [0.0, 1.0, 255.0, 65535.0, -1.0, 0.1])
@pytest.mark.parametrize("shape_from", ["masks", "pixels"])
def test_constant_images_have_numbers(size, value, shape_from):
    pixels = torch.full((3, 2, *size), value)
    masks = torch.zeros(3, *size, dtype=torch.bool)
    masks[1] = True
    masks[2, 10, 10] = True
    table = measure(pixels, ["a", "DNA"], masks, shape_from=shape_from)
    assert np.isfinite(table.to_numpy()).all()
    for name in (
        "sd_nucleus_a",
        "log2_nucleus_ring_a",
        "granularity_a",
        "puncta_count_a",
        "correlation_a_dna",
    ):
        assert (table[name] == 0).all(), name


def test_extreme_images_have_numbers():
    single = torch.zeros(1, 3, 32, 32)
    single[0, 0, 0, 0] = 1e6
    single[0, 1] = torch.randn(32, 32, generator=torch.Generator().manual_seed(0)) * 1e-6 + 1e4
    single[0, 2, ::2] = 1.0
    assert np.isfinite(measure(single, ["a", "b", "c"]).to_numpy()).all()


def test_no_images_give_an_empty_table():
    table = measure(torch.zeros(0, 2, 64, 64), NAMES)
    assert table.shape == (0, len(quantities(NAMES)))


def test_gradients_and_masks_of_numbers_are_accepted(cells):
    table = measure(cells[0].clone().requires_grad_(), NAMES, cells[1].to(torch.uint8))
    pd.testing.assert_frame_equal(table, measure(*_with_names(cells)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pixels": torch.zeros(2, 64, 64)}, "pixels got shape"),
        ({"pixels": torch.zeros(2, 1, 4, 64)}, "at least 8 px"),
        ({"channel_names": ["a", "b"]}, "channel_names got 2"),
        ({"masks": torch.zeros(2, 32, 32, dtype=torch.bool)}, "masks got shape"),
        ({"pixel_size_um": 0.0}, "pixel_size_um got 0.0"),
        ({"shape_channel": 1}, "shape_channel got 1"),
        ({"pixels": torch.full((2, 1, 64, 64), float("nan"))}, "NaN or Inf"),
    ],
)
def test_bad_input_gets_one_sentence(change, says):
    arguments = {"pixels": torch.zeros(2, 1, 64, 64), "channel_names": ["a"], **change}
    with pytest.raises(InputError, match=says):
        measure(**arguments)


def test_250_images_a_second_on_one_core(cells):
    pixels, masks = cells[0].repeat(16, 1, 1, 1), cells[1].repeat(16, 1, 1)
    seconds = []
    for _ in range(12):
        # Processor time of this thread: what else the machine does is not counted.
        start = time.thread_time()
        measure(pixels, NAMES, masks, shape_from="pixels")
        seconds.append(time.thread_time() - start)
    assert len(pixels) / min(seconds) >= 250


def test_beside_a_nucleus_the_cell_has_a_size_and_an_outline():
    cells, names = PlantedCells(), ("nucleus", "cytoplasm", "organelle")
    factors, seeds = cells.sample_factors(24, seed=5), list(range(24))

    def change(factor):
        up, down = (
            measure(cells.render(cells.do(factors, factor, delta=delta), seeds), names)
            for delta in (1.0, -1.0)
        )
        return (up - down).mean() / measure(cells.render(factors, seeds), names).std()

    area, outline = change("cell_area"), change("cell_roughness")
    assert area["stained_area_cytoplasm_px"] > 1.5
    assert abs(area["area_px"]) < 0.1
    assert outline["stained_solidity_cytoplasm"] < -1.0
    assert abs(outline["stained_area_cytoplasm_px"]) < 0.3
    assert "stained_area_nucleus_px" not in area
    assert not [name for name in measure(torch.zeros(1, 3, 16, 16), ("a", "b", "c")) if "stained" in name]
