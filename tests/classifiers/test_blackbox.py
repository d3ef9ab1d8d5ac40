import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffex.base.errors import FolderError, InputError
from diffex.base.files import load_tensors, save_tensors
from diffex.classifiers import Classifier, fit_black_box, fit_twin, load_black_box, margins, open_classifier
from diffex.classifiers.blackbox import SmallConvNet, class_weights, predict, raw_logits
from diffex.classifiers.contract import check_classifier
from diffex.images import Images, PlantedCells, images_from_arrays
from diffex.images.planted_labels import ThresholdRule

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cells():
    """200 planted cells, labelled by the size of the nucleus, in memory."""
    planted = PlantedCells(32).images(200, 0, rule=ThresholdRule("nucleus_area", sharpness=20.0))
    return images_from_arrays(
        planted.read(),
        labels=planted.labels,
        class_names=planted.class_names,
        channel_names=planted.channel_names,
        groups=planted.groups,
    )


@pytest.fixture(scope="module")
def fitted(cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("black box")
    return folder, *fit_black_box(cells, folder, steps=60, device=CPU)


def stripes(counts=(30, 30, 30), size=28, seed=0):
    """Noise whose mean in one third of the image tells the class."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    pixels = rng.uniform(0, 120, (len(labels), 1, size, size))
    for image, label in zip(pixels, labels, strict=True):
        image[:, :, label * 9 : label * 9 + 9] += 100 * (label + 1) / len(counts)
    names = tuple(f"class {k}" for k in range(len(counts)))
    return images_from_arrays(
        pixels.astype(np.float32), value_range=(0, 255), labels=labels, class_names=names
    )


def recall(classifier, images):
    """Share of each class that is recognised."""
    logits = predict(classifier, lambda: images.batches(64), images.value_range)
    return [float((logits.argmax(1) == k)[images.labels == k].mean()) for k in range(logits.shape[1])]


def test_it_learns_planted_cells(fitted):
    _, _, report = fitted
    assert report.balanced_accuracy > 0.8
    assert report.low <= report.balanced_accuracy <= report.high
    assert 20 <= report.images <= 60
    assert report.temperature > 0


def test_it_is_a_classifier_that_can_be_opened(cells, fitted):
    folder, classifier, report = fitted
    check_classifier(classifier)
    assert classifier.card.temperature == pytest.approx(report.temperature)
    assert classifier.card.class_names == cells.class_names
    for opened in (load_black_box(folder), open_classifier(str(folder), cells)):
        assert opened.state_hash() == classifier.state_hash()
        assert opened.card == classifier.card
        assert opened.address == str(folder) and opened.differentiable
    saved = json.loads((folder / "config.json").read_text())["report"]
    assert saved["balanced_accuracy"] == report.balanced_accuracy


def test_its_gradient_and_maps_can_guide(cells, fitted):
    x = cells.read([0, 1]).requires_grad_()
    margins, maps = fitted[1].margins_and_features(x, cells.value_range)
    margins[:, 1].sum().backward()
    assert x.grad.abs().sum() > 0
    assert len(maps) > 1


def test_more_than_two_unbalanced_classes(tmp_path):
    images = stripes((90, 30, 12))
    classifier, report = fit_black_box(images, tmp_path, steps=60, device=CPU)
    assert classifier.card.class_names == ("class 0", "class 1", "class 2")
    assert report.balanced_accuracy > 0.8
    assert min(recall(classifier, stripes((20, 20, 20), seed=1))) > 0.6


def test_weights_make_classes_count_alike():
    weights = class_weights(np.array([0, 0, 0, 1]), 3)
    assert weights[1] == pytest.approx(3 * weights[0])
    assert torch.isfinite(weights).all()


def test_the_seed_decides_the_weights(tmp_path):
    images = stripes((16, 16))
    first, again, other = (
        fit_black_box(images, tmp_path / name, seed=seed, steps=4, device=CPU)[0].state_hash()
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == again != other


def test_held_out_images_are_never_read_all_at_once(tmp_path, monkeypatch):
    images, sizes, read = stripes((240, 240)), [], Images.read

    def noted(self, indices=None):
        pixels = read(self, indices)
        sizes.append(len(pixels))
        return pixels

    def fitted(name, batch):
        monkeypatch.setattr("diffex.classifiers.fitting._BATCH", batch)
        return fit_black_box(images, tmp_path / name, steps=12, device=CPU)

    monkeypatch.setattr("diffex.classifiers.fitting.evenly", lambda count, most: range(16))  # of the card
    whole, report = fitted("whole", 256)
    monkeypatch.setattr(Images, "read", noted)
    classifier, again = fitted("batches", 32)
    assert classifier.state_hash() == whole.state_hash()
    assert again.images == report.images > 64
    assert again.balanced_accuracy == report.balanced_accuracy
    assert max(sizes) == 64, "a batch of the training"


def test_what_cannot_be_fitted(tmp_path):
    images = stripes((16, 16))
    with pytest.raises(InputError, match="no labels"):
        fit_black_box(replace(images, labels=None), tmp_path / "out", device=CPU)
    with pytest.raises(InputError, match="1 class"):
        fit_black_box(images.of_class("class 0"), tmp_path / "out", device=CPU)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("size", "channels"), [((28, 28), 1), ((31, 45), 3)], ids=["even, grey", "odd, colour"]
)
def test_sizes_and_channels(size, channels):
    net = SmallConvNet(channels, 4).eval()
    assert net(torch.randn(2, channels, *size)).shape == (2, 4)


def test_a_network_in_training_is_left_in_training(fitted, cells):
    net, card = SmallConvNet(3, 2), fitted[1].card
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert raw_logits(net.train(), cells.read([0, 1]), card, cells.value_range).shape == (2, 2)
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


@pytest.fixture
def copied(fitted, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((fitted[0] / name).read_bytes())
    return tmp_path


def spoil_weights(folder: Path):
    (folder / "model.safetensors").write_bytes(b"cut")


def lose_weights(folder: Path):
    save_tensors(
        folder / "model.safetensors", {"head.bias": load_tensors(folder / "model.safetensors")["head.bias"]}
    )


def spoil_card(folder: Path):
    config = json.loads((folder / "config.json").read_text())
    config["card"]["class_names"] = ["one"]
    (folder / "config.json").write_text(json.dumps(config))


def change_schema(folder: Path):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"schema": 7}))


def replace_config(folder: Path):
    (folder / "config.json").write_text("[]")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_weights, "damaged"),
        (lose_weights, "do not fit together"),
        (spoil_card, "do not fit together"),
        (change_schema, "not a classifier folder"),
        (replace_config, "not a classifier folder"),
    ],
)
def test_damaged_folder(copied, spoil, words):
    spoil(copied)
    with pytest.raises(FolderError, match=words):
        load_black_box(copied)


def test_twin_follows_a_black_box_without_gradients(tmp_path):
    images = replace(stripes((60, 60)), labels=None, class_names=())

    def box(x):
        difference = 3 * (x[..., 9:18].mean((1, 2, 3)) - x[..., :9].mean((1, 2, 3))).numpy()
        return np.stack([-difference, difference], axis=1)

    black_box = Classifier.wrap(
        box, class_names=["left", "right"], size=28, channels=1, value_range=(0, 255), mean=100, std=40
    )
    twin = fit_twin(black_box, images, tmp_path, steps=80, device=CPU)
    assert twin.differentiable and not black_box.differentiable
    assert twin.card.class_names == ("left", "right")
    fresh = stripes((40, 40), seed=1)
    told, said = (
        margins(torch.from_numpy(predict(c, lambda: fresh.batches(64), (0, 255))))[:, 1]
        for c in (black_box, twin)
    )
    assert np.corrcoef(told, said)[0, 1] > 0.95
    assert open_classifier(str(tmp_path)).state_hash() == twin.state_hash()
