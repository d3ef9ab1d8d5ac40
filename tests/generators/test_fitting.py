import signal
from dataclasses import replace

import pytest
import torch

from diffex.base.errors import FolderError
from diffex.generators import DiffusionAutoencoder

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """A generator whose training nothing interrupted."""
    return tiny.fit(tmp_path_factory.mktemp("whole"), tiny.discs())


@pytest.fixture(scope="module")
def killed(tiny, run_script, tmp_path_factory):
    """A folder in which a training was killed in its fourth step."""
    folder = tmp_path_factory.mktemp("killed")
    images = tiny.discs()
    before_training = 2 * len(images)  # for the contrast, and the spread of the logits
    done = run_script(folder, before_training + 3 * tiny.config().batch_size + 2)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (folder / "training.json").exists()
    return folder


def test_statistics_are_those_of_the_codes(tiny, whole):
    codes = whole.encode(tiny.discs().read())
    torch.testing.assert_close(whole.code_mean, codes.mean(0), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(whole.code_cov, torch.cov(codes.T), rtol=1e-2, atol=1e-3)
    assert not whole.training and not any(p.requires_grad for p in whole.parameters())


@pytest.mark.parametrize(
    "change",
    [
        lambda tiny: (tiny.discs(), {"kl": 1e-3}),
        lambda tiny: (tiny.discs(), {"widths": (16, 32)}),
        lambda tiny: (replace(tiny.discs(), ids=tuple(f"other-{i}" for i in range(24))), {}),
    ],
    ids=["losses", "network", "images"],
)
def test_killed_and_begun_otherwise_it_is_refused(tiny, killed, change):
    images, more = change(tiny)
    with pytest.raises(FolderError, match="other settings"):
        tiny.fit(killed, images, **more)
    assert (killed / "training.json").exists()


def test_killed_and_started_again_it_gives_the_same_bits(tiny, killed, whole):
    model = tiny.fit(killed, tiny.discs())
    assert model.state_hash() == whole.state_hash()
    assert [path.name for path in killed.iterdir()] == ["metrics.jsonl"]


def test_the_classifier_stays_the_same(tiny, tmp_path):
    images, classifier = tiny.discs(12), tiny.classifier_of()
    before = classifier.state_hash()
    classifier.module.train()  # what a training loop does to every module it holds
    tiny.fitting.fit_generator(images, classifier, tiny.config(steps=3), tmp_path, device=CPU)
    assert classifier.state_hash() == before
    # The check would see the published defect: a batch norm left in training mode drifts.
    classifier.module.train()
    classifier.module(classifier.preprocess(images.read(), images.value_range))
    assert classifier.state_hash() != before


def test_without_a_classifier(tiny, tmp_path):
    model = tiny.fitting.fit_generator(tiny.discs(8), None, tiny.config(steps=2), tmp_path, device=CPU)
    assert torch.isfinite(model.code_cov).all()


def test_adaptation_begins_with_the_weights_given(tiny, whole, tmp_path):
    whole.save(tmp_path / "model")
    start = DiffusionAutoencoder.load(tmp_path / "model", CPU)
    config = tiny.config(steps=1, lr=1e-9)
    images = replace(tiny.discs(8), channel_names=start.form.channel_names)
    adapted = tiny.fitting.fit_generator(
        images, tiny.classifier_of(), config, tmp_path / "new", device=CPU, start=start
    )
    assert adapted.pixels == start.pixels
    for name, value in start.named_parameters():
        torch.testing.assert_close(adapted.get_parameter(name), value, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_two_processes_train_one_generator(run_script, tmp_path):
    if not torch.distributed.is_gloo_available():
        pytest.skip("two processes: this PyTorch is built without gloo")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    done = run_script(tmp_path, -1, launcher=launcher)
    assert done.returncode == 0, done.stderr
    first, second = ((tmp_path / f"rank-{rank}.txt").read_text() for rank in (0, 1))
    assert first == second
