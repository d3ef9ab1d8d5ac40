"""The parts of suite truth on tables made by hand, and on a tiny generator."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.base.errors import InputError
from diffex.base.files import load_tensors
from diffex.concepts import Concept
from diffex.evaluation.attributes.interventions import (
    Interventions,
    differences,
    intervene,
    margins_by,
)
from diffex.evaluation.attributes.null_runs import BANK, TESTED
from diffex.evaluation.peers.attfind import released_attfind, repaired_attfind
from diffex.evaluation.peers.counted import Counted
from diffex.evaluation.peers.edit_maps import EditMaps
from diffex.evaluation.peers.proxy_gradient import proxy_gradient
from diffex.evaluation.suite import choose
from diffex.evaluation.truth.calibration import null_runs
from diffex.evaluation.truth.coverage import covered, covered_best
from diffex.evaluation.truth.explainers import OURS, explanation, lookers
from diffex.evaluation.truth.flips import Flips, keep_counterfactuals, unlike
from diffex.evaluation.truth.known import Listener, known, listening
from diffex.evaluation.truth.mapping import strongest
from diffex.evaluation.truth.places import best_matching, compared
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.purity import owned, pool_score
from diffex.evaluation.truth.real_places import border_band, boxes, nucleus_and_ring
from diffex.evaluation.truth.recovered import Edits
from diffex.evaluation.truth.rendering import misread
from diffex.evaluation.truth.saliency_effects import mass_on_factors
from diffex.evaluation.truth.scene import scene, scorable, summed
from diffex.evaluation.truth.scores import active_auroc, ndcg, over_classifiers, pearson, sign_accuracy
from diffex.evaluation.truth.shortcuts import shortcut_share, tie
from diffex.evaluation.truth.subjects import PAIRS, SINGLE, Subjects, trunk
from diffex.images import images_from_arrays
from diffex.images.planted_factors import FACTORS, factor_index

KINDS = ["morphology"] * 14 + ["principal_axis"] * 3 + ["contrastive_codes"] * 3 + ["latent"] * 3
OWN = ["mean_difference:classes", "mean_difference:probe", "proxy_gradient:1"]
RANDOM = 60


def made_pool(seed=0, count=60):
    """A pool whose classifier is linear in the factors: 2 f0 - f1, nothing else."""
    random = np.random.default_rng(seed)
    ids = [f"{kind}:{k}" for k, kind in enumerate(KINDS)] + [f"voice:{one}" for one in OWN]
    ids += [f"random:{k}" for k in range(RANDOM)]
    kinds = [*KINDS, "mean_difference", "mean_difference", "proxy_gradient", *["random"] * RANDOM]
    directions = random.standard_normal((len(ids), 12))
    directions[:12] = np.eye(12)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    concepts = tuple(
        Concept(i, k, i, torch.from_numpy(d).float()) for i, k, d in zip(ids, kinds, directions, strict=True)
    )
    noise = 0.02 * random.standard_normal((count, len(ids), 2, 12))
    factors = directions[None, :, None] * np.array([1.0, -1.0])[None, None, :, None] + noise
    weights = np.array([2.0, -1.0, *[0.0] * 10])
    margins = factors @ weights
    logits = np.stack([np.zeros_like(margins), margins], axis=-1)
    plain = np.zeros((count, 2))
    gradients = weights + 0.1 * random.standard_normal((count, 12))
    cells = images_from_arrays(np.zeros((count, 3, 32, 32), np.float32), value_range=(0, 1))
    return Pool(
        concepts,
        cells,
        factors,
        random.standard_normal((count, 12)),
        {"voice": logits, "misread:voice": logits + np.array([0.0, 3.0])},
        {"voice": plain},
        {"voice": plain},
        {"voice": gradients},
        {"voice": np.zeros((gradients.shape[1], gradients.shape[1]))},
        np.zeros((count, len(ids), 2, 4)),
        np.eye(12),
        np.eye(12) / 12,
        1.0,
    )


@pytest.fixture(scope="module")
def pool():
    return made_pool()


def test_suite_has_its_rows():
    rows = ["K1", "K2", "K3", "K4", "K5", "K6", "K6", "K6", "K7", "K8", "K9"]
    assert [task.id for task in choose("truth")] == rows


def test_every_explainer_looks_at_edits_of_its_own(pool):
    looked = lookers(pool, "voice", 1)
    assert next(iter(looked)) == OURS
    assert len(looked[OURS].columns) == 2 * len(pool.concepts)
    assert set(looked["principal axes"].columns // 2) == {14, 15, 16}
    assert len(looked["mean difference"].columns) == len(looked["linear probe"].columns) == 2
    assert set(looked["AttFind per coordinate"].columns // 2) <= {20, 21, 22}
    assert looked["AttFind repaired"].columns[0] == 0  # the first factor, upwards, moves most
    assert len(lookers(pool, "voice", 1)["proxy gradient"].columns) == 2


def test_our_explanation_finds_what_matters_and_no_random_direction(pool):
    found = explanation(pool, "voice", 1, seed=0)
    kinds = [pool.concepts[k].kind for k in found.columns // 2]
    assert found.columns[0] == 0
    assert "random" not in kinds
    assert (found.weights > 0).all()
    assert (np.diff(found.columns // 2) != 0).all()


def test_effects_are_recovered_from_edits(pool):
    edits = Edits(
        pool.factors.reshape(len(pool.levels), -1, 12), pool.effects("voice", 1).reshape(60, -1), pool.levels
    )
    found = edits.main(np.arange(60))
    assert found[:2] == pytest.approx([2.0, -1.0], abs=0.02)
    assert np.abs(found[2:]).max() < 0.02
    assert np.abs(edits.pairs(np.arange(60))).max() < 0.02
    empty = Edits(np.zeros((60, 0, 12)), np.zeros((60, 0)), pool.levels)
    assert (empty.main(np.arange(60)) == 0).all()


def test_interactions_are_recovered_from_single_edits_of_many_cells():
    random = np.random.default_rng(1)
    levels, factors = random.standard_normal((80, 12)), random.standard_normal((80, 30, 12))
    a, b = (factor_index(name) for name in PAIRS[0])
    after = levels[:, None] + factors
    margins = after[..., a] * after[..., b] - (levels[:, a] * levels[:, b])[:, None] + factors[..., 0]
    assert Edits(factors, margins, levels).pairs(np.arange(80)) == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)


def test_scores_of_effects():
    true = np.array([3.0, -2.0, 0.5, 0.01])
    assert ndcg(true, true) == pytest.approx(1)
    assert sign_accuracy(-true, true, np.abs(true) > 0.1) == 0
    assert active_auroc(true, np.abs(true) > 0.1, np.abs(true) < 0.1) == 1
    assert np.isnan(active_auroc(true, np.abs(true) > 0.1, np.zeros(4, bool)))
    assert pearson(true, np.ones(4)) == 0
    value = over_classifiers(["a", "b"], lambda name, rows: 1.0 if name == "a" else np.nan, 5, 0, 20)
    assert value[0] == 1
    assert np.isnan(over_classifiers([], lambda name, rows: 1.0, 5, 0, 2)[0])


def test_released_search_removes_by_class_0_and_tells_its_crash():
    shifts = np.zeros((4, 2, 2, 2))
    shifts[:, 0, 0, 1], shifts[:, 1, 0, 1] = 0.6, 0.4
    shifts[:2, 0, 0, 0] = 0.9  # what class 0 does decides who is removed
    made = released_attfind(shifts, 1, 5)
    assert [one.concept for one in made.found] == [0, 1]
    assert made.found[0].explained == (0, 1)
    assert made.failure == "crash: no direction is left"
    shifts[:, 0, 0, 0] = 0.9
    assert released_attfind(shifts, 1, 5).failure == "endless loop: no image is left"
    assert released_attfind(shifts, 1, 1).failure == ""
    assert repaired_attfind(shifts, 1, 5)[0].explained == (0, 1, 2, 3)
    with pytest.raises(InputError, match=r"shifts got shape \(4, 2, 2\)"):
        released_attfind(shifts[..., 0], 1, 5)


def test_misread_classifier_sees_the_upper_half_of_its_range(classifier):
    voice = classifier(0)
    low, high = voice.card.value_range
    x = torch.rand(2, 3, 32, 32)
    moved = (x + high) / 2
    assert misread(voice).logits(x, (low, high)).numpy() == pytest.approx(
        voice.logits(moved, (low, high)).numpy(), abs=1e-4
    )


def test_interventions_have_an_error(classifier):
    found = intervene({"a": classifier(0)}, 1, classifier(1), 3, 5)
    assert found.margins["a"].shape == (3, 12)
    assert found.reads.shape == (3, 12, 2)
    assert (found.errors("a") >= 0).all()


def test_two_factors_are_changed_together(classifier):
    ask = margins_by(classifier(0), 1)
    found = differences({"a": ask, "twice": lambda x: 2 * ask(x)}, PAIRS[0], 2, 5)
    assert found["a"].shape == (2,)
    assert found["twice"] == pytest.approx(2 * found["a"])


def test_truth_is_kept_by_network_and_change(bench, classifier):
    asked = []

    def counting(voice):
        one = listening(voice, 1)
        return Listener(one.content, lambda x: asked.append(len(x)) or one.ask(x))

    first = known(bench, {"a": counting(classifier(0))}, SINGLE[:1])
    assert first["a"].shape == (40, 1)
    assert len(asked) == 2
    both = {"a": counting(classifier(0)), "b": counting(classifier(1))}
    again = known(bench, both, SINGLE[:1])
    assert len(asked) == 4  # the first is not asked again
    assert (again["a"] == first["a"]).all()
    assert not np.allclose(again["b"], again["a"])


def test_purest_direction_is_chosen_on_one_half_and_scored_on_the_other():
    first = np.array([[[1.0, 0.1], [0.9, 0.3], [0.1, 1.0]]])
    second = np.array([[[1.0, 1.0], [1.0, 0.0], [0.0, -2.0]]])
    assert owned(first, second) == pytest.approx([0.5, 1.0])
    value = pool_score(np.tile(np.eye(3), (5, 1, 1)), 0)
    assert value == pytest.approx((1.0, 1.0, 1.0))
    assert pool_score(np.ones((5, 3, 3)), 0)[0] == pytest.approx(0, abs=1e-9)


def test_identity_counts_some_factors_only():
    moves = np.zeros((4, 12))
    moves[:, 0], moves[:, 1] = 1.0, -0.2
    found = Flips(np.ones(4, bool), np.zeros(4, bool), moves)
    null = np.arange(12) == 1
    assert found.identity(null, np.arange(4)) == pytest.approx(0.8)
    assert np.isnan(found.identity(np.zeros(12, bool), np.arange(4)))


def test_cells_of_another_class_are_chosen(cells, model):
    said = model.classifier.logits(cells.read(), cells.value_range).argmax(1).numpy()
    for target in (0, 1):
        ids = tuple(name for name, one in zip(cells.ids, said, strict=True) if one != target)
        assert unlike(cells, model, target).ids == ids


def test_counterfactuals_are_kept(tmp_path, cells, model, classifier):
    some = cells.subset([0])
    path = tmp_path / "part.safetensors"
    keep_counterfactuals(path, some, model, classifier(1))
    kept, before = load_tensors(path), path.stat().st_mtime_ns
    assert {len(one) for one in kept.values()} == {1}
    assert kept["reads"].shape == (1, 2)
    keep_counterfactuals(path, some, model, classifier(1))
    assert path.stat().st_mtime_ns == before


def test_subjects_tell_active_from_null(classifier):
    margins = np.tile([1.0, -0.5, 0.05, 0.01, *[0.0] * 8], (4, 1))
    made = Subjects({}, None, 1, Interventions({"a": margins}, np.zeros((4, 12, 12))), None, ())
    assert made.active("a").sum() == 2
    assert made.null("a").sum() == 9


def test_trunk_gives_the_features_under_the_head(classifier):
    voice = classifier(0)
    features = trunk(voice)
    x = torch.rand(2, 3, 32, 32)
    head = voice.module.head
    expected = features.logits(x, (0.0, 1.0)) @ head.weight.T + head.bias
    assert voice.logits(x, (0.0, 1.0)).numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def test_coverage_of_normal_effects_is_nominal():
    effects = np.random.default_rng(0).standard_normal((4000, 4)) + 1
    assert covered(effects, 64, 300, 0).mean() == pytest.approx(0.95, abs=0.03)
    assert covered_best(effects, 64, 300, 0).mean() == pytest.approx(0.95, abs=0.04)


def test_null_runs_are_as_many_as_asked():
    screen = made_pool(3, 40)
    base = screen.screen("voice", 1)
    count = BANK + 2 * TESTED
    drawn = np.random.default_rng(0).standard_normal((count, 12)) / np.sqrt(12)
    effects = (base.gradients @ drawn.T)[:, :, None] * np.array([1.0, -1.0])
    silent = replace(base, directions=drawn, random=np.ones(count, bool), effects=effects)
    found, p = null_runs({"a": silent, "b": silent}, 2, 0)
    assert found.shape == p.shape == (4,)
    assert ((p >= 0) & (p <= 1)).all()


def test_scene_knows_the_place_of_every_factor(bench):
    cells = scene(bench, 2, 40)
    assert cells.masks.shape == (2, 12, 64, 64)
    debris = cells.masks[:, factor_index("debris")]
    assert debris[:, 32:, 32:].sum() > 0.9 * debris.sum()
    active = np.zeros(12, bool)
    active[[0, 11]] = True
    assert (cells.union(active) == cells.masks[:, 0] | cells.masks[:, 11]).all()
    assert scorable(np.stack([np.zeros((8, 8), bool), np.eye(8, dtype=bool)])).tolist() == [False, True]
    shares = mass_on_factors(np.ones((2, 64, 64)), cells)
    assert shares == pytest.approx(cells.masks.mean(axis=(2, 3)))


def test_best_matching_concept_is_the_purest(pool):
    assert best_matching(pool).tolist() == list(range(12))


def test_strongest_edits_come_first(pool):
    weights = strongest(lookers(pool, "voice", 1)[OURS]).weights
    assert (np.diff(weights) <= 0).all()


def test_edit_maps_are_where_edits_change(generator):
    from diffex.editors import LatentEditor

    editor = LatentEditor(generator, "fresh", 1, 0)
    x = torch.rand(2, 3, 32, 32)
    asked = Counted(None, (0.0, 1.0))
    one = EditMaps("a", editor, np.eye(16)[:1], np.array([2.0]))
    maps = one.maps(asked, x, 1)
    assert maps.shape == x.shape
    assert maps.min() >= 0
    assert maps.max() > 0
    assert one.evaluations == 2
    assert (EditMaps("a", editor, np.zeros((0, 16)), np.zeros(0)).maps(asked, x, 1) == 0).all()
    assert summed(maps).shape == (2, 32, 32)
    with pytest.raises(InputError, match="one per direction"):
        EditMaps("a", editor, np.eye(16)[:1], np.zeros(2))


def test_paths_tell_what_of_an_edit_the_classifier_answers_to(generator):
    from diffex.editors import LatentEditor

    class Left(Counted):
        """Reads the left half of the image."""

        def margins(self, x, target):
            self.evaluations += 3 * len(x)
            return x[:, :, :, :16].sum(dim=(1, 2, 3))

    editor, x = LatentEditor(generator, "fresh", 1, 0), torch.rand(2, 3, 32, 32)
    bare, path = (EditMaps("a", editor, np.eye(16)[:1], np.ones(1), n) for n in (0, 8))
    asked = Left(None, (0.0, 1.0))
    found, whole = path.maps(asked, x, 1), bare.maps(asked, x, 1)
    assert (found[..., 16:] == 0).all() and (whole[..., 16:] > 0).any()
    sd = torch.tensor(generator.pixels.sd).view(-1, 1, 1)
    torch.testing.assert_close(found[..., :16], (whole * sd)[..., :16], rtol=1e-3, atol=1e-4)
    assert asked.evaluations == 3 * 8 * 2


def test_proxy_gradient_counts_what_it_asks(generator, classifier, cells):
    from diffex.editors import LatentEditor

    asked = Counted(classifier(0), (0.0, 1.0))
    found = proxy_gradient(LatentEditor(generator, "fresh", 1, 0), asked, cells.subset([0]), 1, np.eye(16))
    assert found.id == "proxy_gradient:1"
    assert float(found.direction.norm()) == pytest.approx(1, abs=1e-5)
    assert asked.evaluations == 192


def test_class_level_rows_compare_with_the_best_peer():
    random = np.random.default_rng(0)
    scores = {OURS: 0.95 + 0.01 * random.standard_normal(20), "RISE": 0.8 + 0.01 * random.standard_normal(20)}
    rows = list(compared(scores, {OURS: 12, "RISE": 600}, 0))
    ratio = next(row for row in rows if row.what.startswith("1 - AUROC"))
    assert ratio.value == pytest.approx(0.25, abs=0.03)
    assert ratio.holds
    assert rows[-1].value == pytest.approx(0.95 / 0.8 - 1, abs=0.02)


def test_shortcut_is_tied_by_weights():
    random = np.random.default_rng(0)
    shortcut, labels = random.standard_normal(40_000), random.integers(0, 2, 40_000)
    weight = tie(shortcut, labels, 0.6)
    signs = 2.0 * labels - 1
    assert np.average(shortcut * signs, weights=weight) == pytest.approx(0.6, abs=0.03)
    assert np.average(shortcut**2, weights=weight) == pytest.approx(1.0, abs=0.06)
    assert tie(shortcut, labels, 0.0) == pytest.approx(1.0)
    effects = np.zeros((1, len(FACTORS)))
    effects[0, factor_index("debris")], effects[0, 0] = -1.0, 4.0
    assert shortcut_share(effects) == pytest.approx([0.25])


def test_masks_of_real_sets():
    disc = np.zeros((1, 64, 64), bool)
    disc[0, 20:40, 20:40] = True
    images = images_from_arrays(np.zeros((1, 1, 64, 64), np.float32), value_range=(0, 1), masks=disc)
    wide, band = nucleus_and_ring(images), border_band(images)
    assert wide[0, 20:40, 20:40].all()
    assert disc.sum() < wide.sum() < 3 * disc.sum()
    assert not band[0, 30, 30]
    assert band[0, 20, 30]
    assert band[0, 18:22, 30].all()
    table = pd.DataFrame({"box64_x0": [10.0], "box64_y0": [20.0], "box64_x1": [12.0], "box64_y1": [24.0]})
    drawn = boxes(replace(images, table=table))
    assert drawn.sum() == 2 * 4
    assert drawn[0, 20:24, 10:12].all()
