import json

import pytest

from diffex.base.errors import GateError, InputError
from diffex.evaluation import run_suite
from diffex.evaluation.bench import FIT_ROOMS, SHIPPED, Bench, Task, code_hash, shipped_folder
from diffex.evaluation.rows import Measured
from diffex.evaluation.suite import choose, measure_rows


def test_unknown_suite_lists_what_exists(tmp_path):
    with pytest.raises(InputError, match="attributes"):
        run_suite("truthiness", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_row_lists_what_exists(tmp_path):
    with pytest.raises(InputError, match=r"'A99'.*A2, A3.*A13"):
        run_suite("attributes", only=["A2", "A99"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_suite_has_the_rows_of_the_issue():
    ids = {task.id for task in choose("attributes")}
    assert ids == {"A2", "A3", "A4", "A5", "A6", "A7", "A10", "A11", "A12", "A13"}
    assert [task.id for task in choose("attributes", ["A4"])] == ["A4"]


@pytest.mark.parametrize("there", [False, True])
def test_rows_without_data_are_left_out_with_a_reason(tmp_path, monkeypatch, caplog, there):
    monkeypatch.delenv("DIFFEX_DATA", raising=False)
    rows = run_suite("attributes", data=tmp_path if there else None, only=["A13"], out=tmp_path / "out")
    assert rows == []
    assert "bbbc013_fkhr" in caplog.text
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == []


def test_data_folder_comes_from_the_environment(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("DIFFEX_DATA", str(tmp_path / "elsewhere"))
    run_suite("attributes", only=["A13"], out=tmp_path / "out")
    assert "elsewhere" in caplog.text


def test_shipped_weights_are_data_too(bench):
    absent = not (shipped_folder() / "generator.safetensors").exists()
    assert bool(bench.missing((SHIPPED,))) is absent


def test_error_of_ours_becomes_a_failed_row(bench):
    def run(_):
        yield Measured("A2", "first", 1.0, ">= 0.5")
        raise GateError("The model failed a gate.")

    rows = list(measure_rows(Task("A2", "a fit", (), run), bench))
    assert [row.passed for row in rows] == [True, False]
    assert rows[1].note == "The model failed a gate."
    assert all(row.quick for row in rows)


def test_stages_are_named_by_content(bench):
    assert bench.stage("fit", {"steps": 1}) == bench.stage("fit", {"steps": 1})
    assert bench.stage("fit", {"steps": 1}) != bench.stage("fit", {"steps": 2})
    assert bench.stage("fit", {"steps": 1}) != bench.stage("matrix", {"steps": 1})


def test_code_decides_a_stage():
    assert code_hash(FIT_ROOMS) == code_hash(FIT_ROOMS)
    assert code_hash(FIT_ROOMS) != code_hash(("base",))


def test_presets_decide_a_stage(tmp_path, monkeypatch):
    monkeypatch.setattr("diffex.evaluation.bench.files", lambda _: tmp_path)
    preset = tmp_path / "presets" / "default.yaml"
    preset.parent.mkdir()
    hashes = []
    for text in ("steps: 1", "steps: 1", "steps: 2"):
        preset.write_text(text)
        hashes.append(code_hash(FIT_ROOMS))
    assert hashes[0] == hashes[1] != hashes[2]


def test_sizes_follow_quick(tmp_path, bench):
    assert bench.size(100, 3) == 3
    assert Bench(None, tmp_path, 0, False, bench.device).size(100, 3) == 100
