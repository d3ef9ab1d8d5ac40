import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.base.errors import FolderError, InputError
from diffex.base.files import plain
from diffex.classifiers import margin
from diffex.editors import LatentEditor
from diffex.explainers.counterfactual import Counterfactuals, counterfactuals, find_counterfactuals
from diffex.explainers.edit import find_concept
from diffex.explainers.reach import reach_of
from diffex.explainers.single_images import open_files
from diffex.explainers.smallest_move import class_way, smallest_moves
from diffex.explainers.splitting import split_moves, split_of
from diffex.images.ome_writing import write_ome_tiff
from diffex.runs import salvage_run, write_run


@pytest.fixture(scope="session")
def two(new_cells, model):
    """Two cells that the classifier calls by their class."""
    said = model.classifier.logits(new_cells.read(), new_cells.value_range).argmax(1).numpy()
    rows = [int(np.flatnonzero(said == k)[0]) if (said == k).any() else k for k in (0, 1)]
    return new_cells.subset(rows)


@pytest.fixture(scope="session")
def done(two, model, explained, tmp_path_factory):
    return counterfactuals(two, model, "treated", explained, tmp_path_factory.mktemp("cf") / "out")


def test_a_row_per_image_with_words(done, two):
    table = done.table
    assert list(table["id"]) == list(two.ids)
    assert (table["distance"] >= 0).all()
    assert (table["flipped"] == (table["margin_counterfactual"] > 0)).all()
    moved_toward = table["margin_counterfactual"] >= table["margin_null"] - 0.05
    assert (moved_toward | table["flipped"]).all()
    assert all(table["changes"] != "")
    no_split = ("none of these", "no attribute", "no move is needed")
    assert all(any(words in text for words in no_split) for text in table["parts"])
    assert str(done).count("margin") == 2 and f"Pictures are in {done.out}." in str(done)


def test_a_run_keeps_logits_and_shares(two, model, explained, done, tmp_path):
    run = write_run(explained, tmp_path / "run")
    found = counterfactuals(two, model, "treated", explained, tmp_path / "out", keep_in=run)
    kept = {one.told.id: one for one in salvage_run(run).counterfactuals}
    pixels = two.read()
    for row, image in zip(found.table.to_dict("records"), pixels, strict=True):
        one = kept[row["id"]]
        told = one.told
        np.testing.assert_array_equal(one.original, image)
        for name in ("original", "null", "counterfactual"):
            logits = getattr(told.logits, name)
            assert logits[1] - logits[0] == pytest.approx(row[f"margin_{name}"], abs=1e-3)
        moved = float(row["distance"] > 0)
        assert sum(part.share for part in told.shares) + told.rest == pytest.approx(moved, abs=1e-3)
        assert (told.flipped, told.changes, told.target) == (row["flipped"], row["changes"], "treated")
    assert any(one.told.shares for one in kept.values())


def test_pictures_and_tables_are_written(done, two):
    for kind in ("counterfactual", "null"):
        assert sum(path.is_file() for path in (done.out / kind).rglob("*")) == len(two)
    assert len(pd.read_csv(done.out / "counterfactuals.csv")) == len(two)
    rows = json.loads((done.out / "counterfactuals.json").read_text())
    assert [row["id"] for row in rows] == list(two.ids)


def test_files_of_another_magnification_are_named(two, model, tmp_path):
    write_ome_tiff(tmp_path / "finer.tif", two.read([0])[0].numpy(), two.channel_names, two.pixel_size_um / 2)
    finer = open_files([tmp_path / "finer.tif"], model)
    said = str(counterfactuals(finer, model, "treated", None, tmp_path / "out"))
    assert "the model sees cells 2 times as large as those it knows" in said


