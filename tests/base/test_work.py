"""Ledger, progress, devices."""

import logging

import pytest
import torch

from diffex.base import progress as progress_module
from diffex.base.devices import autocast, best_precision, resolve_device
from diffex.base.errors import InputError
from diffex.base.ledger import CostLedger
from diffex.base.progress import progress


def test_ledger_counts_by_purpose():
    ledger = CostLedger()
    ledger.count("matrix", 10)
    ledger.count("matrix", 5)
    ledger.count("gradients", 4, backward=True)
    found = ledger.summary()
    assert found["nfe"] == {"matrix": 15, "gradients": 12}, "a backward pass counts as 2"
    assert found["nfe_total"] == 27
    assert found["peak_memory_mb"] > 1
    assert found["seconds_total"] >= 0 and found["cpu_seconds"] >= 0


def test_ledger_times_stages_even_if_they_fail():
    ledger = CostLedger()
    for _ in range(2):
        with pytest.raises(ValueError, match="stop"), ledger.timed("stage"):
            raise ValueError("stop")
    assert ledger.seconds["stage"] > 0
    assert set(ledger.summary()["seconds"]) == {"stage"}


def test_progress_gives_the_items_and_is_quiet_when_work_is_short(caplog, capsys):
    with caplog.at_level(logging.INFO, "diffex"):
        assert list(progress(range(5), "counting")) == list(range(5))
        assert list(progress((i for i in "ab"), "spelling")) == ["a", "b"]
    assert not caplog.records
    assert capsys.readouterr() == ("", "")


def test_progress_logs_plain_lines_with_the_time_left(caplog, monkeypatch):
    monkeypatch.setattr(progress_module, "_LOG_EVERY_S", 0.0)
    with caplog.at_level(logging.INFO, "diffex"):
        list(progress(range(3), "counting"))
        list(progress(iter(range(3)), "streaming"))
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("counting: 1 of 3, about ") and said[0].endswith(" s left")
    assert said[-1] == "streaming: 2 done"


def test_an_unknown_or_absent_device_is_refused():
    with pytest.raises(InputError, match=r"--device got 'tpu', expected auto or one that is here \(cpu"):
        resolve_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="--device got 'cuda'"):
            resolve_device("cuda")


def test_devices_that_are_here():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in {"cpu", "cuda", "mps"}


def test_precision_decides_what_autocast_does():
    cpu = torch.device("cpu")
    assert best_precision(cpu) in {"fp32", "bf16"}
    assert best_precision(torch.device("meta")) == "fp32"
    a = torch.ones(4, 4)
    with autocast(cpu, "fp32"):
        assert (a @ a).dtype == torch.float32
    with autocast(cpu, "bf16"):
        assert (a @ a).dtype == torch.bfloat16
