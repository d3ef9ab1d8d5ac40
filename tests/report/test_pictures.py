import base64
import io

import numpy as np
import pytest
from PIL import Image

from diffex.report.colours import brightness, composite, difference, find_contrast, grey
from diffex.report.pictures import channel_figures, lead_figure, open_gallery, open_plate
from diffex.report.ranking import best_rows
from diffex.report.strips import enlargement, most_edits, scale_bar


def decoded(address):
    kind, data = address.split(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def plate_of(explanation, concept=0):
    gallery = open_gallery(explanation)
    return open_plate(gallery, best_rows(explanation.effects)[gallery.concepts[concept]])


def contrast_of(explanation, names=("a", "b")):
    e = explanation.examples
    edits = e["edits"].reshape(-1, *e["original"].shape)
    return find_contrast(e["original"], e["null"], edits, names, (0.0, 255.0))


def test_contrast_is_that_of_the_originals(explanation):
    contrast, original = contrast_of(explanation), explanation.examples["original"]
    assert np.allclose(contrast.low, np.percentile(original, 0.5, axis=(0, 2, 3)), atol=1e-3)
    assert np.allclose(contrast.high, np.percentile(original, 99.8, axis=(0, 2, 3)), atol=1e-3)
    level = brightness(original, contrast)
    assert level.min() == 0 and level.max() == 1


def test_photographs_keep_their_colours():
    pixels = np.random.default_rng(0).integers(100, 140, (2, 3, 8, 8)).astype(np.float32)
    contrast = find_contrast(pixels, pixels, pixels[None], ("red", "green", "blue"), (0.0, 255.0))
    assert np.array_equal(composite(pixels, contrast), np.moveaxis(pixels, 1, -1).astype(np.uint8))


def test_flat_channels_divide_by_nothing():
    pixels = np.full((2, 2, 8, 8), 7.0, dtype=np.float32)
    contrast = find_contrast(pixels, pixels, pixels[None], ("a", "b"), (0.0, 255.0))
    assert composite(pixels, contrast).max() == 0
    assert grey(pixels, contrast, 0).shape == (2, 8, 8, 3)


def test_difference_is_blue_white_red():
    blue, white, red = difference(np.array([[-1.0, 0.0, 1.0]]), 1.0)[0].astype(int)
    assert blue[2] > blue[0] and red[0] > red[2]
    assert np.ptp(white) == 0 and white[0] > 240


@pytest.mark.parametrize(
    ("pixel", "expected"), [(0.5, (20, "10 µm")), (None, (20, "20 px")), (0.1, (20, "2 µm"))]
)
def test_scale_bar(pixel, expected):
    assert scale_bar(64, pixel) == expected


def test_enlargement_keeps_to_the_budget():
    assert enlargement((64, 64), 100) == 3
    assert enlargement((64, 64), 1000) == 1
    assert enlargement((256, 256), 100) == 1
    assert enlargement((256, 256), 4000) < 0.25


def test_lead_figure(explanation):
    figure = lead_figure(plate_of(explanation))
    heads = [head for head, _ in figure.columns]
    assert heads[:3] == ["original", "null edit", "edit 0.5"]
    assert heads[-2:] == ["change: FKHR-EGFP", "change: DNA"]
    assert figure.columns[5] == ("edit 2", "does not look real")
    assert figure.columns[-1][1] == "edit 1.5 minus null"  # strength 2 is off the manifold
    height, width, _ = decoded(figure.strips[0].address).shape
    assert height % 64 == 0 and len(heads) * height <= width <= len(heads) * (height + 8)


def test_what_counts_to_the_classifier_is_shown_where_it_is_known(explanation, changed):
    examples = explanation.examples
    answered = np.zeros((*examples["edits"].shape[:1], *examples["original"].shape), dtype=np.float32)
    answered[:, :, 0, :8, :8], answered[:, :, 1, -8:, -8:] = 3.0, -1.0
    figure = lead_figure(plate_of(changed(examples={**examples, "answered": answered})))
    assert figure.columns[-1] == ("what counts", "to the classifier")
    assert "red where the change speaks for positive" in figure.caption
    assert figure.caption.endswith("FKHR-EGFP 75\N{NO-BREAK SPACE}%, DNA 25\N{NO-BREAK SPACE}% of it.")
    picture = decoded(figure.strips[0].address).astype(int)
    last = picture[:, -picture.shape[0] :]
    assert last[4, 4, 0] > last[4, 4, 2] and last[-4, -4, 2] > last[-4, -4, 0], "red above, blue below"
    silent = lead_figure(plate_of(changed(examples={**examples, "answered": 0 * answered})))
    assert silent.columns[-1][0] == "change: DNA"


def test_scale_bar_is_in_the_first_picture_only(explanation, changed):
    images = {**explanation.summary["images"], "pixel_size_um": 3.0}
    longer, shorter = (
        decoded(lead_figure(plate_of(e)).strips[0].address)
        for e in (explanation, changed(summary={"images": images}))
    )
    rows, columns = np.nonzero((longer != shorter).any(axis=-1))
    assert len(rows) and columns.max() < longer.shape[0] / 2 and rows.min() > longer.shape[0] * 0.8


def test_channel_figures(explanation):
    figures = channel_figures(plate_of(explanation))
    assert [figure.caption.split(":")[0] for figure in figures] == ["FKHR-EGFP", "DNA"]
    assert figures[1].columns[-1][0] == "change"


def test_signed_strengths_show_both_ways(explanation, changed):
    examples = {**explanation.examples, "strengths": np.array([1.0, -1.0, 0.5, -0.5])}
    plate = plate_of(changed(examples=examples))
    assert plate.strengths.tolist() == [-1.0, -0.5, 0.5, 1.0]
    assert plate.strengths[plate.strongest] == 1.0
    assert np.array_equal(plate.cells[0].edits[3], examples["edits"][0, 0, 0])


def test_many_strengths_leave_out_the_far_and_the_small(explanation, changed):
    strengths = np.array([0.1, 0.2, 0.5, 0.8, 1.0, 1.5, 2.0, 4.0])
    edits = np.concatenate([explanation.examples["edits"]] * 2, axis=1)
    plate = plate_of(changed(examples={**explanation.examples, "strengths": strengths, "edits": edits}))
    assert plate.strengths.tolist() == [0.5, 0.8, 1.0, 1.5, 2.0]


def test_where_nothing_looks_real_the_weakest_is_shown(explanation, changed):
    plate = plate_of(changed(dose=explanation.dose.assign(on_manifold=False)))
    assert plate.strengths.tolist() == [0.5]
    assert plate.strongest == 0


@pytest.mark.parametrize(
    ("channels", "with_answer", "edits"), [(1, True, 5), (2, True, 5), (3, True, 4), (3, False, 5)]
)
def test_many_maps_leave_room_for_fewer_edits(channels, with_answer, edits):
    flat = np.zeros((1, channels, 4, 4), dtype=np.float32)
    contrast = find_contrast(flat, flat, flat[None], tuple("abc"[:channels]), (0.0, 1.0))
    assert most_edits(contrast, with_answer=with_answer) == edits
