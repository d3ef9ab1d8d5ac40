import numpy as np
import pytest
import torch

from diffex.base.noise import noise_for
from diffex.generators import Gate, logits_of, measure_gates

NAMES = ["logit_spearman", "flips", "noise_share", "conditioning"]


@pytest.fixture(scope="module")
def images(tiny):
    return tiny.discs(16)


def gates_of(tiny, model, images, **more):
    return {gate.name: gate for gate in measure_gates(model, tiny.classifier_of(), images, **more)}


def test_four_finite_gates(tiny, images):
    gates = gates_of(tiny, tiny.model_of(), images)
    assert list(gates) == NAMES
    assert np.isfinite([gate.value for gate in gates.values()]).all()
    assert not gates["logit_spearman"].passed  # it was never trained


def test_the_seed_decides(tiny, images):
    model = tiny.model_of()
    first = gates_of(tiny, model, images)
    assert gates_of(tiny, model, images) == first
    assert gates_of(tiny, model, images, seed=1) != first


def test_a_decoder_that_ignores_the_code_fails(tiny, images):
    model = tiny.model_of().requires_grad_(False)
    listening = gates_of(tiny, model, images)["conditioning"].value
    for part in model.decoder.code.parameters():
        part.zero_()
    gate = gates_of(tiny, model, images)["conditioning"]
    assert gate.value == 0 and not gate.passed
    assert listening > 0


def test_a_decoder_that_hears_little_but_the_code_passes(tiny, images):
    # The network's input is cut, so only the code moves its output; the path keeps a trace of the noise.
    model = tiny.model_of(depth=1).requires_grad_(False)
    model.decoder.unet.conv_in.weight.zero_()
    model.decoder.code[2].weight.mul_(20)
    gate = gates_of(tiny, model, images)["conditioning"]
    assert gate.value > 2.5 and gate.passed


def test_only_the_object_counts(tiny, images):
    model = tiny.model_of()
    whole = gates_of(tiny, model, tiny.images_from_arrays(images.read(), value_range=tiny.RANGE))
    assert whole["conditioning"].value != gates_of(tiny, model, images)["conditioning"].value
    assert whole["flips"].value == gates_of(tiny, model, images)["flips"].value


@pytest.mark.parametrize(
    ("value", "at_least", "passed"),
    [(0.9, True, True), (0.89, True, False), (0.9, False, True), (0.91, False, False), (np.nan, True, False)],
)
def test_verdict(value, at_least, passed):
    gate = Gate("name", "what it is", value, 0.9, at_least)
    assert gate.passed is passed
    assert gate.as_dict()["passed"] is passed
    assert str(gate).endswith("passed" if passed else "FAILED")
    assert (">=" if at_least else "<=") in str(gate)


def test_an_infinite_value_passes_nothing():
    assert not Gate("name", "words", float("inf"), 2.5, True).passed


def test_many_images_go_in_batches(tiny, fp32):
    model, classifier = tiny.model_of(size=(28, 28), depth=1), tiny.classifier_of()
    ids = [f"image-{i}" for i in range(66)]
    z, noise = torch.randn(66, 8), noise_for(ids, model.image_shape, 0)
    images = model.decode(z, noise)
    torch.testing.assert_close(images[64:], model.decode(z[64:], noise[64:]), rtol=1e-4, atol=1e-2)
    many = images.repeat(4, 1, 1, 1)
    logits = logits_of(classifier, many, tiny.RANGE)
    assert logits.shape == (264, 2) and logits.dtype == np.float64
    np.testing.assert_allclose(logits[:66], logits[-66:], atol=1e-4)
