"""A classifier without gradients, end to end: a twin guides, the black box decides."""

from functools import partial

import numpy as np
import pytest
import torch

from diffex.classifiers import Classifier
from diffex.classifiers.fitting import fit_twin
from diffex.editors import LatentEditor
from diffex.explainers.attributes import explain_attributes
from diffex.explainers.counterfactual import counterfactuals
from diffex.explainers.reach import reach_of
from diffex.explainers.smallest_move import smallest_moves


def answer(x):
    """Brightness of the cytoplasm, in plain numbers."""
    level = 8 * (np.asarray(x)[:, 1].mean((1, 2)) - 0.2)
    return np.stack([-level, level], axis=1)


@pytest.fixture(scope="module")
def oracle():
    return Classifier.wrap(
        answer, class_names=("control", "treated"), size=32, channels=3, mean=0, std=1, address="oracle"
    )


@pytest.fixture(scope="module")
def black_box_model(tiny, fitting_cells, oracle, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diffex.generators.making.fit_twin", partial(fit_twin, steps=6))
        return tiny.fit(fitting_cells, tmp_path_factory.mktemp("oracle") / "model", oracle)


def test_the_twin_guides_and_the_black_box_decides(tiny, black_box_model, oracle, new_cells):
    assert not black_box_model.classifier.differentiable
    assert black_box_model.guide.differentiable
    before = oracle.state_hash()
    found = explain_attributes(new_cells, black_box_model, tiny.config(images=24, concepts=10, q=0.9))
    assert len(found.effects) >= 8
    assert np.abs(found.effects["effect"]).max() > 0
    x = new_cells.read([new_cells.ids.index(i) for i in found.cells["id"]]).numpy()
    np.testing.assert_allclose(found.cells["logit_treated"], answer(x / 255)[:, 1], atol=1e-4)
    assert oracle.state_hash() == before
    assert found.summary["classifier"]["balanced_accuracy"] is None
    assert "answered" not in found.examples, "no gradients, no map of what it answers to"


def test_counterfactuals_are_judged_by_the_black_box(black_box_model, new_cells, tmp_path):
    one = new_cells.subset([0])
    row = counterfactuals(one, black_box_model, "treated", None, tmp_path / "out").table.iloc[0]
    level = 2 * answer(one.read().numpy() / 255)[0, 1]
    assert row["margin_original"] == pytest.approx(level, abs=1e-3)


def test_concepts_guide_where_there_are_no_gradients(black_box_model, new_cells, monkeypatch):
    """With a guide that knows nothing, concepts alone find the brighter cytoplasm."""
    model = black_box_model
    editor = LatentEditor(model.generator, "inverted")
    inversion = editor.invert(new_cells.read(), new_cells.ids)
    said = model.classifier.logits(editor.null(inversion), new_cells.value_range).argmax(1).numpy()
    inversion = inversion.take(np.flatnonzero(said == 0)[:6].tolist())
    monkeypatch.setattr(
        "diffex.explainers.smallest_move._search", lambda model, reach, ids, codes, start, target: 0 * start
    )
    monkeypatch.setattr(
        "diffex.explainers.smallest_move.class_way", lambda model, codes, target: torch.zeros_like(codes)
    )
    none = torch.zeros(0, model.generator.latents)
    still, _ = smallest_moves(model, editor, inversion, 1, none)
    assert not still.any()
    moves, images = smallest_moves(model, editor, inversion, 1, torch.eye(model.generator.latents))
    flipped = model.classifier.logits(images, new_cells.value_range).argmax(1) == 1
    assert flipped.sum() >= 3
    reach = reach_of(model, inversion.codes)
    assert (reach.distance(moves) <= reach.limit.squeeze(1) * (1 + 1e-4)).all()