def test_results_for_machines_tell_logits_size_and_shares(done, two, model):
    rows, table = done.results, done.table.to_dict("records")
    assert json.loads((done.out / "counterfactuals.json").read_text()) == plain(rows)
    for one, row in zip(rows, table, strict=True):
        assert {key: one[key] for key in row} == row
        assert set(one["logits_null"]) == set(one["logits_counterfactual"]) == {"control", "treated"}
        for kind in ("null", "counterfactual"):
            logits = one[f"logits_{kind}"]
            assert logits["treated"] - logits["control"] == pytest.approx(row[f"margin_{kind}"], abs=1e-5)
        assert one["size"] >= 0
    assert any(one["size"] > 0 for one in rows)


def test_shares_of_a_move_add_up(model, explained, two):
    table = explained.effects.assign(significant=explained.effects["kind"] != "random")
    run = replace(explained, effects=table)
    concept = table[table["significant"]].iloc[0]["concept"]
    along = find_concept(run, concept).direction
    moves = torch.stack([2.0 * along, torch.randn(len(along), generator=torch.Generator().manual_seed(0))])
    own, mixed = split_moves(model, run, moves)
    assert own.rest == pytest.approx(0, abs=1e-3) and own.parts[0].share == pytest.approx(1, abs=1e-3)
    assert sum(part.share for part in mixed.parts) + mixed.rest == pytest.approx(1, abs=1e-3)
    assert all(part.concept in str(mixed) for part in mixed.parts)
    none = replace(explained, effects=table.assign(significant=False))
    assert split_moves(model, none, moves) == ()
    found = find_counterfactuals(two.subset([0]), model, "treated", run)
    assert found.table["parts"].tolist() == [str(split) for split in found.splits]


def test_what_is_the_target_already_needs_no_move(two, model, tmp_path):
    """Whatever the null edits are called costs next to nothing to reach."""
    found = counterfactuals(two, model, "control", None, tmp_path / "out").table
    easy = found["margin_null"] > 0.5
    assert easy.any()
    assert (found.loc[easy, "distance"] < 0.1).all()
    assert (found["parts"] == "").all()


def test_the_same_request_may_go_on_and_no_other(done, two, model, explained):
    again = counterfactuals(two, model, "treated", explained, done.out)
    assert list(again.table["id"]) == list(done.table["id"])
    assert again.table["margin_null"].to_numpy() == pytest.approx(
        done.table["margin_null"].to_numpy(), abs=0.02
    )
    before = (done.out / "counterfactuals.csv").read_text()
    with pytest.raises(FolderError, match="another command"):
        counterfactuals(two, model, "control", explained, done.out)
    assert (done.out / "counterfactuals.csv").read_text() == before


