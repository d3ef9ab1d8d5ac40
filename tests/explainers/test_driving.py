import numpy as np

from diffex.explainers.attributes import explain_attributes
from diffex.explainers.driving import driven, random_moves
from diffex.report import render_report
from diffex.runs import read_run, write_run


def test_moves_are_of_the_codes_own_shape():
    root = np.array([[2.0, 0, 0], [1.0, 1.0, 0], [0, 0, 0]])
    covariance = root @ root.T
    moves = random_moves(10, covariance, 0)
    assert moves.rows.tolist() == [k % 10 for k in range(24)]
    assert moves.white.shape == (24, 2), "nothing moves where codes do not vary"
    np.testing.assert_allclose(moves.axes @ moves.axes.T, 0.25 * covariance, atol=1e-9)
    assert (random_moves(10, covariance, 0).white == moves.white).all()
    assert (random_moves(10, covariance, 1).white != moves.white).any()


def test_the_planted_quantity_is_followed(explained, prepared):
    """The tiny model's cells are treated where their cytoplasm is bright."""
    table, told = explained.drivers, explained.summary["drivers"]
    assert told["moves"] == 64 and 0 <= told["share"] <= 1 and 0 <= told["straight"] <= 1
    assert explained.cost["nfe"]["drivers"] == 48 + 64
    assert set(table["quantity"]) <= {one.name for one in prepared.evidence.quantities}
    assert (table["low"] <= table["effect"]).all() and (table["effect"] <= table["high"]).all()
    assert table["effect"].abs().is_monotonic_decreasing
    assert (table["significant"] == (table["q"] <= explained.config["q"])).all()
    again = driven(prepared, explained.config["q"], explained.summary["seed"])[0]
    assert again["quantity"].tolist() == table["quantity"].tolist()


def test_the_report_shows_them(explained, tmp_path):
    run = write_run(explained, tmp_path / "run")
    assert read_run(run).drivers.equals(explained.drivers)
    page = render_report(run).read_text(encoding="utf-8")
    if len(explained.drivers):
        assert "What it follows, one quantity at a time" in page
        assert explained.drivers["words"].iloc[0] in page


def test_they_can_be_left_out(tiny, new_cells, model, tmp_path):
    found = explain_attributes(new_cells, model, tiny.config(images=24, concepts=10, drivers=False))
    assert found.drivers is None and "drivers" not in found.cost["nfe"]
    page = render_report(write_run(found, tmp_path / "run")).read_text(encoding="utf-8")
    assert "one quantity at a time" not in page
