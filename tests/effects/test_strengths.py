import numpy as np
import pytest
import torch

from diffex.base.ledger import CostLedger
from diffex.base.noise import noise_for
from diffex.classifiers import Classifier
from diffex.classifiers.margins import margin
from diffex.concepts import Concept
from diffex.editors import LatentEditor
from diffex.effects.linear import image_metric, logit_gradients
from diffex.effects.strengths import calibrate, typical_size
from diffex.generators import DiffusionAutoencoder, GeneratorConfig, PixelTransform
from diffex.generators.autoencoder import ImageForm

SHAPE, LATENTS = (2, 28, 28), 6
IDS = tuple("abcdefgh")


@pytest.fixture
def generator(monkeypatch, random_weights):
    monkeypatch.setattr("diffex.generators.autoencoder.best_precision", lambda device: "fp32")
    pixels = PixelTransform((0.0,) * 2, (255.0,) * 2, (1.0,) * 2, (40.0, 80.0), (0.0, 255.0))
    config = GeneratorConfig(latents=LATENTS, widths=(16, 16), depth=2)
    return random_weights(DiffusionAutoencoder(config, ImageForm(("dna", "actin"), SHAPE[1:], 2), pixels))


@pytest.fixture
def editor(generator):
    return LatentEditor(generator, "fresh", 1)


@pytest.fixture
def inversion(editor):
    return editor.invert(60 + 40 * noise_for(IDS, SHAPE, "test"), IDS)


def concepts(count=5):
    rows = torch.randn(count, LATENTS, generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([0.01, 0.1, 1, 10, 100])[:, None]
    return [Concept(f"random:{k}", "random", str(k), v) for k, v in enumerate(rows * lengths)]


def test_calibrated_concepts_have_the_common_size(generator, editor, inversion):
    ledger = CostLedger()
    metric = image_metric(generator, inversion.codes, inversion.noise, torch.full((LATENTS,), 0.2), ledger)
    size = 0.05
    null = editor.null(inversion)
    found = calibrate(concepts(), editor, inversion, metric.metric, size, ledger)
    for concept in found:
        both = [generator.pixels.size(editor.edit(inversion, concept, s) - null).mean() for s in (1, -1)]
        assert float(np.mean(both)) == pytest.approx(size, rel=0.15)
    assert [c.id for c in found] == [c.id for c in concepts()]
    assert ledger.nfe["calibration"] == 8 * (LATENTS + 1) + 8 * (1 + 2 * 5)


def test_directions_keep_their_way(generator, editor, inversion):
    found = calibrate(concepts(), editor, inversion, np.eye(LATENTS), 0.05, CostLedger())
    for before, after in zip(concepts(), found, strict=True):
        cosine = torch.cosine_similarity(before.direction, after.direction, dim=0)
        assert float(cosine) == pytest.approx(1.0, abs=1e-5)


def test_typical_size_is_a_share_of_how_images_differ(generator, editor, inversion):
    ledger = CostLedger()
    x = editor.null(inversion)
    difference = generator.pixels.size(x - x.roll(1, 0)).square().mean().sqrt()
    assert typical_size(editor, inversion, ledger) == pytest.approx(0.3 * float(difference), rel=1e-5)
    assert ledger.nfe == {"calibration": 8}


def test_metric_predicts_the_size_of_a_small_change(generator, editor, inversion):
    metric = image_metric(
        generator, inversion.codes, inversion.noise, torch.full((LATENTS,), 0.1), CostLedger()
    )
    assert metric.feature_steps.shape == (8, LATENTS, 2 * 16 * 16)
    np.testing.assert_allclose(metric.metric, metric.metric.T)
    v = 0.05 * torch.randn(LATENTS, generator=torch.Generator().manual_seed(2))
    step = editor.edit(inversion, Concept("a", "a", "a", v), 1.0) - editor.null(inversion)
    measured = float(generator.pixels.size(step).square().mean().sqrt())
    w = v.double().numpy()
    assert measured == pytest.approx(float(np.sqrt(w @ metric.metric @ w)), rel=0.1)


def test_gradients_are_first_order_effects(generator, inversion):
    net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(8, 3))
    with torch.no_grad():
        net[2].weight.copy_(torch.randn(3, 8, generator=torch.Generator().manual_seed(3)))
    guide = Classifier.wrap(net, class_names="abc", size=28, channels=2, mean=0, std=1, value_range=(0, 1))
    ledger = CostLedger()
    found = logit_gradients(generator, guide, inversion.codes, inversion.noise, 2, ledger)
    assert found.shape == (8, LATENTS)
    assert ledger.nfe == {"gradients": 24}
    step = 0.01 * torch.randn(LATENTS, generator=torch.Generator().manual_seed(4))

    def margin_at(codes):
        return margin(guide.logits(generator.one_step(codes, inversion.noise), (0.0, 255.0)), 2)

    with torch.no_grad():
        change = margin_at(inversion.codes + step) - margin_at(inversion.codes - step)
    np.testing.assert_allclose(2 * found @ step.numpy(), change.numpy(), rtol=0.05, atol=1e-5)
