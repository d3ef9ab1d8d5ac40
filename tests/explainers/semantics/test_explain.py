"""The semantic method end to end, with an untrained text model: nothing may be found, everything is said."""

import json

import numpy as np
import pytest
import torch

from diffex.base.errors import InputError
from diffex.base.ledger import CostLedger
from diffex.concepts import ConceptTree
from diffex.concepts.describers import OfflineDescriber
from diffex.explainers.contract import check_explainer
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.controls import control_concepts
from diffex.explainers.semantics.edits import edits_of
from diffex.explainers.semantics.explain import central, explain_semantics
from diffex.explainers.semantics.explainer import SemanticExplainer
from diffex.explainers.semantics.preparing import prepare_subject
from diffex.images import PlantedCells
from diffex.images.planted_labels import graded_rule
from diffex.images.planted_scenes import PlantedScenes
from diffex.measurements import quantities
from diffex.runs import read_run

TREE = ConceptTree.from_dict(
    {
        "nodes": [
            {"id": "nucleus"},
            {"id": "nucleus/large", "phrase": "large nucleus", "measurement": "area"},
            {"id": "nucleus/odd", "phrase": "odd nucleus"},
            {"id": "cell"},
            {
                "id": "cell/small",
                "phrase": "small cell",
                "measurement": "rest_mean_cytoplasm",
                "rises": False,
            },
        ]
    }
)


def config(**more):
    given = {"target": "treated", "images": 12, "steps": 2, "shown": 2, "controls": 0} | more
    return SemanticConfig(**given)


@pytest.fixture(scope="session")
def small_cells():
    return PlantedCells(32).images(24, 3, rule=graded_rule(0, 10))


@pytest.fixture(scope="session")
def small_classifier(small_cells, tmp_path_factory):
    from diffex.classifiers import fit_black_box

    folder = tmp_path_factory.mktemp("black-box")
    return fit_black_box(small_cells, folder / "box", steps=3, device=torch.device("cpu"))[0]


@pytest.fixture(scope="session")
def explained(small_cells, small_classifier, text_model):
    return explain_semantics(
        small_cells, small_classifier, text_model, TREE, config(search="exact"), address="tiny"
    )


def test_every_phrase_and_sign_is_in_the_table(explained):
    assert len(explained.effects) == 2 * len(TREE.phrases())
    assert set(explained.effects["edit"]) <= {"done", "failed", "leaks", "unchecked"}
    odd = explained.effects[explained.effects["concept"] == "nucleus/odd"]
    assert (odd["edit"] == "unchecked").all()
    assert not odd["significant"].any()


def test_it_is_counted_what_it_cost(explained):
    evaluations = explained.cost["nfe"]
    assert evaluations["inversion"] == 12 * 2
    # the size of three phrases, and both ways of the two that name a measurement
    assert evaluations["calibration"] == (3 * 4 + 2 * 2 * 10) * 4
    assert evaluations["edits"] == 12 * 3 * 2 * 4
    assert explained.summary["counts"]["controls"] == 0


def test_opposites_share_their_edits(small_cells, small_classifier, text_model):
    nodes = [
        {"id": word, "phrase": f"{word} nucleus", "measurement": "area", "rises": word == "large"}
        for word in ("large", "small")
    ]
    tree = ConceptTree.from_dict({"nodes": nodes})
    ledger, first = CostLedger(), config(search="exact")
    subject, _, _, real = prepare_subject(small_cells, small_classifier, text_model, tree, first, ledger)
    known = quantities(small_cells.channel_names, small_cells.pixel_size_um)
    edits = edits_of(tree, subject, first.size, known, real.to_numpy())
    edits.fill(np.arange(2), np.arange(12))
    assert ledger.summary()["nfe"]["edits"] == 12 * 2 * 4  # not twice that
    np.testing.assert_array_equal(edits.logits[0, :, 0], edits.logits[1, :, 1])
    alone = subject.render(edits.concepts[1], -1, np.arange(12), "again")
    shared = subject.render(edits.concepts[0], 1, np.arange(12), "again")
    torch.testing.assert_close(alone, shared)


def test_random_mixtures_are_edited_beside_the_phrases_and_not_tested(
    explained, small_cells, small_classifier, text_model
):
    asked = config(search="exact", images=20, controls=3)
    found = explain_semantics(small_cells, small_classifier, text_model, TREE, asked, address="tiny")
    assert found.summary["counts"]["controls"] == 3
    assert set(found.effects["concept"]) == set(explained.effects["concept"])
    assert [one["id"] for one in found.concepts] == [node.id for node in TREE.phrases()]
    assert found.cost["nfe"]["edits"] == (20 * 3 + 16 * 3) * 2 * 4
    assert not [name for name in found.cells if "mixture" in name]


def test_mixtures_are_of_one_seed_and_are_left_out_where_nothing_is_tested(
    small_cells, small_classifier, text_model
):
    asked = config(controls=4)
    subject, *_ = prepare_subject(small_cells, small_classifier, text_model, TREE, asked, CostLedger())
    one, same, other = (
        control_concepts(TREE, small_cells, subject.editor, asked.model_copy(update={"seed": seed}))
        for seed in (1, 1, 2)
    )
    assert len(one) == 4
    assert torch.equal(one[0].direction, same[0].direction)
    assert not torch.allclose(one[0].direction, other[0].direction)
    assert not torch.allclose(one[0].direction, one[1].direction)
    for left_out in (config(controls=4, search="rank"), config(controls=4, view="field")):
        assert control_concepts(TREE, small_cells, subject.editor, left_out) == []
    many = ConceptTree.from_dict({"nodes": [{"id": f"n{i}", "phrase": f"cell {i}"} for i in range(24)]})
    assert control_concepts(many, small_cells, subject.editor, asked) == []


