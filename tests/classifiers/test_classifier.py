import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from diffex.base.errors import ClassifierError
from diffex.classifiers import Classifier, check_classifier
from diffex.classifiers.card import make_card

NAMES = ["DMSO", "drug"]


def means(x):
    """A black box: the mean of the normalised pixels, and its negative."""
    value = x.mean((1, 2, 3)).numpy()
    return np.stack([value, -value], axis=1)


class Head(nn.Module):
    """Any function of the pixels' mean as a module."""

    def __init__(self, function):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.function = function

    def forward(self, x):
        return self.function(x.mean((1, 2, 3)) * self.weight)


def wrap(module, **more):
    return Classifier.wrap(module, **{"class_names": NAMES, "size": 16, "channels": 1} | more)


def test_contract_of_module_and_function(classifier):
    check_classifier(classifier)
    check_classifier(wrap(means))


def test_preprocessing_is_range_then_size_then_mean_and_std(make_net):
    net = make_net(2)
    clf = wrap(net, size=(16, 24), channels=2, value_range=(0, 255), mean=[100, 120], std=[30, 40])
    x = torch.rand(3, 2, 20, 20)
    pixels = F.interpolate(x * 255, size=(16, 24), mode="bilinear", antialias=True)
    mean, std = torch.tensor([100.0, 120]).view(1, 2, 1, 1), torch.tensor([30.0, 40]).view(1, 2, 1, 1)
    torch.testing.assert_close(clf.logits(x, (0, 1)), net((pixels - mean) / std), rtol=1e-4, atol=1e-4)


def test_integers_and_other_ranges(classifier):
    x = torch.randint(0, 256, (3, 1, 16, 16), dtype=torch.uint8)
    torch.testing.assert_close(
        classifier.logits(x, (0, 255)), classifier.logits(x / 255, (0, 1)), rtol=1e-4, atol=1e-4
    )


def test_temperature_divides_logits(make_net):
    fields = {"class_names": NAMES, "size": (16, 16), "channels": 1}
    plain, cool = (
        Classifier(make_net(), make_card(fields | {"temperature": t}), differentiable=True) for t in (1, 4)
    )
    x = torch.rand(3, 1, 16, 16)
    torch.testing.assert_close(cool.logits(x, (0, 1)) * 4, plain.logits(x, (0, 1)))


@pytest.mark.parametrize("function", [lambda v: v[:, None] * 5, lambda v: v * 5])
def test_one_logit_becomes_two(function):
    clf = wrap(Head(function))
    logits = clf.logits(torch.ones(3, 1, 16, 16), (0, 1))
    assert logits.tolist() == [[0.0, 5.0]] * 3


def test_empty_batch(classifier):
    assert classifier.logits(torch.empty(0, 1, 16, 16), (0, 1)).shape == (0, 2)
    assert classifier.features(torch.empty(0, 1, 16, 16), (0, 1)) == []


def test_batch_norm_and_dropout_stay_off_and_state_stays(classifier):
    before = classifier.state_hash()
    x = torch.rand(4, 1, 16, 16)
    first = classifier.logits(x, (0, 1))
    classifier.module.train()
    assert torch.equal(classifier.logits(x, (0, 1)), first)
    assert not classifier.module.training
    classifier.check_unchanged(before)
    assert not any(p.requires_grad for p in classifier.module.parameters())


def test_changed_weights_and_buffers_are_noticed(classifier):
    before = classifier.state_hash()
    classifier.module.layers[1].running_mean.add_(1)
    with pytest.raises(ClassifierError, match="state hash"):
        classifier.check_unchanged(before)


def test_gradients_flow_only_if_differentiable(make_net):
    x = torch.rand(2, 1, 20, 20, requires_grad=True)
    wrap(make_net()).logits(x, (0, 1)).sum().backward()
    assert x.grad.abs().sum() > 0
    assert not wrap(make_net(), differentiable=False).logits(x, (0, 1)).requires_grad
    with torch.no_grad():
        assert not wrap(make_net()).logits(x, (0, 1)).requires_grad


def test_autocast_of_the_caller_is_ignored(classifier):
    x = torch.rand(3, 1, 16, 16)
    plain = classifier.logits(x, (0, 1))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(classifier.logits(x, (0, 1)), plain)


