"""Tiny generators, as a module: test files cannot import each other."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("tiny_fit.py")


@pytest.fixture(scope="session")
def tiny():
    spec = importlib.util.spec_from_file_location("tiny_fit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fp32(monkeypatch):
    """Compute in fp32 even where bf16 is faster."""
    monkeypatch.setattr("diffex.generators.autoencoder.best_precision", lambda device: "fp32")
    monkeypatch.setattr("diffex.training.loop.best_precision", lambda device: "fp32")


@pytest.fixture(scope="session")
def run_script():
    """Run it in a process of its own, with as many threads as this one."""

    def start(*arguments, launcher=()):
        environment = os.environ | {
            "PYTHONPATH": str(SCRIPT.parents[2] / "src"),
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
        }
        command = [sys.executable, *launcher, SCRIPT, *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return start