def test_bad_requests_write_nothing(two, model, tmp_path):
    with pytest.raises(InputError, match="--target got 'dead'"):
        counterfactuals(two, model, "dead", None, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(FolderError, match=r"thesis\.txt"):
        counterfactuals(two, model, "treated", None, tmp_path / "full")


def test_the_classifier_is_left_alone(done, two, model):
    assert not any(p.requires_grad for p in model.generator.parameters())
    assert torch.is_grad_enabled()
    assert model.classifier.state_hash() == model.record["classifier"]["state_hash"]


@pytest.fixture(scope="module")
def searched(new_cells, model):
    """Controls by their null edits, the least certain ones, and the smallest moves to make them treated."""
    editor = LatentEditor(model.generator, "inverted")
    inversion = editor.invert(new_cells.read(), new_cells.ids)
    said = margin(model.classifier.logits(editor.null(inversion), new_cells.value_range), 1)
    order = said.argsort(descending=True).tolist()
    inversion = inversion.take([i for i in order if said[i] < 0][:8])
    assert len(inversion) == 8
    found = smallest_moves(model, editor, inversion, 1, torch.zeros(0, model.generator.latents))
    return editor, inversion, reach_of(model, inversion.codes), *found


def treated(model, editor, inversion, moves):
    x = editor.render(inversion, inversion.codes + moves)
    return model.classifier.logits(x, model.generator.pixels.value_range).argmax(1) == 1


def test_a_move_flips_and_a_shorter_one_does_not(model, searched):
    editor, inversion, _, moves, images = searched
    flipped = treated(model, editor, inversion, moves)
    assert flipped.sum() >= 4
    torch.testing.assert_close(editor.render(inversion, inversion.codes + moves), images)
    for shorter in (0.9, 0.8):
        assert not treated(model, editor, inversion, shorter * moves)[flipped].any()


def test_no_move_leaves_the_manifold(searched):
    _, _, reach, moves, _ = searched
    assert (reach.distance(moves) <= reach.limit.squeeze(1) * (1 + 1e-4)).all()
    assert (reach.distance(3 * moves) > reach.limit.squeeze(1)).any(), "a move too long would show"


def test_a_move_is_no_longer_than_the_way_between_the_classes(model, searched):
    editor, inversion, reach, moves, _ = searched
    across = class_way(model, inversion.codes, 1)
    inside = reach.farthest(across).clamp_max(2.0)
    for scale in torch.linspace(0.05, 1, 20):
        way = scale * inside * across
        flips = treated(model, editor, inversion, way)
        assert (reach.length(moves) <= reach.length(way) * 1.1)[flips].all()


def test_the_edge_of_the_manifold(searched):
    _, _, reach, moves, _ = searched
    directions = torch.randn(len(moves), moves.shape[1], generator=torch.Generator().manual_seed(0))
    for some in (directions, -directions, 50 * directions):
        edge = reach.distance(some * reach.farthest(some))
        torch.testing.assert_close(edge, reach.limit.squeeze(1), rtol=1e-4, atol=1e-4)
        white = some @ reach.whitener
        back = (reach.start + reach.pulled_back(white)).norm(dim=1)
        assert (back <= reach.limit.squeeze(1) * (1 + 1e-5)).all()
    assert reach.farthest(torch.zeros_like(moves)).isinf().all()


def test_what_cannot_be_flipped_on_the_manifold_is_said(two, model):
    """Codes that may not move at all."""
    narrow = copy.deepcopy(model.generator)
    narrow.code_cov = torch.zeros_like(model.generator.code_cov)
    stuck = replace(model, generator=narrow)
    found = find_counterfactuals(two, stuck, "treated", None)
    row = found.table[found.table["margin_null"] < 0].iloc[0]
    assert not row["flipped"] and row["distance"] == 0
    said = str(Counterfactuals(Path("out"), found.table, [], ()))
    assert f"{row['id']}: could not be flipped on the manifold" in said


def test_a_move_is_split_into_what_it_is_made_of():
    covariance = torch.diag(torch.tensor([4.0, 1.0, 1.0, 0.25]))
    inverse = torch.linalg.inv(covariance)
    directions = torch.tensor([[2.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0]])
    names = {"a": "size", "b": "shape", "c": "light"}
    move = 1.5 * directions[0] - 0.5 * directions[1]
    two = split_of(move, directions[:2], inverse, {"a": "size", "b": "shape"})
    assert str(two) == "+1.50 x size (a), -0.50 x shape (b), 0 % of the move is none of these"
    assert sum(part.share for part in two.parts) + two.rest == pytest.approx(1.0)
    apart = torch.tensor([0.0, 0.0, 0.0, 1.0])
    assert str(split_of(apart, directions, inverse, names)) == "100 % of the move is none of these"
    assert str(split_of(2 * directions[2], directions, inverse, names)).startswith("+2.00 x light (c), 0 %")
    half = directions[0] + apart * (directions[0] @ inverse @ directions[0]).sqrt() / 2
    one = split_of(half, directions[:1], inverse, {"a": "size"})
    assert str(one) == "+1.00 x size (a), 50 % of the move is none of these"
    assert str(split_of(torch.zeros(4), directions, inverse, names)) == "no move is needed"
