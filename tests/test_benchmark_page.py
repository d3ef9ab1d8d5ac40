"""The page of benchmark results, written from files."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from diffex.evaluation.rows import Measured, judged, write_results

SCRIPT = Path(__file__).parent.parent / "scripts" / "write_benchmark_page.py"
GOOD = Measured("K7", "factors | owned", 8.0, ">= 7", 6.0, 9.0, note="twelve")
BAD = Measured("K8", "identity", 0.5, ">= 0.9", 0.4, 0.6)
TOLD = Measured("A7", "R2 of the oracle", 0.98, "reported")
BROKEN = Measured("K9", "coverage", float("nan"), "reported", note="no weights")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("write_benchmark_page", SCRIPT)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def write(script, tmp_path):
    """Write results files, and the page from them."""

    def call(*files):
        paths = []
        for k, (quick, found) in enumerate(files):
            write_results([judged(one, 1.0, 0, quick=quick) for one in found], tmp_path / str(k))
            paths.append(str(tmp_path / str(k) / "results.json"))
        assert script.main([*paths, "--out", str(tmp_path / "page.md")]) == 0
        return (tmp_path / "page.md").read_text()

    return call


def test_losses_come_first(write):
    text = write((False, [GOOD, BAD, TOLD]))
    opening, tables = text.split("\n## attributes\n")
    assert "2 numbers have a target; 1 miss it:" in opening
    assert "- K8, identity: 0.5 (0.4 to 0.6), wanted >= 0.9" in opening
    assert "- K7" not in opening
    assert "Met, but the interval holds the target: K7." in opening
    assert tables.index("| K8 | identity | 0.5 | 0.4 to 0.6 | >= 0.9 | FAILED |  |") < tables.index("| K7 |")
    assert "| K7 | factors \\| owned | 8 | 6 to 9 | >= 7 | passed, undecided | twelve |" in tables
    assert "diffex benchmark truth --data DATA --only K7,K8 --seed 0 --out results" in tables
    assert "Not measured yet: A2, " in opening


def test_last_file_counts_and_full_rows_replace_quick_ones(write):
    again = replace(GOOD, what="factors owned", value=9.0)
    text = write((False, [GOOD]), (True, [GOOD, BAD]), (False, [again]))
    assert "factors owned | 9" in text
    assert "factors \\| owned" not in text
    assert "| K7 (quick) |" not in text
    assert "| K8 (quick) | identity" in text
    assert "Measured by `--quick` alone: K8." in text
    assert "--only K8 --seed 0 --quick --out results" in text


def test_rows_measured_before_are_kept(write):
    write((False, [GOOD, BROKEN]))
    text = write((False, [BAD]))
    assert "| K7 | factors" in text and "| K8 | identity" in text
    assert "- K9 could not be measured" in text
    assert "factors" not in write((False, [replace(GOOD, what="owned anew")]))


def test_condition_and_failure_are_said(write):
    text = write((False, [replace(GOOD, holds=False), BROKEN]))
    assert "wanted >= 7; a condition of the row is not met" in text
    assert "- K9 could not be measured: no weights" in text
    assert "| not measured |" in text


@pytest.mark.parametrize("content", ["{", "[1]", '[{"id": "K7"}]', "7"])
def test_what_is_no_results_file_is_one_sentence(script, tmp_path, capsys, content):
    (tmp_path / "r.json").write_text(content)
    assert script.main([str(tmp_path / "r.json"), "--out", str(tmp_path / "page.md")]) == 2
    error = capsys.readouterr().err
    assert "r.json" in error
    assert "Traceback" not in error
    assert not (tmp_path / "page.md").exists()


def test_row_of_no_suite_is_refused(script, tmp_path, capsys):
    write_results([judged(replace(BAD, id="Z1"), 1.0, 0, quick=False)], tmp_path)
    assert script.main([str(tmp_path / "results.json"), "--out", str(tmp_path / "page.md")]) == 2
    assert "no suite has a row Z1" in capsys.readouterr().err
