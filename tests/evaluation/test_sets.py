import numpy as np
import pytest
import torch

from diffex.classifiers import Classifier
from diffex.classifiers.card import make_card
from diffex.evaluation.attributes.interventions import Oracle, r2_of, true_effects
from diffex.evaluation.sets import (
    factors_of,
    in_memory,
    open_bccd,
    open_fkhr,
    open_jurkat,
    open_pair,
    planted,
    relabelled,
    stack_channels,
)
from diffex.images import PlantedCells, images_from_arrays
from diffex.images.planted_factors import FACTORS
from diffex.images.planted_labels import LinearRule


def test_planted_cells_in_memory_are_the_streamed_ones():
    rule = LinearRule({"cell_area": 1.0})
    streamed, kept = PlantedCells(size=32).images(4, 1, rule=rule), planted(4, 1, rule, 32)
    assert torch.equal(streamed.read(), kept.read())
    assert torch.equal(streamed.read_masks(), kept.read_masks())
    assert (kept.ids, kept.class_names) == (streamed.ids, streamed.class_names)
    assert np.array_equal(kept.groups, streamed.groups)


def test_relabelled_cells_follow_the_rule():
    cells = relabelled(planted(200, 1, size=32), LinearRule({"debris": 5.0}), 0)
    debris = factors_of(cells)[:, FACTORS.index("debris")]
    assert np.corrcoef(debris, cells.labels)[0, 1] > 0.6


def test_channels_are_stacked_by_id():
    pixels = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1) / 10 + np.zeros((3, 1, 8, 8), np.float32)
    first = images_from_arrays(
        pixels, ids=("a", "b", "c"), labels=np.array([0, 1, 0]), class_names=("x", "y")
    )
    second = images_from_arrays(pixels[:2], ids=("c", "a"))
    both = stack_channels([first, second], ("dna", "bright"))
    assert both.ids == ("a", "c")
    assert both.channel_names == ("dna", "bright")
    assert both.read()[:, :, 0, 0].tolist() == pytest.approx(np.array([[0.0, 0.1], [0.2, 0.0]]))
    assert both.labels.tolist() == [0, 0]
    assert in_memory(both).fingerprint() == both.fingerprint()


class Brightness(torch.nn.Module):
    """Logits of the mean of the nuclear channel; or the means of channels as twelve readings."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = outputs

    def forward(self, x):
        mean = 100 * x.mean(dim=(2, 3))
        if self.outputs == 2:
            return torch.stack([torch.zeros(len(x)), mean[:, 0]], dim=1)
        return mean.repeat(1, 4)


def reading(outputs):
    names = ("control", "treated") if outputs == 2 else FACTORS
    card = make_card({"class_names": names, "size": (64, 64), "channels": 3, "mean": 0.0, "std": 1.0})
    return Classifier(Brightness(outputs), card, differentiable=True)


def test_interventions_tell_what_a_classifier_sees():
    truth, response, r2 = true_effects({"a": reading(2)}, 1, reading(12), 12, 5)
    tau = dict(zip(FACTORS, truth["a"], strict=True))
    assert tau["nucleus_intensity"] > 0.2
    assert tau["nucleus_area"] > 0.1
    unseen = ("cytoplasm_intensity", "puncta_number", "puncta_intensity", "cell_roughness")
    assert max(abs(tau[name]) for name in unseen) < 0.05 * tau["nucleus_intensity"]
    assert response.shape == (12, 12)
    assert r2.shape == (12,)


def test_oracle_is_corrected_by_interventions():
    response = np.diag(np.linspace(0.5, 1.0, 12))
    response[0, 1] = 0.3
    changes = np.random.default_rng(0).standard_normal((5, 2, 12))
    oracle = Oracle(reading(12), response, np.ones(12))
    assert oracle.corrected(changes @ response) == pytest.approx(changes)


def test_r2_is_one_at_best_and_zero_for_the_mean():
    factors = np.random.default_rng(0).standard_normal((50, 12))
    assert r2_of(factors, factors) == pytest.approx(np.ones(12))
    assert r2_of(np.zeros((50, 12)) + factors.mean(0), factors) == pytest.approx(np.zeros(12))


def test_fkhr_opens_as_asked(data_set):
    images = open_fkhr(data_set("bbbc013_fkhr"), "test")
    assert images.channel_names == ("FKHR", "DNA")
    assert images.class_counts() == {"negative": 581, "positive": 281}
    assert images.has_masks


def test_jurkat_has_two_channels(data_set):
    images = open_jurkat(data_set("jurkat_cellcycle"), "test")
    assert images.channel_names == ("dna", "brightfield")
    assert len(images.class_names) == 7
    assert len(images) == 854


def test_bccd_is_grouped_by_smear(data_set):
    images = open_bccd(data_set("bccd_cells"), "test")
    assert images.channels == 3
    assert images.class_counts() == {"platelet": 57, "rbc": 138, "wbc": 71}
    assert len(np.unique(images.groups)) > 10


def test_cifar_pair_is_two_classes(data_set):
    images = open_pair(data_set("cifar_photos"), "test", ("horse", "deer"))
    assert images.class_counts() == {"deer": 300, "horse": 300}