def test_fields_are_measured_as_fields(small_classifier, text_model):
    scenes = PlantedScenes().images(24, 3)
    proposed = OfflineDescriber(view="field").describe(scenes).phrases()
    assert {"crowded cells", "scattered specks"} <= {node.phrase for node in proposed}
    nodes = [{"id": "many", "phrase": "large cell", "measurement": "object_count"}]
    tree = ConceptTree.from_dict({"nodes": nodes})
    asked = config(view="field", search="exact", force=True)
    found = explain_semantics(scenes, small_classifier, text_model, tree, asked, address="tiny").effects
    assert set(found["edit"]) <= {"done", "failed", "leaks"}
    blind = explain_semantics(
        scenes, small_classifier, text_model, tree, config(search="exact", force=True), address="tiny"
    )
    assert set(blind.effects["edit"]) == {"unchecked"}  # a cell has no count


def test_what_an_edit_and_its_reverse_share_is_no_effect(explained):
    both = explained.effects.pivot(index="concept", columns="sign", values="effect")
    np.testing.assert_allclose(both[1], -both[-1])
    total = explained.effects.pivot(index="concept", columns="sign", values="total")
    assert not np.allclose(total[1], -total[-1])
    changes = np.random.default_rng(0).standard_normal((2, 3, 1, 4))
    shared = np.ones((2, 3, 2, 4)) * changes + np.array([1.0, -1.0])[:, None]
    np.testing.assert_allclose(central(shared)[:, :, 0], 1.0)


def test_phrases_are_brought_to_one_size(explained):
    gains = [concept["gain"] for concept in explained.concepts]
    sizes = explained.effects.groupby("concept")["size"].mean()
    free = [c["id"] for c, gain in zip(explained.concepts, gains, strict=True) if 0.25 < gain < 8.0]
    assert max(gains) > min(gains)
    assert sizes[free].max() < 1.5 * sizes[free].min()


def test_a_run_keeps_the_tree(explained, tmp_path):
    folder = explained.save(tmp_path / "run")
    again = read_run(folder)
    assert again.tree == json.loads((folder / "tree.json").read_text())
    assert ConceptTree.from_dict(again.tree) == TREE
    assert again.summary["method"] == "semantics"


def test_a_race_gives_effects_of_all_phrases_from_fewer_edits(
    explained, small_cells, small_classifier, text_model
):
    raced = explain_semantics(small_cells, small_classifier, text_model, TREE, config(), address="tiny")
    assert raced.cost["nfe"]["edits"] <= explained.cost["nfe"]["edits"]
    full = explained.effects.set_index(["concept", "sign"])
    part = raced.effects.set_index(["concept", "sign"])
    same = part["n"] == 12
    assert np.allclose(part.loc[same, "total"], full.loc[part.index[same], "total"], atol=1e-4)


def test_a_race_ends_with_all_images_however_many(small_classifier, text_model):
    cells = PlantedCells(32).images(40, 3, rule=graded_rule(0, 10))
    raced = explain_semantics(cells, small_classifier, text_model, TREE, config(images=40), address="tiny")
    assert raced.effects["n"].max() == 40  # what was measured in part is never called


def test_an_order_calls_nothing_says_so_and_costs_less(explained, small_cells, small_classifier, text_model):
    given = small_cells, small_classifier, text_model, TREE
    ranked = explain_semantics(*given, config(search="rank", images=24), address="tiny")
    assert not ranked.effects["significant"].any()
    assert "nothing was tested" in " ".join(ranked.summary["answer"])
    assert ranked.cost["nfe"]["edits"] <= explained.cost["nfe"]["edits"]  # of half as many images
    groups = ranked.effects.groupby("edit")["n"]
    assert all(n.is_monotonic_decreasing for _, n in groups)


def test_the_null_edit_is_the_image(explained):
    assert np.abs(explained.examples["null"] - explained.examples["original"]).max() < 1e-5


def test_wrong_images_get_one_sentence(small_cells, small_classifier, text_model):
    def explain(images, settings):
        explain_semantics(images, small_classifier, text_model, TREE, settings, address="tiny")

    with pytest.raises(InputError, match="expected one of the classes"):
        explain(small_cells, config(target="tiger"))
    with pytest.raises(InputError, match="need at least 12"):
        explain(small_cells.subset(range(8)), config())


def test_a_phrase_longer_than_the_model_reads_is_refused(small_cells, small_classifier, text_model):
    long = ConceptTree.from_dict({"nodes": [{"id": "long", "phrase": "large " * 18}]})
    with pytest.raises(InputError, match="shorten it"):
        explain_semantics(small_cells, small_classifier, text_model, long, config(), address="tiny")


def test_the_explainer_keeps_the_contract(small_cells, small_classifier, text_model, tmp_path):
    text_model.save(tmp_path / "text")
    explainer = SemanticExplainer(
        "treated", editor=str(tmp_path / "text"), tree=TREE, config=config(search="exact"), device="cpu"
    )
    check_explainer(explainer, small_cells, tmp_path / "kept", small_classifier)


def test_an_explainer_that_was_not_fitted_says_so(small_cells):
    with pytest.raises(InputError, match="not fitted yet"):
        SemanticExplainer("treated").explain(small_cells)
