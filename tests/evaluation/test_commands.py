"""Commands in a process of their own: what they print, hold, and how they end."""

import numpy as np
import pytest

from diffex.base.errors import FolderError
from diffex.base.memory import peak_memory_mb
from diffex.evaluation.commands import DIFFEX, run_apart

HOLD = "import json, time; held = b'x' * {megabytes} * 2**20; time.sleep(0.3); print(json.dumps({{'a': 1}}))"


def test_time_memory_and_what_is_printed(tmp_path):
    ended = run_apart(["-c", HOLD.format(megabytes=64)], tmp_path / "one.json")
    assert ended.printed == {"a": 1}
    assert ended.seconds >= 0.3 and 0 < ended.cpu < ended.seconds + 1
    assert 64 < ended.megabytes < 64 + 40


def test_memory_is_not_that_of_the_parent(tmp_path):
    ours = np.ones(2**25)  # 256 MB
    assert peak_memory_mb() > 256
    assert run_apart(["-c", HOLD.format(megabytes=1)], tmp_path / "one.json").megabytes < 64
    assert ours.sum() == 2**25


def test_a_command_may_be_killed_on_the_way(tmp_path):
    ended = run_apart(["-c", "import time; time.sleep(60)"], tmp_path / "one.json", until=lambda: True)
    assert ended.printed == {} and ended.seconds < 30


def test_what_a_failed_command_says_is_passed_on(tmp_path):
    with pytest.raises(FolderError, match="nothing_here"):
        run_apart([*DIFFEX, "score", str(tmp_path / "nothing_here"), "--run", "r"], tmp_path / "one.json")
