import math

import pytest
import torch

from diffex.generators.fitting import logit_scale
from diffex.generators.losses import AutoencoderTask, total_correlation


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def step_of(tiny, *, guided=True, **more):
    """One training step: the model, the classifier and the losses."""
    images, classifier, model = tiny.discs(12), tiny.classifier_of(), tiny.model_of(**more)
    guide = lambda x: classifier.margins_and_features(x, images.value_range)
    told = (guide, logit_scale(classifier, images)) if guided else (None, None)
    losses = AutoencoderTask(model, *told)(0, torch.Generator().manual_seed(0), images.read())
    return model, classifier, losses


def gradient_size(loss, module):
    """Sum of absolute gradients; 0 where none flows, as in a loss that a defect has cut off."""
    if not loss.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True, retain_graph=True)
    return sum(float(g.abs().sum()) for g in gradients if g is not None)


@pytest.mark.parametrize("path", ["flow", "ddpm"])
@pytest.mark.parametrize("part", ["logit", "features", "probe"])
def test_the_classifier_teaches_the_encoder(tiny, part, path):
    model, classifier, losses = step_of(tiny, path=path)
    assert gradient_size(losses[part], model.encoder) > 0
    assert (gradient_size(losses[part], model.decoder) > 0) == (part != "probe")
    assert not any(p.requires_grad for p in classifier.module.parameters())


def test_the_published_defect_is_seen(tiny):
    # Rendering without gradients makes the consistency loss a constant: it has a value and teaches nothing.
    model, _, losses = step_of(tiny, classifier_gradient=False)
    for part in ("logit", "features", "probe"):
        assert losses[part] > 0
        assert gradient_size(losses[part], model.encoder) == 0


def test_the_whole_loss_feels_the_classifier_only_with_its_gradient(tiny):
    def encoder_gradient(**more):
        model, _, losses = step_of(tiny, **more)
        losses["loss"].backward()
        return torch.cat([p.grad.flatten() for p in model.encoder.parameters()])

    without = encoder_gradient(logit=0.0, features=0.0, probe=0.0)
    assert torch.equal(encoder_gradient(classifier_gradient=False), without)
    assert not torch.allclose(encoder_gradient(), without)


@pytest.mark.parametrize("more", [{}, {"logit_condition": True}, {"total_correlation": 1.0, "path": "ddpm"}])
def test_every_parameter_learns(tiny, more):
    # Distributed training waits for the gradient of each.
    model, _, losses = step_of(tiny, **more)
    losses["loss"].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_a_step_depends_on_its_generator_alone(tiny):
    first, again = (step_of(tiny)[2] for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert {"loss", "denoise", "kl", "logit", "features", "probe"} == set(first)
    assert set(step_of(tiny, guided=False)[2]) == {"loss", "denoise", "kl"}


def test_an_untrained_network_misses_the_target_by_about_its_variance(tiny):
    losses = step_of(tiny, guided=False, at_noise=1.0)[2]  # near the image the noise shows it the way
    assert 0.5 < float(losses["denoise"].detach()) < 3
    assert float(losses["kl"].detach()) >= 0


def test_guidance_begins_gently(tiny):
    images, classifier = tiny.discs(6), tiny.classifier_of()
    guide = lambda x: classifier.margins_and_features(x, images.value_range)
    task = AutoencoderTask(tiny.model_of(steps=100), guide, logit_scale(classifier, images))
    x, config = images.read(), tiny.config()
    for step, ramp in ((0, 0.05), (9, 0.5), (99, 1.0)):
        with torch.no_grad():
            parts = task(step, torch.Generator().manual_seed(0), x)
        guidance = config.logit * parts["logit"] + config.features * parts["features"]
        expected = parts["denoise"] + config.kl * parts["kl"] + config.probe * parts["probe"]
        expected = expected + ramp * guidance
        assert float(parts["loss"]) == pytest.approx(float(expected), rel=1e-4)


def test_logits_are_standardised(tiny):
    images, classifier = tiny.discs(), tiny.classifier_of()
    scale = logit_scale(classifier, images)
    with torch.no_grad():
        rows = scale.standardise(classifier.margins_and_features(images.read(), images.value_range)[0])
    torch.testing.assert_close(rows.mean(0), torch.zeros(2), rtol=0, atol=1e-4)
    torch.testing.assert_close(rows.std(0), torch.ones(2), rtol=0, atol=1e-4)


def test_total_correlation_tells_dependent_latents_from_independent_ones():
    log_variance = torch.full((2000, 2), -1.0)
    spread = (0.5 * log_variance).exp()
    independent = draw(2000, 2)
    shared = draw(2000, 1).expand(-1, 2)
    apart, together = (
        float(total_correlation(mean + spread * draw(2000, 2, seed=1), mean, log_variance))
        for mean in (independent, shared)
    )
    # Both latents of the second are N(0, 1 + 1/e), with correlation 1 / (1 + 1/e).
    exact = -0.5 * math.log(1 - (1 / (1 + math.exp(-1))) ** 2)
    assert apart == pytest.approx(0, abs=0.06)
    assert together == pytest.approx(exact, abs=0.1)
