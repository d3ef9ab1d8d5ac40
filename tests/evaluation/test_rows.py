import json

import pytest

from diffex.base.errors import InputError
from diffex.evaluation.rows import Measured, judge, judged, meets, write_results

KEYS = ["id", "what", "value", "low", "high", "target", "passed", "seconds", "seed", "quick"]


@pytest.mark.parametrize(
    ("value", "target", "met"),
    [
        (0.95, ">= 0.95", True),
        (0.94, ">= 0.95", False),
        (0.3, "< 0.3", False),
        (3.0, "> 2", True),
        (2.0, "<= 2", True),
        (0.4, "0.5 to 2", False),
        (1.0, "0.5 to 2", True),
        (7.0, "reported", True),
        (float("nan"), "reported", False),
        (float("inf"), ">= 0.95", False),
    ],
)
def test_meets(value, target, met):
    assert meets(value, target) is met


@pytest.mark.parametrize("target", ["0.95", ">=0.95", "high", ""])
def test_target_that_cannot_be_read_is_refused(target):
    with pytest.raises(InputError, match="expected such as"):
        meets(1.0, target)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.93, 0.99, (True, True)), (0.955, 0.99, (True, False)), (None, None, (True, False))],
)
def test_interval_that_straddles_the_target_is_undecided(low, high, verdict):
    assert judge(0.96, low, high, ">= 0.95") == verdict


def test_range_is_undecided_at_either_end():
    assert judge(1.9, 1.7, 2.1, "0.5 to 2") == (True, True)
    assert judge(2.1, 2.05, 2.2, "0.5 to 2") == (False, False)


def test_broken_condition_fails_whatever_the_number():
    row = judged(Measured("A3", "flips", 1.0, ">= 0.95", holds=False), 1.0, 0, quick=False)
    assert not row.passed


def test_seconds_of_the_task_win():
    found = Measured("A2", "minutes", 1.0, "<= 40", seconds=60.0)
    assert judged(found, 0.5, 0, quick=False).seconds == 60.0


def test_results_have_the_promised_keys(tmp_path):
    found = Measured("A2", "gate | a", float("nan"), ">= 0.9", 0.1, 0.2, note="why")
    write_results([judged(found, 2.0, 5, quick=True)], tmp_path)
    (row,) = json.loads((tmp_path / "results.json").read_text())
    assert list(row)[: len(KEYS)] == KEYS
    assert row["value"] is None
    assert row["passed"] is False
    assert (row["quick"], row["seed"]) == (True, 5)
    text = (tmp_path / "results.md").read_text()
    assert "Not to be quoted" in text
    assert "gate \\| a" in text
    assert "FAILED" in text


def test_full_results_carry_no_warning(tmp_path):
    write_results([judged(Measured("A2", "x", 1.0, "reported"), 1.0, 0, quick=False)], tmp_path)
    assert "quick" not in (tmp_path / "results.md").read_text().lower()
