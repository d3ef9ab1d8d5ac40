import json
import resource
import signal
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.base.errors import FolderError
from diffex.runs import read_run, write_run

FILES = (
    "cells.parquet",
    "concepts.json",
    "concepts.safetensors",
    "config.yaml",
    "cost.json",
    "dose.parquet",
    "effects.csv",
    "effects.parquet",
    "examples/examples.npz",
    "explanation.json",
    "measured.parquet",
)


def listed(folder):
    return tuple(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()))


@pytest.fixture
def run(make, tmp_path):
    return write_run(make(), tmp_path / "run")


def test_round_trip(make, run):
    whole, again = make(), read_run(run)
    assert listed(run) == FILES
    assert again.summary == whole.summary
    for name in ("effects", "cells", "dose", "measured"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(whole, name), check_dtype=False)
    assert again.examples.keys() == whole.examples.keys()
    assert all(np.array_equal(again.examples[key], whole.examples[key]) for key in again.examples)
    assert torch.equal(again.directions["c0"], whole.directions["c0"])
    assert (again.concepts, again.config, again.cost) == (whole.concepts, whole.config, whole.cost)
    assert write_run(again, run) == run


def test_a_breakdown_is_kept_and_goes_with_its_run(make, tmp_path):
    parts = pd.DataFrame(
        {"concept": "c0", "sign": 1, "by": "class", "name": ["no", "yes"], "effect": [0.1, 0.9], "low": 0.0,
         "high": 1.0, "n": 8, "groups": 0, "unit": "images"}
    )  # fmt: skip
    run = write_run(make(breakdown=parts), tmp_path / "run")
    pd.testing.assert_frame_equal(read_run(run).breakdown, parts)
    with pytest.raises(FolderError, match=r"breakdown\.parquet repeats a row"):
        write_run(make(breakdown=pd.concat([parts, parts])), run)
    assert read_run(write_run(make(), run)).breakdown is None


def test_nothing_found_can_be_kept(make, tmp_path):
    whole = make()
    nothing = {
        **whole.examples,
        "concepts": np.array([], dtype=np.str_),
        "edits": whole.examples["edits"][:0],
    }
    empty = make(dose=whole.dose.iloc[:0], measured=whole.measured.iloc[:0], examples=nothing, directions={})
    assert not len(read_run(write_run(empty, tmp_path / "run")).dose)


@pytest.mark.parametrize("name", [name for name in FILES if name != "effects.csv"])
def test_missing_file(run, name):
    (run / name).unlink()
    with pytest.raises(FolderError, match=name.replace(".", r"\.")):
        read_run(run)


@pytest.mark.parametrize("name", [name for name in FILES if name not in {"effects.csv", "config.yaml"}])
@pytest.mark.parametrize("keep", [0, 0.5])
def test_damaged_file(run, name, keep):
    content = (run / name).read_bytes()
    (run / name).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(FolderError, match=rf"{name}.* is damaged".replace(".", r"\.", 1)):
        read_run(run)


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "!!python/object/apply:os.getcwd []"])
def test_damaged_config(run, text):
    (run / "config.yaml").write_text(text)
    with pytest.raises(FolderError, match=r"config\.yaml is damaged"):
        read_run(run)


@pytest.mark.parametrize(
    ("name", "text"), [("concepts.json", "{}"), ("cost.json", "[]"), ("concepts.json", "[1]")]
)
def test_json_of_another_shape(run, name, text):
    (run / name).write_text(text)
    with pytest.raises(FolderError, match=rf"{name} is damaged"):
        read_run(run)


def test_pickled_arrays_are_never_loaded(run):
    np.savez(run / "examples" / "examples.npz", ids=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FolderError, match=r"examples\.npz is damaged \(not plain arrays\)"):
        read_run(run)


def edit_head(run, **changes):
    path = run / "explanation.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("schema", [2, 0, "1", None])
def test_other_schema(run, make, schema):
    edit_head(run, schema=schema)
    with pytest.raises(FolderError, match=r"explanation\.json is of schema .*, expected 1"):
        read_run(run)
    with pytest.raises(FolderError, match="is of schema"):
        write_run(make(), run)