def test_features_have_several_scales_and_gradients(classifier):
    x = torch.rand(2, 1, 16, 16, requires_grad=True)
    maps = classifier.features(x, (0, 1))
    assert [tuple(one.shape) for one in maps] == [(2, 4, 8, 8), (2, 6, 4, 4), (2, 8, 2, 2)]
    sum(one.sum() for one in maps).backward()
    assert x.grad.abs().sum() > 0
    assert len(classifier.features(x, (0, 1), max_maps=2)) == 2
    assert wrap(means).features(x, (0, 1)) == []


def test_features_leave_nothing_behind(classifier):
    classifier.features(torch.rand(2, 1, 16, 16), (0, 1))
    assert all(not part._forward_hooks for part in classifier.module.modules())


def test_channels_are_read_off_the_first_convolution(make_net):
    assert Classifier.wrap(make_net(3), class_names=NAMES, size=16).card.channels == 3
    assert Classifier.wrap(means, class_names=NAMES, size=16, mean=[0.5, 0.5]).card.channels == 2
    with pytest.raises(ClassifierError, match="pass channels=1"):
        Classifier.wrap(means, class_names=NAMES, size=16)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (lambda v: torch.stack([v] * 3, 1), r"shape \(2, 3\) for 2 images, expected \(2, 2\)"),
        (lambda v: torch.stack([v, v / 0], 1), "NaN or Inf logits for 2 of 2 images"),
        (lambda v: {"logits": v}, "type dict"),
        (lambda v: torch.softmax(torch.stack([v, -v], 1), 1), "probabilities"),
        (lambda v: torch.stack([v, -v], 1).detach(), "pass differentiable=False"),
        (lambda v: torch.stack([v, torch.randn(2)], 1), "different logits for the same images"),
    ],
)
def test_what_does_not_fit_is_said_at_once(output, words):
    with pytest.raises(ClassifierError, match=words) as caught:
        wrap(Head(output))
    assert "\n" not in str(caught.value)


def test_wrong_class_count_channels_and_size(make_net):
    with pytest.raises(ClassifierError, match="as many class_names"):
        wrap(make_net(), class_names=["a", "b", "c"])
    with pytest.raises(ClassifierError, match="correct channels and size"):
        wrap(make_net(), channels=3)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(256, 2))
    with pytest.raises(ClassifierError, match="trial input of 2x1x20x20"):
        wrap(flat, size=20)
    assert wrap(flat).features(torch.rand(1, 1, 16, 16), (0, 1)) == []


def test_wrong_channels_and_bad_logits_later(classifier):
    with pytest.raises(ClassifierError, match=r"\(n, 1, height, width\)"):
        classifier.logits(torch.rand(2, 3, 16, 16), (0, 1))
    x = torch.rand(5, 1, 16, 16)
    x[2] = torch.nan
    with pytest.raises(ClassifierError, match="1 of 5 images"):
        classifier.logits(x, (0, 1))


def test_half_precision_weights_are_refused(make_net):
    with pytest.raises(ClassifierError, match=r"call \.float\(\)"):
        wrap(make_net().half())


def test_repr_device_and_move(classifier):
    assert repr(classifier) == "Classifier(python: 1x16x16 -> DMSO, drug; differentiable)"
    assert classifier.to("cpu") is classifier
    assert wrap(means).device.type == "cpu"


def test_state_hash_of_functions_is_that_of_their_address():
    assert wrap(means).state_hash() == wrap(means).state_hash()
    assert wrap(means).state_hash() != wrap(means, address="other").state_hash()


def test_contract_catches_a_cheat(classifier):
    classifier.differentiable = False
    check_classifier(classifier)
    classifier.module.register_forward_hook(lambda module, _, out: out + module.head[1].bias.add_(1).sum())
    with pytest.raises(AssertionError, match="deterministic"):
        check_classifier(classifier)


def test_contract_catches_dependence_on_the_batch():
    clf = wrap(means)
    clf._network = lambda x: means(x - x.mean())
    with pytest.raises(AssertionError, match="batch-invariant"):
        check_classifier(clf)
