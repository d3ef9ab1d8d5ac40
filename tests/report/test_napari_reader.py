"""The napari plugin reads what diffex writes, without diffex, napari or Qt."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from napari_diffex.errors import RunError
from napari_diffex.placing import KEY
from napari_diffex.reader import get_reader, read_layers
from napari_diffex.run import CELLS, EFFECTS, EXAMPLES, HEAD, read_run

from diffex.report.colours import find_contrast, hue_names
from diffex.report.ranking import best_rows
from diffex.runs import write_run

PLUGIN = Path(__file__).parents[2] / "plugins" / "napari-diffex" / "src" / "napari_diffex"


@pytest.fixture(scope="module")
def folder(explanation, tmp_path_factory):
    return write_run(explanation, tmp_path_factory.mktemp("napari") / "run")


@pytest.fixture
def broken(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "broken")


@pytest.fixture(scope="module")
def layers(folder):
    return {meta["name"]: (data, meta, kind) for data, meta, kind in read_layers(str(folder))}


def test_concepts_are_ranked_as_in_the_report(folder, explanation):
    concepts = {one.id: one for one in read_run(folder).concepts}
    best = best_rows(explanation.effects)
    assert set(concepts) == set(best)
    for name, row in best.items():
        one = concepts[name]
        assert (one.sign, one.rank, one.significant) == (row["sign"], row["rank"], row["significant"])
        assert (one.title, one.name) == (row["words"], row["name"])
        assert (one.effect, one.low, one.high) == (row["effect"], row["ci_low"], row["ci_high"])
    order = [(not one.significant, one.rank) for one in read_run(folder).concepts]
    assert order == sorted(order)


def test_controls_are_no_concepts(changed, tmp_path):
    effects = changed().effects
    arbitrary = effects["concept"] == effects["concept"].iloc[0]
    made = changed(effects=effects.assign(kind=np.where(arbitrary, "random", effects["kind"])))
    names = [one.id for one in read_run(write_run(made, tmp_path / "run")).concepts]
    assert effects["concept"].iloc[0] not in names and len(names) == effects["concept"].nunique() - 1


def test_original_null_and_edits_are_layers_of_each_channel(layers, explanation):
    examples = explanation.examples
    assert len(layers) == 2 * (2 + len(examples["concepts"])) + 1
    for c, channel in enumerate(explanation.summary["images"]["channel_names"]):
        for name, key in (("original", "original"), ("null edit", "null")):
            data, _, kind = layers[f"{name} [{channel}]"]
            assert kind == "image" and np.array_equal(data, examples[key][:, c])
    for k, concept in enumerate(examples["concepts"]):
        row = best_rows(explanation.effects)[concept]
        data, meta, _ = layers[f"{row['name']} [DNA]"]
        told = meta["metadata"][KEY]
        assert told["strengths"] == [0.0, *examples["strengths"]]
        assert np.array_equal(data[0], examples["null"][:, 1])
        assert np.array_equal(data[1:], examples["edits"][k][:, :, 1])
        assert (told["concept"], told["effect"], told["low"], told["high"]) == (
            concept, row["effect"], row["ci_low"], row["ci_high"],
        )  # fmt: skip
        assert told["cells"] == tuple(examples["ids"]) and told["significant"] is bool(row["significant"])


def test_layers_are_shown_as_in_the_report(layers, explanation):
    images, examples = explanation.summary["images"], explanation.examples
    edits = examples["edits"].reshape(-1, *examples["original"].shape)
    names = tuple(images["channel_names"])
    contrast = find_contrast(examples["original"], examples["null"], edits, names, images["value_range"])
    for c, channel in enumerate(names):
        meta = layers[f"original [{channel}]"][1]
        assert meta["contrast_limits"] == pytest.approx((contrast.low[c], contrast.high[c]))
        assert meta["gamma"] == (0.5 if contrast.root[c] else 1.0)
        assert meta["colormap"] == hue_names(2)[c]


def test_scale_is_the_pixel_size_and_the_slider_shows_the_strength(layers):
    _, meta, _ = layers["original [DNA]"]
    assert meta["scale"] == [1.0, 0.5, 0.5] and meta["units"] == ["pixel", "um", "um"]
    edit = next(m for _, m, _ in layers.values() if m["metadata"][KEY]["kind"] == "edit")
    assert edit["scale"] == [0.5, 1.0, 0.5, 0.5] and edit["translate"][:2] == [0.0, 0.0]
    assert edit["axis_labels"] == ["strength", "cell", "y", "x"]


def test_no_two_tiles_lie_on_each_other(layers):
    corners = {}
    for data, meta, kind in layers.values():
        if kind == "image":
            told = meta["metadata"][KEY]
            corners[told["kind"], told.get("concept")] = np.array(meta["translate"][-2:]) / 0.5
            assert data.shape[-2:] == (64, 64)
    places = list(corners.values())
    for i, one in enumerate(places):
        assert all(np.abs(one - other).max() >= 64 for other in places[:i])


def test_captions_say_what_is_seen_and_reach_around_all_tiles(layers, explanation):
    points, meta, kind = layers["captions"]
    texts = meta["features"]["caption"]
    assert kind == "points" and next(iter(layers)) == "captions" and len(texts) == len(points)
    at = [text for point, text in zip(points, texts, strict=True) if tuple(point[:2]) == (3, 2)]
    assert at[0].startswith("original\n") and at[0].endswith("/cell-0002.tif") and at[1] == "null edit"
    first = best_rows(explanation.effects)[explanation.examples["concepts"][0]]
    assert first["words"] in at[2].replace("\n", " ") and at[2].endswith("strength 1.5")
    assert len(set(map(tuple, points[:, :2]))) == 5 * len(explanation.examples["ids"])
    far = [np.array(m["translate"][-2:]) / 0.5 + 64 for _, m, k in layers.values() if k == "image"]
    assert (points[:, 2:].max(0) >= np.max(far, axis=0)).all() and points[:, 2].min() < -20


def test_signed_and_uneven_strengths_keep_their_order(changed, tmp_path, explanation):
    examples = {**explanation.examples, "strengths": np.array([2.0, -1.0, 0.5, 1.0])}
    run = write_run(changed(examples=examples), tmp_path / "run")
    edit = next(one for one in read_layers(str(run)) if one[1]["metadata"][KEY]["kind"] == "edit")
    assert edit[1]["metadata"][KEY]["strengths"] == [-1.0, 0.0, 0.5, 1.0, 2.0]
    assert np.array_equal(edit[0][-1], examples["edits"][0][0][:, 0])
    assert edit[1]["axis_labels"][0] == "number of the strength" and edit[1]["scale"][0] == 1.0


def test_photographs_are_one_layer_in_colour(changed, tmp_path, explanation):
    colours = {
        key: array.repeat(2, axis=-3)[..., :3, :, :] if key in {"original", "null", "edits"} else array
        for key, array in explanation.examples.items()
    }
    images = {
        **explanation.summary["images"],
        "channel_names": ["red", "green", "blue"],
        "pixel_size_um": None,
    }
    run = write_run(changed(summary={"images": images}, examples=colours), tmp_path / "run")
    data, meta, _ = read_layers(str(run))[1]
    assert data.shape[-1] == 3 and meta["rgb"] and 0 <= data.min() <= data.max() <= 1
    assert meta["scale"][-2:] == [1.0, 1.0] and meta["units"][-1] == "pixel"


def test_the_head_opens_its_run_and_other_things_are_left_alone(folder, tmp_path):
    assert len(get_reader(str(folder / HEAD))(str(folder / HEAD))) == len(read_layers(str(folder)))
    (tmp_path / "picture.png").write_bytes(b"")
    assert get_reader(str(tmp_path)) is None and get_reader(str(tmp_path / "picture.png")) is None
    assert get_reader([str(folder)]) is None and get_reader(str(tmp_path / "absent")) is None
    with pytest.raises(RunError, match="no diffex run"):
        read_run(tmp_path)


def edit_head(folder, **parts):
    head = json.loads((folder / HEAD).read_text(encoding="utf-8"))
    (folder / HEAD).write_text(json.dumps({**head, **parts}), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: (run / HEAD).unlink(), "still being written"),
        (lambda run: (run / HEAD).write_text("{"), "not JSON"),
        (lambda run: (run / HEAD).write_text("[]"), "no schema version"),
        (lambda run: edit_head(run, schema=99), "schema 99, expected 1"),
        (lambda run: edit_head(run, images={}), "damaged at images"),
        (lambda run: edit_head(run, model=None), "damaged at model"),
        (lambda run: (run / EFFECTS).write_bytes(b"PAR1"), "effects.parquet is damaged"),
        (lambda run: shutil.copy(run / CELLS, run / EFFECTS), "effects.parquet lacks concept"),
        (lambda run: (run / CELLS).unlink(), "cells.parquet is missing"),
        (lambda run: (run / EXAMPLES).unlink(), "examples.npz is missing"),
        (lambda run: (run / EXAMPLES).write_bytes((run / EXAMPLES).read_bytes()[:-900]), "not plain arrays"),
        (lambda run: np.savez(run / EXAMPLES, ids=np.array([{}], dtype=object)), "not plain arrays"),
        (lambda run: np.savez(run / EXAMPLES, ids=np.array(["a"])), "lacks concepts"),
    ],
)
def test_a_damaged_run_is_one_sentence(broken, spoil, said):
    spoil(broken)
    reader = get_reader(str(broken))
    with pytest.raises(RunError, match=said) as error:
        reader(str(broken))
    assert "\n" not in str(error.value) and str(broken) in str(error.value)


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        ("null", lambda a: a[:1], "shape"),
        ("edits", lambda a: a * np.nan, "finite"),
        ("original", lambda a: a.astype("S1"), "finite"),
        ("strengths", lambda a: a[:, None], "shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(broken, explanation, key, change, said):
    np.savez(broken / EXAMPLES, **{**explanation.examples, key: change(explanation.examples[key])})
    with pytest.raises(RunError, match=said):
        read_run(broken)


def test_pictures_of_other_channels_are_refused(broken, explanation):
    images = {**explanation.summary["images"], "channel_names": ["one"]}
    edit_head(broken, images=images)
    with pytest.raises(RunError, match="2 channels, expected the 1"):
        read_run(broken)


def test_the_manifest_names_what_is_there():
    manifest = yaml.safe_load((PLUGIN / "napari.yaml").read_text(encoding="utf-8"))
    parts = manifest["contributions"]
    commands = {one["id"]: one["python_name"] for one in parts["commands"]}
    assert {one["command"] for one in (*parts["readers"], *parts["widgets"])} == set(commands)
    for name in commands.values():
        module, _, wanted = name.partition(":")
        source = (PLUGIN / f"{module.removeprefix('napari_diffex.')}.py").read_text(encoding="utf-8")
        assert wanted in {getattr(node, "name", "") for node in ast.parse(source).body}


def test_reading_needs_neither_diffex_nor_torch_nor_napari(folder):
    code = (
        "import sys; from napari_diffex.reader import get_reader; import napari_diffex.client;"
        f"assert get_reader({str(folder)!r})({str(folder)!r});"
        "print([m for m in ('diffex', 'torch', 'napari', 'qtpy', 'pandas') if m in sys.modules])"
    )
    environment = {"PYTHONPATH": str(PLUGIN.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
