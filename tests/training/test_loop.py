import json
import signal

import numpy as np
import pytest
import torch

from diffex.base.errors import FolderError
from diffex.training.loop import batch_positions, learning_rate


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """What a training gives that nothing interrupted."""
    return tiny.run(tmp_path_factory.mktemp("whole")).state_dict()


def same(state, other):
    return all(torch.equal(state[name], other[name]) for name in state)


def stopped(tiny, folder, step, **more):
    """Begin a training that ends with an error at a step."""

    def end_badly(now):
        if now == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiny.run(folder, task=tiny.TinyTask(end_badly), **more)


def test_it_learns_keeps_metrics_and_leaves_no_checkpoint(tiny, tmp_path):
    task = tiny.run(tmp_path, steps=60, checkpoint_s=60.0)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 50, 59]
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]
    assert not task.training
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_killed_and_started_again_it_gives_the_same_bits(tiny, run_script, whole, tmp_path):
    done = run_script(tmp_path, 7)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert json.loads((tmp_path / "training.json").read_text())["step"] == 7
    assert same(tiny.run(tmp_path).state_dict(), whole)
    assert not list(tmp_path.glob("*.safetensors"))


def test_killed_while_writing_it_goes_on_from_the_checkpoint_before(tiny, whole, tmp_path):
    stopped(tiny, tmp_path, 5)
    (tmp_path / "state-6.safetensors").write_bytes(b"written, but not yet named by training.json")
    (tmp_path / ".state-6.safetensors.a1b2").write_bytes(b"half")
    assert same(tiny.run(tmp_path).state_dict(), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_checkpoints_do_not_change_the_result(tiny, whole, tmp_path):
    assert same(tiny.run(tmp_path, checkpoint_s=60.0).state_dict(), whole)


@pytest.mark.parametrize(("changed", "name"), [({"lr": 0.01}, "lr"), ({"settings": {"kl": 2}}, "kl")])
def test_other_settings_are_refused_and_nothing_is_lost(tiny, whole, tmp_path, changed, name):
    stopped(tiny, tmp_path, 5)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FolderError, match=rf"other settings \({name}\)"):
        tiny.run(tmp_path, **changed)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert same(tiny.run(tmp_path).state_dict(), whole)


def test_settings_are_the_same_after_json(tiny, whole, tmp_path):
    settings = {"widths": (16, 32), "scale": np.float64(0.5), "name": None}
    stopped(tiny, tmp_path, 5, settings=settings)
    assert same(tiny.run(tmp_path, settings=settings).state_dict(), whole)


def test_damaged_checkpoint_is_refused(tiny, tmp_path):
    stopped(tiny, tmp_path, 5)
    (tmp_path / "state-5.safetensors").write_bytes(b"cut")
    with pytest.raises(FolderError, match="damaged"):
        tiny.run(tmp_path)


def test_early_stopping_returns_the_weights_that_were_best(tiny, tmp_path):
    task, seen, values = tiny.TinyTask(), [], iter([5.0, 4.0, 1.0, 2.0, *[3.0] * 6])

    def check():
        seen.append({name: value.clone() for name, value in task.state_dict().items()})
        return next(values)

    tiny.run(tmp_path, task=task, check=check, steps=40)
    assert len(seen) == 10
    assert same(task.state_dict(), seen[2])
    assert not same(task.state_dict(), seen[3])


def test_early_stopping_survives_an_interruption(tiny, tmp_path):
    def train(folder, stop=None):
        task = tiny.TinyTask()
        check = lambda: float((task.net[0].weight.detach().sum() - 0.3).abs())
        if stop:
            task.end_badly = lambda step: (_ for _ in ()).throw(KeyboardInterrupt) if step == stop else None
            with pytest.raises(KeyboardInterrupt):
                tiny.run(folder, task=task, check=check, steps=20)
            return None
        return tiny.run(folder, task=task, check=check, steps=20).state_dict()

    train(tmp_path / "b", stop=17)
    assert same(train(tmp_path / "a"), train(tmp_path / "b"))


def test_frozen_parameters_stay(tiny, tmp_path):
    task = tiny.TinyTask()
    task.net[0].requires_grad_(False)
    before = task.net[0].weight.clone()
    tiny.run(tmp_path, task=task)
    assert torch.equal(task.net[0].weight, before)


def test_learning_rate_warms_up_and_falls_to_a_fiftieth(tiny):
    config = tiny.config(steps=1000, warmup=10, lr=1.0)
    rates = [learning_rate(step, config) for step in range(1000)]
    assert rates == [learning_rate(step, config) for step in range(1000)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1, abs=1e-3)
    assert (np.diff(rates[:10]) > 0).all() and (np.diff(rates[10:]) < 0).all()
    assert rates[-1] == pytest.approx(0.02, abs=1e-3)


def test_batches_are_pieces_of_one_permutation_per_epoch():
    batches = [batch_positions(step, 10, 4, seed=3) for step in range(5)]
    epochs = np.concatenate(batches).reshape(2, 10)
    assert (np.sort(epochs) == np.arange(10)).all()
    assert (epochs[0] != epochs[1]).any()
    assert (batch_positions(3, 10, 4, seed=3) == batches[3]).all()
    assert (np.concatenate([batch_positions(s, 10, 4, seed=4) for s in range(5)]) != epochs.ravel()).any()


def test_a_batch_may_exceed_the_set():
    assert np.bincount(batch_positions(2, 3, 7, seed=0), minlength=3).sum() == 7


@pytest.mark.slow
def test_two_processes_train_one_network(run_script, tmp_path):
    if not torch.distributed.is_gloo_available():
        pytest.skip("two processes: this PyTorch is built without gloo")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    done = run_script(tmp_path, -1, launcher=launcher)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1))
    assert [name for name in first if "weight" in name and first[name] != second[name]] == []
    assert np.isfinite(np.sum(first["net.0.weight"]))
    assert not (tmp_path / "training.json").exists()