def test_head_that_does_not_say_what_it_must(run):
    edit_head(run, model={"address": "model"})
    with pytest.raises(FolderError, match=r"explanation\.json is damaged at model\.state_hash"):
        read_run(run)
    (run / "explanation.json").write_text("[]")
    with pytest.raises(FolderError, match="no schema version"):
        read_run(run)


def test_no_run_at_all(tmp_path):
    with pytest.raises(FolderError, match=r"is no finished run"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "summary",
    [{"target": "no"}, {"model": {"address": "model", "state_hash": "other", "forced": False}}],
)
def test_foreign_run_is_refused_and_left_alone(run, make, summary):
    before = {name: (run / name).read_bytes() for name in FILES}
    with pytest.raises(FolderError, match="already holds another run"):
        write_run(make(summary=summary), run)
    assert {name: (run / name).read_bytes() for name in listed(run)} == before


def test_same_run_is_overwritten_and_other_files_stay(run, make):
    (run / "report.html").write_text("of the old run")
    (run / "model").mkdir()
    (run / "model" / "weights").write_text("kept")
    write_run(make(summary={"seed": 5}), run)
    assert read_run(run).summary["seed"] == 5
    assert listed(run) == tuple(sorted((*FILES, "model/weights")))


def test_file_in_place_of_the_folder(make, tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(FolderError, match="is a file, expected a folder"):
        write_run(make(), tmp_path / "run")


@contextmanager
def small_disk(size):
    """Let no file grow beyond `size`, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [10, 4200, 15000])
def test_full_disk_leaves_nothing(make, tmp_path, size):
    with small_disk(size), pytest.raises(FolderError, match=r"Cannot write .*Free some space"):
        write_run(large(make), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_full_disk_leaves_the_old_run(make, run):
    before = {name: (run / name).read_bytes() for name in FILES}
    with small_disk(15000), pytest.raises(FolderError, match="Cannot write"):
        write_run(large(make), run)
    assert {name: (run / name).read_bytes() for name in listed(run)} == before


def large(make):
    return make(directions={"c0": torch.rand(10000)})


def test_table_that_breaks_its_contract(make, tmp_path):
    whole = make()
    for table, message in (
        (whole.effects.drop(columns="q"), r"effects\.parquet lacks q"),
        (whole.effects.assign(effect="large"), r"in column 'effect', expected numbers"),
        (whole.effects.assign(significant=1.0), r"in column 'significant', expected flags"),
        (whole.effects.assign(name=1), r"in column 'name', expected texts"),
        (pd.concat([whole.effects] * 2), r"repeats a row, expected each concept and sign once"),
    ):
        with pytest.raises(FolderError, match=message):
            write_run(make(effects=table), tmp_path / "run")
    with pytest.raises(FolderError, match=r"in column 'logit_no', expected numbers"):
        write_run(make(cells=whole.cells.assign(logit_no="x")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_contract_is_checked_when_read(make, run):
    make().dose.drop(columns="effect").to_parquet(run / "dose.parquet")
    with pytest.raises(FolderError, match=r"dose\.parquet lacks effect"):
        read_run(run)


def test_examples_that_do_not_fit(make, tmp_path):
    examples = make().examples
    for change, message in (
        ({"edits": examples["edits"][:, :1]}, r"holds shape .* in edits"),
        ({"null": examples["null"][..., :4]}, r"holds shape .* in null"),
        ({"original": examples["ids"]}, r"holds shape .* in original"),
        ({"answered": examples["edits"]}, r"holds shape .* in answered"),
        ({"ids": np.array(["a", None], dtype=object)}, r"Python objects in ids"),
    ):
        with pytest.raises(FolderError, match=message):
            write_run(make(examples={**examples, **change}), tmp_path / "run")
    with pytest.raises(FolderError, match=r"lacks original, edits"):
        write_run(make(examples={k: examples[k] for k in ("ids", "concepts", "strengths", "null")}), tmp_path)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_runs_nothing_in_a_spreadsheet(make, tmp_path, start):
    name = f"{start}cmd|' /C calc'!A0"
    run = write_run(make(name, "plain", "a=b"), tmp_path / "run")
    table = pd.read_csv(run / "effects.csv", dtype=str, keep_default_na=False)
    assert table["name"].to_list() == [f"'{name}", "plain", "a=b"]
    assert table["words"][0].startswith("'")
    assert table["sign"].to_list() == ["1", "-1", "1"]
    assert read_run(run).effects["name"][0] == name
