"""``diffex fit`` killed in the middle, twice, and begun again: the same weights, bit for bit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

# A short black box; and trainings of seconds must leave checkpoints too.
START = """
import sys
from functools import partial
from diffex.classifiers import fitting as black_box
from diffex.generators import fitting as generator
black_box._IMAGES_SEEN = 50 * 64
black_box.TrainConfig = partial(black_box.TrainConfig, checkpoint_s=0.1)
generator.TrainConfig = partial(generator.TrainConfig, checkpoint_s=0.0)
from diffex.cli import main
sys.exit(main())
"""
SIZES = ("latents=4", "widths=[16, 16]", "batch_size=8", "depth=1")
STEPS = 30


@pytest.fixture
def fit(make):
    """Start the command in a process of its own; with `until`, kill it once that file is there."""
    images = make.cells()
    source = str(Path(__file__).parents[2] / "src")
    environment = os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": str(torch.get_num_threads())}

    def start(out, until=None):
        sizes = [part for size in SIZES for part in ("--set", size)]
        line = ("fit", images, "--out", out, "--steps", STEPS, "--device", "cpu", *sizes)
        command = [sys.executable, "-c", START, *map(str, line)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            while until is not None and process.poll() is None and not (out / until).exists():
                time.sleep(0.005)
            if until is not None:
                process.send_signal(signal.SIGKILL)
            _, said = process.communicate()
        assert process.returncode == (0 if until is None else -signal.SIGKILL), said

    return start


def weights(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.safetensors")}


def first_steps(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return sum(json.loads(line)["step"] == 0 for line in lines)


def test_killed_twice_and_started_again_it_gives_the_same_bits(fit, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    fit(whole)
    fit(killed, until="classifier/training/training.json")
    assert not (killed / "classifier" / "config.json").exists()
    fit(killed, until="training/training.json")
    assert 0 < json.loads((killed / "training" / "training.json").read_text())["step"] < STEPS
    assert not (killed / "generator.safetensors").exists()
    fit(killed)
    assert weights(killed) == weights(whole)
    assert {Path("generator.safetensors"), Path("classifier/model.safetensors")} <= set(weights(whole))
    gates = [json.loads((folder / "model.json").read_text())["gates"] for folder in (whole, killed)]
    assert gates[0] == gates[1]
    for training in (killed / "classifier" / "training", killed / "training"):
        assert first_steps(training) == 1, "it went on, and did not begin anew"
