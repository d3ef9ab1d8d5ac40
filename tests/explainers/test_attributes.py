"""The tests of the published code's defects that concern attributes, and the method end to end."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from diffex.base.errors import ClassifierError, GateError, InputError
from diffex.base.ledger import CostLedger
from diffex.classifiers import Classifier, align_labels
from diffex.concepts import Concept
from diffex.editors import LatentEditor
from diffex.effects.dose import dose_response
from diffex.effects.matrix import Judge, effect_matrix, margin_of
from diffex.effects.multiplicity import benjamini_hochberg
from diffex.effects.search import attfind
from diffex.explainers.attributes import (
    _complete,
    _measure,
    _verify_best,
    attribute_score,
    calibrated_concepts,
    explain_attributes,
)
from diffex.explainers.magnification import model_magnification
from diffex.explainers.preparing import prepare
from diffex.explainers.showing import example_pictures
from diffex.explainers.verifying import Verified, make_verifier, passing_first
from diffex.images import open_images, write_image
from diffex.images.images import ArraySource
from diffex.report.pictures import open_gallery, open_plate
from diffex.report.ranking import best_rows


def brightness(channel=1):
    """A network trained on pixels in [-1, 1] that looks at the mean of one channel."""
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    with torch.no_grad():
        net[2].weight.copy_(20 * torch.stack([-torch.eye(3)[channel], torch.eye(3)[channel]]))
        net[2].bias.copy_(torch.tensor([-10.0, 10.0]))
    return net


def test_strength_0_is_nothing_in_the_classifiers_own_range(model, prepared):
    """The published code gave images in [0, 1] to a classifier trained on [-1, 1]."""
    net = brightness()
    classifier = Classifier.wrap(
        net, class_names=("control", "treated"), size=32, channels=3, value_range=(-1.0, 1.0), mean=0, std=1
    )
    judge = Judge(classifier, (0.0, 255.0), CostLedger())
    editor = LatentEditor(model.generator, "inverted")
    x = prepared.x[:4]
    inversion = editor.invert(x, prepared.images.ids[:4])
    concept = calibrated_concepts_of(prepared)[0]
    null, zero = editor.null(inversion), editor.edit(inversion, concept, 0.0)
    np.testing.assert_array_equal(judge.logits(zero), judge.logits(null))
    own_range = [net(one / 127.5 - 1).detach().numpy() for one in (x, null)]
    np.testing.assert_allclose(judge.logits(x), own_range[0], atol=1e-4)
    np.testing.assert_allclose(judge.logits(null), own_range[1], atol=1e-4)
    defective = net(null / 255).detach().numpy()
    assert np.abs(defective - own_range[0]).min() > 1, "the defect is seen as an effect of the null edit"
    assert np.abs(defective - own_range[0]).min() > 5 * np.abs(own_range[1] - own_range[0]).max()


def calibrated_concepts_of(prepared):
    from diffex.concepts import propose_concepts

    return propose_concepts(prepared.evidence, 10, ("random",))


def test_explaining_leaves_batch_norm_alone(tiny, new_cells, model):
    """The published code trained with the classifier in training mode: its statistics drifted."""
    net = model.classifier.module
    assert any(isinstance(part, nn.BatchNorm2d) for part in net.modules())
    before = model.classifier.state_hash()
    explain_attributes(new_cells, model, tiny.config(images=24, concepts=10))
    assert model.classifier.state_hash() == before
    assert not any(part.training for part in net.modules())
    drifting = copy.deepcopy(net).train()
    with torch.no_grad():
        drifting(model.classifier.preprocess(new_cells.read(range(8)), new_cells.value_range))
    with pytest.raises(ClassifierError, match="state hash"):
        Classifier(drifting, model.classifier.card, differentiable=True).check_unchanged(before)


def test_search_on_the_cached_matrix_equals_fresh_renders(model, prepared):
    few = prepared.inversion.rows(0, 6)
    concepts = [c.scaled(3.0) for c in calibrated_concepts_of(prepared)]
    size_of = model.generator.pixels.size
    cached = effect_matrix(prepared.screen, prepared.judge, few, concepts, size_of).effects(prepared.target)
    null = prepared.judge.logits(prepared.screen.null(few))
    again = np.empty_like(cached)
    for k, concept in enumerate(concepts):
        for side, sign in enumerate((1, -1)):
            logits = prepared.judge.logits(prepared.screen.edit(few, concept, sign))
            change = logits - null
            again[:, k, side] = change[:, 1] - change[:, 0]
    np.testing.assert_allclose(cached, again, atol=1e-5)
    assert np.abs(cached).max() > 0.01
    found, recomputed = attfind(cached, 99), attfind(again, 99)
    assert [(f.concept, f.sign, f.explained) for f in found] == [
        (f.concept, f.sign, f.explained) for f in recomputed
    ]
    assert len(found) <= len(concepts), "it ends when directions run out"


def test_the_other_target_gives_the_mirror_image(tiny, new_cells, model, explained):
    """Target 0 and target 1 of two classes have opposite margins."""
    other = explain_attributes(new_cells, model, tiny.config(target="control", q=0.9, search="exact"))
    a, b = (
        e.effects[e.effects["kind"] == "random"].set_index(["concept", "sign"])["effect"].sort_index()
        for e in (explained, other)
    )
    assert len(a) >= 8
    np.testing.assert_allclose(a, -b, atol=1e-6)
    assert np.abs(a).max() > 1e-3
    assert other.summary["target"] == "control"
    assert not any("nan" in sentence for sentence in other.summary["answer"])


def test_class_order_is_the_cards_and_not_the_folders(tiny, tmp_path, new_cells, model, explained):
    """Folders made in reverse order, and a set that lists its classes the other way round."""
    x = new_cells.read(range(8))
    for name, label in (("treated", 1), ("control", 0)):
        for row in np.flatnonzero(new_cells.labels[:8] == label):
            write_image(tmp_path / name / f"{row}.tif", x[row].round(), "uint8", (0.0, 255.0))
    assert open_images(tmp_path).class_names == ("control", "treated")
    turned = replace(new_cells, class_names=("treated", "control"), labels=1 - new_cells.labels)
    aligned = align_labels(turned, model.classifier.card)
    assert aligned.class_names == model.classifier.card.class_names
    again = prepare(aligned, model, tiny.config())
    assert [again.images.ids[i] for i in np.flatnonzero(~again.half)] == explained.summary["splits"][
        "estimation"
    ]
    defective = prepare(replace(new_cells, labels=1 - new_cells.labels), model, tiny.config())
    assert (again.evidence.is_target != defective.evidence.is_target).all(), "a swapped order would show"


def test_halves_are_apart(explained):
    selection, estimation = (set(explained.summary["splits"][k]) for k in ("selection", "estimation"))
    assert not selection & estimation
    assert len(selection | estimation) == 48
    groups = explained.cells.set_index("id")["group"]
    assert not set(groups[list(selection)]) & set(groups[list(estimation)]), "nor do they share a well"
    assert set(explained.examples["ids"].tolist()) <= estimation
    assert (explained.effects["n"] == len(estimation)).all()


def test_on_the_fitted_set_only_images_held_out_are_judged(tiny, new_cells, model, prepared):
    held_out = [name for i, name in enumerate(new_cells.ids) if i % 3 == 0]
    fitted_on = replace(model, record={**model.record, "held_out": held_out, "held_out_pixels": {}})
    again = prepare(new_cells, fitted_on, tiny.config())
    judged = {again.images.ids[i] for i in np.flatnonzero(~again.half)}
    assert judged == set(held_out) & set(again.images.ids)
    assert len(judged) >= len(again.images) // 3
    assert not judged & {again.images.ids[i] for i in np.flatnonzero(again.half)}
    assert not {prepared.images.ids[i] for i in np.flatnonzero(~prepared.half)} <= set(held_out), (
        "it would show"
    )


def test_concepts_do_not_hang_on_the_images_they_are_judged_by(tiny, new_cells, model, prepared):
    """Other pixels in the estimating half leave every concept and the common size as they are."""
    judged = {prepared.images.ids[i] for i in np.flatnonzero(~prepared.half)}

    def concepts_with_noise_in(names):
        pixels = new_cells.read().numpy()
        for row, name in enumerate(new_cells.ids):
            if name in names:
                pixels[row] = np.random.default_rng(row).uniform(0, 255, pixels[row].shape)
        changed = replace(new_cells, source=ArraySource(pixels, new_cells.source.masks))
        return calibrated_concepts(prepare(changed, model, tiny.config()), tiny.config())

    plain, size, _ = calibrated_concepts(prepared, tiny.config())
    same, same_size, _ = concepts_with_noise_in(judged)
    assert [c.id for c in same] == [c.id for c in plain]
    assert all(torch.equal(a.direction, b.direction) for a, b in zip(same, plain, strict=True))
    assert same_size == size
    assert len(prepared.evidence.codes) == len(new_cells) - len(judged)
    assert len(prepared.evidence.gradients) == prepared.half.sum()
    leaky, leaky_size, _ = concepts_with_noise_in(set(prepared.images.ids) - judged)
    assert leaky_size != size, "a leak would show"
    assert any(
        not torch.equal(a.direction, b.direction)
        for a in leaky for b in plain if a.id == b.id and a.kind == "random"
    )  # fmt: skip


def test_random_directions_alone_discover_nothing(tiny, new_cells, model, prepared):
    found = explain_attributes(
        new_cells, model, tiny.config(concepts=40, kinds=("random",), q=0.05, search="exact")
    )
    assert set(found.effects["kind"]) == {"random"}
    assert len(found.effects) == 16
    assert not found.effects["significant"].any(), "they are controls"
    assert (benjamini_hochberg(found.effects["p"]) > 0.05).all(), "and would not be found as claims either"
    assert found.summary["answer"][0].startswith("No change that was tried")
    assert found.examples["edits"].shape[0] == len(found.dose) == len(found.measured) == 0
    null = prepared.judge.logits(prepared.screen.null(prepared.inversion))
    again = prepared.judge.logits(prepared.screen.null(prepared.inversion))
    assert (null - again == 0).all()
    noise = np.random.default_rng(0).normal(0, 0.1, (48, 40, 2))
    assert len(attfind(noise, most=10)) > 3, "the published acceptance finds attributes in noise alone"


def test_explanation_is_whole(explained, model):
    effects, counts = explained.effects, explained.summary["counts"]
    assert counts["merged"] == len(effects) // 2 == len(explained.directions)
    assert sorted(effects["rank"]) == list(range(1, len(effects) + 1))
    assert explained.summary["model"] == {
        "address": model.address,
        "state_hash": model.state_hash(),
        "forced": True,
    }
    assert explained.cost["nfe"]["screening"] == 48 * 2 * counts["merged"]
    assert explained.cost["nfe"]["null"] >= 48
    assert explained.examples["null"].min() >= 0 and explained.examples["null"].max() > 1, "grey values"
    assert explained.examples["original"].shape == (2, 3, 32, 32)


def test_what_the_classifier_answers_to_adds_up_to_what_the_shown_edit_does(explained, model):
    examples, target = explained.examples, list(explained.summary["class_names"]).index("treated")
    assert examples["answered"].shape == (len(examples["concepts"]), *examples["original"].shape)
    judge, gallery = Judge(model.classifier, (0.0, 255.0), CostLedger()), open_gallery(explained)
    rows = best_rows(explained.effects)
    for place, name in enumerate(gallery.concepts):
        plate = open_plate(gallery, rows[name])
        edit = plate.cells[0].edits[plate.strongest]
        ends = torch.from_numpy(np.stack([plate.cells[0].null, edit]))
        before, after = margin_of(judge.logits(ends), target)
        assert examples["answered"][place, 0].sum() == pytest.approx(after - before, rel=0.05, abs=0.02)


def test_an_attribute_that_never_looks_real_does_not_lead():
    def one(name, largest):
        concept, flat = (
            Concept(name, "latent", name, torch.ones(2)),
            dose_response(np.zeros((2, 3)), range(3)),
        )
        return Verified(concept, 1, pd.DataFrame(), largest, True, flat)

    ordered = passing_first([one("a", np.nan), one("b", 1.0), one("c", 0.5), one("d", np.nan)])
    assert [v.concept.id for v in ordered] == ["b", "c", "a", "d"]


def test_what_is_verified_is_told_in_every_table(tiny, prepared, model, new_cells):
    """The best row is called significant by hand: so small a model need not find any."""
    config = tiny.config()
    concepts, _, _ = calibrated_concepts(prepared, config)
    verifier = make_verifier(prepared, new_cells, model.generator, config)
    table = pd.DataFrame(
        {"concept": [concepts[0].id], "sign": [1], "kind": "latent", "significant": True, "effect": 1.0,
         "name": "by hand"}
    )  # fmt: skip
    (one,) = _verify_best(verifier, prepared, table, concepts, config)
    assert list(one.dose["strength"]) == [0.5, 1.0]
    assert one.dose["discriminator_auroc"].between(0, 1).all()
    measured, leaks = _measure(verifier, prepared, [one])
    assert set(measured["concept"]) == {concepts[0].id} and (measured["strength"] == one.strength).all()
    row = _complete(table, [one], measured, leaks).iloc[0]
    assert row["off_target"] >= 0 and row["words"] != "by hand"
    assert row["control_found"] == one.control_found
    assert row["trend_p"] == one.trend.p and list(one.trend.strengths) == [0.0, 0.5, 1.0]
    np.testing.assert_allclose(one.trend.effects.value, [0.0, *one.dose["effect"]])
    assert np.isnan(row["half_flip"]) == (one.dose["flip_rate"].fillna(0) < 0.5).all()
    pictures = example_pictures(prepared, model.generator, [one], config)
    assert pictures["edits"].shape == (1, 2, 2, 3, 32, 32)
    assert set(pictures["ids"]) <= {prepared.images.ids[i] for i in np.flatnonzero(~prepared.half)}
    score = attribute_score(prepared.inversion.codes.double().numpy(), one, prepared.evidence.covariance)
    assert abs(score.mean()) < 1e-6 < score.std()


def test_failed_gates_refuse_without_force(tiny, new_cells, model):
    with pytest.raises(GateError) as caught:
        explain_attributes(new_cells, model, tiny.config(force=False))
    said = str(caught.value)
    failed = [gate for gate in model.gates if not gate.passed]
    assert failed
    assert f"failed {len(failed)} of {len(model.gates)} gates" in said
    assert all(gate.words in said for gate in failed)
    assert "--force" in said


def test_unknown_target_is_refused(tiny, new_cells, model):
    with pytest.raises(InputError, match="--target got 'dead', expected one of the classes control, treated"):
        explain_attributes(new_cells, model, tiny.config(target="dead"))


def test_too_few_images_are_refused(tiny, new_cells, model):
    with pytest.raises(InputError, match="Got 23 images, the statistics need at least 24"):
        explain_attributes(new_cells.subset(range(23)), model, tiny.config())


def test_other_images_than_the_models_are_refused(tiny, model):
    dim = tiny.cells(24, seed=3, value_range=(0.0, 65535.0))
    with pytest.raises(ClassifierError, match=r"in \[0, 65535\], the model .* expects .* in \[0, 255\]"):
        explain_attributes(dim, model, tiny.config())


def test_another_magnification_than_the_models_is_said(tiny, new_cells, model, explained):
    assert model.pixel_size_um == new_cells.pixel_size_um > 0
    assert not [said for said in explained.summary["warnings"] if "um per pixel" in said]
    finer = replace(new_cells, pixel_size_um=new_cells.pixel_size_um / 2)
    (said,) = model_magnification(model, finer)
    assert "The model's images have" in said and "sees cells 2 times as large as those it knows" in said
    assert said in explain_attributes(finer, model, tiny.config(images=24, concepts=10)).summary["warnings"]


def test_a_model_of_an_earlier_version_knows_no_pixel_size(new_cells, model):
    older = replace(
        model, record={key: value for key, value in model.record.items() if key != "pixel_size_um"}
    )
    assert older.pixel_size_um is None and model_magnification(older, new_cells) == ()


def test_images_without_labels_are_explained_by_predictions(tiny, new_cells, model):
    bare = replace(new_cells, labels=None, class_names=(), groups=None)
    found = explain_attributes(bare, model, tiny.config(images=24, concepts=10))
    assert found.summary["labels_are_predictions"]
    assert set(found.cells["label"]) <= {"control", "treated"}
    assert found.summary["unit"] == "images"


def test_every_direction_gets_its_size_on_all_classes(prepared, monkeypatch):
    from diffex.explainers import significance

    seen = []

    def noted(concepts, editor, inversion, metric, size, ledger):
        seen.append(inversion.ids)
        return concepts

    monkeypatch.setattr(significance, "calibrate", noted)
    significance.rendered_beside(prepared, np.flatnonzero(~prepared.half), 0.3)
    assert seen == [prepared.sizing.ids]
    place = {name: i for i, name in enumerate(prepared.inversion.ids)}
    labels = prepared.images.labels[[place[name] for name in seen[0]]]
    assert set(labels) == set(prepared.images.labels)
    assert all(prepared.half[place[name]] for name in seen[0])
