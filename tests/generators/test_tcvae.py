import math
from functools import partial
from itertools import combinations, count

import numpy as np
import pytest
import torch

from diffex.base.errors import FolderError
from diffex.base.noise import generator
from diffex.generators.tcvae import fitting
from diffex.generators.tcvae.config import TCVAEConfig
from diffex.generators.tcvae.loss import (
    active,
    annealed,
    central_weight,
    decompose,
    kl_per_latent,
    log_normal,
    log_weights,
    pixel_loss,
)
from diffex.generators.tcvae.network import Decoder, Encoder, PixelNoise
from diffex.generators.tcvae.pose import canonical_pose
from diffex.generators.tcvae.tcvae import TCVAE

CPU = torch.device("cpu")
WITHIN = 0.3  # variance of each posterior; the codes' own makes it up to 1


def config(**more):
    return TCVAEConfig(**{"latents": 4, "steps": 6, "batch_size": 8} | more)


def codes(number, correlation, latents=2):
    """Posteriors whose aggregate has unit variances, and a sample of each."""
    random = generator("codes", number, correlation)
    turn = torch.linalg.cholesky(
        (1 - WITHIN) * ((1 - correlation) * torch.eye(latents) + correlation * torch.ones(latents, latents))
    )
    mean = torch.randn(number, latents, generator=random) @ turn.T
    log_variance = torch.full_like(mean, math.log(WITHIN))
    return mean + WITHIN**0.5 * torch.randn(mean.shape, generator=random), mean, log_variance


def total(parts):
    return parts.mutual_information + parts.total_correlation + parts.dimension_wise


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_parts_sum_to_the_kl(estimator):
    z, mean, log_variance = codes(2000, 0.0)
    parts = decompose(z, mean, log_variance, 50_000, estimator)
    sampled = (log_normal(z, mean, log_variance) - log_normal(z, 0 * z, 0 * z)).sum(1).mean()
    assert total(parts) == pytest.approx(float(sampled), abs=1e-4)
    assert total(parts) == pytest.approx(float(kl_per_latent(mean, log_variance).sum(1).mean()), abs=0.1)


def test_parts_of_a_standard_normal_aggregate():
    parts = decompose(*codes(2000, 0.0), 2000, "stratified")
    assert parts.mutual_information == pytest.approx(-math.log(WITHIN), abs=0.1)  # 2 latents of half of it
    assert parts.total_correlation == pytest.approx(0, abs=0.05)
    assert parts.dimension_wise == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("correlation", [0.5, 0.9])
def test_total_correlation_is_that_of_correlated_codes(correlation):
    parts = decompose(*codes(2000, correlation), 2000, "stratified")
    known = -0.5 * math.log(1 - ((1 - WITHIN) * correlation) ** 2)
    assert parts.total_correlation == pytest.approx(known, abs=0.05)


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_total_correlation_grows_with_the_correlation_in_minibatches(estimator):
    found = [float(decompose(*codes(128, c), 20_000, estimator).total_correlation) for c in (0.0, 0.5, 0.95)]
    assert found == sorted(found) and found[2] > found[0] + 0.2


def test_stratified_estimate_is_unbiased_over_all_minibatches():
    z, mean, log_variance = codes(7, 0.5)
    density = log_normal(z[:1].unsqueeze(1), mean.unsqueeze(0), log_variance.unsqueeze(0)).sum(2)[0].exp()
    weights = log_weights(3, 7, "stratified")[0].exp()
    batches = [[0, *others] for others in combinations(range(1, 7), 2)]
    estimate = torch.stack([(weights * density[batch]).sum() for batch in batches]).mean()
    torch.testing.assert_close(estimate, density.mean())


def test_weights_sum_to_one_and_need_no_more_images_than_the_batch():
    torch.testing.assert_close(log_weights(5, 1000, "stratified").exp().sum(1), torch.ones(5))
    torch.testing.assert_close(log_weights(5, 3, "stratified").exp(), torch.full((5, 5), 0.2))


def test_beta_grows_from_one_and_one_is_a_plain_vae(tiny):
    assert [annealed(4.0, step, 30) for step in (0, 5, 10, 29)] == [1.0, 2.5, 4.0, 4.0]
    model = TCVAE(config(beta=1.0), ("a", "b"), (32, 32), tiny.pixels_of())
    losses = fitting.TCVAETask(model, 24)(5, generator(0), model.prepare(tiny.discs().read()))
    bound = (losses["pixels"] + losses["kl"]) / (2 * 64 * 64)
    assert float(losses["loss"].detach()) == pytest.approx(float(bound.detach()))


def test_pixel_loss_is_smallest_at_the_variance_of_the_error():
    error = 0.2 * torch.randn(4, 1, 32, 32, generator=generator("error"))
    levels = torch.linspace(-6, 0, 61)
    losses = [float(pixel_loss(error, 0 * error, level.view(1)).mean()) for level in levels]
    assert levels[int(np.argmin(losses))] == pytest.approx(math.log(0.04), abs=0.1)


def test_pixels_far_from_the_middle_count_less():
    middle, corner = torch.zeros(2, 1, 9, 9)
    middle[0, 4, 4] = corner[0, 0, 0] = 1.0
    blank, level = torch.zeros(1, 1, 9, 9), torch.zeros(1)
    empty = pixel_loss(blank, blank, level, central_weight(9))
    near, far = (pixel_loss(x[None], blank, level, central_weight(9)) - empty for x in (middle, corner))
    assert float(near) == pytest.approx(0.5, abs=1e-4)
    assert far < 0.1 * near


def test_pixel_noise_begins_at_the_images_spread_and_is_bounded():
    noise = PixelNoise(2)
    assert noise().detach().exp().tolist() == pytest.approx([0.25] * 2, rel=0.01)
    torch.nn.init.constant_(noise.level, -10)
    assert noise().detach().exp().tolist() == pytest.approx([0.25e-3] * 2, rel=0.01)


def test_networks_have_about_a_million_parameters():
    parts = Encoder(3, 16), Decoder(3, 16)
    assert 0.8e6 < sum(p.numel() for part in parts for p in part.parameters()) < 1.3e6
    small = Encoder(3, 16, 32), Decoder(3, 16, 32)
    x = torch.zeros(2, 3, 32, 32)
    mean, _ = small[0](x)
    assert mean.shape == (2, 16) and small[1](mean).shape == x.shape


def test_unused_latents_are_told():
    mean = torch.tensor([[1.0, 0.1, 0.0], [-1.0, -0.1, 0.0]])
    assert active(mean, torch.zeros(2, 3)).tolist() == [True, False, False]


def drop(angle, size=64, value=200.0, shift=(0.0, 0.0)):
    """A drop, thick at one end and with a spot on one side, turned about its middle."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    x, y = x - shift[0], y - shift[1]
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    body = np.minimum((u / 18) ** 2 + (v / np.maximum(8 - 0.25 * u, 2)) ** 2, 5)
    spot = (u - 4) ** 2 + (v - 5) ** 2 < 9
    image = 20 + (value - 20) / (1 + np.exp(12 * (body - 1))) + 60 * spot
    return torch.from_numpy(image.astype(np.float32))[None, None]


def test_canonical_pose_undoes_a_rotation():
    turned = torch.cat([drop(angle) for angle in (0.0, 0.6, 1.4, 2.5, -2.0, -0.7)])
    posed = canonical_pose(turned)
    apart = (turned - turned[:1]).square().mean(dim=(1, 2, 3))[1:]
    left = (posed - posed[:1]).square().mean(dim=(1, 2, 3))[1:]
    assert (left < 0.05 * apart).all()


def test_canonical_pose_is_that_of_the_object_in_the_middle():
    """A neighbour at the border does not turn or move it."""
    alone = drop(0.6)
    crowded = torch.maximum(alone, drop(-1.2, shift=(29.0, -27.0)))
    middle = np.s_[:, :, 16:48, 12:52]
    apart = (canonical_pose(crowded) - canonical_pose(alone))[middle].abs().mean()
    assert apart < 0.1 * (canonical_pose(alone) - alone)[middle].abs().mean()


def test_canonical_pose_is_told_by_the_channel_asked():
    """What the other channels show does not turn the object."""
    x = torch.cat([drop(0.6), drop(-1.2)], dim=1)
    torch.testing.assert_close(canonical_pose(x, 0)[:, :1], canonical_pose(x[:, :1]))
    assert not torch.allclose(canonical_pose(x)[:, :1], canonical_pose(x[:, :1]), atol=5.0)


@pytest.mark.parametrize("value", [200.0, -160.0], ids=["bright", "dark"])
def test_canonical_pose_is_the_same_for_quarter_turns_flips_and_shifts(value):
    x = drop(0.6, value=value)
    same = [torch.rot90(x, turn, (2, 3)) for turn in range(4)]
    posed = canonical_pose(torch.cat([*same, *[image.flip(3) for image in same]]))
    torch.testing.assert_close(posed, posed[:1].expand_as(posed), rtol=0, atol=0.1)
    moved = canonical_pose(drop(0.6, value=value, shift=(5.0, -3.0)))
    torch.testing.assert_close(moved, posed[:1], rtol=0, atol=0.1)


def test_canonical_pose_lies_flat_and_keeps_what_has_no_axis():
    y, x = np.mgrid[:40, :48] - np.array([19.5, 23.5])[:, None, None]
    bar = torch.from_numpy(((np.abs(x) < 3) & (np.abs(y) < 12)).astype(np.float32))[None, None]
    posed = canonical_pose(bar)
    assert posed.shape == bar.shape
    assert (posed > 0.5).any(2).sum() == pytest.approx(24, abs=1)
    assert (posed > 0.5).any(3).sum() == pytest.approx(6, abs=1)
    torch.testing.assert_close(canonical_pose(torch.ones(1, 2, 28, 30)), torch.ones(1, 2, 28, 30))


@pytest.fixture(scope="module")
def fitted(tiny, tmp_path_factory):
    """A VAE whose training nothing interrupted."""
    return fitting.fit_tcvae(tiny.discs(), config(), tmp_path_factory.mktemp("fitted"), device=CPU)


def test_same_seed_same_weights(tiny, fitted, tmp_path):
    again = fitting.fit_tcvae(tiny.discs(), config(), tmp_path / "again", device=CPU)
    other = fitting.fit_tcvae(tiny.discs(), config(seed=1), tmp_path / "other", device=CPU)
    assert again.state_hash() == fitted.state_hash() != other.state_hash()
    assert not again.training and not any(p.requires_grad for p in again.parameters())


def test_ended_and_started_again_it_gives_the_same_bits(tiny, fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "TrainConfig", partial(fitting.TrainConfig, checkpoint_s=0.0))
    done = count()

    def ending(*arguments):
        if next(done) == 3:
            raise KeyboardInterrupt
        return decompose(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "decompose", ending)
        with pytest.raises(KeyboardInterrupt):
            fitting.fit_tcvae(tiny.discs(), config(), tmp_path, device=CPU)
    with pytest.raises(FolderError, match="other settings"):
        fitting.fit_tcvae(tiny.discs(), config(beta=2.0), tmp_path, device=CPU)
    assert fitting.fit_tcvae(tiny.discs(), config(), tmp_path, device=CPU).state_hash() == fitted.state_hash()
    assert next(done) == 4, "no step ran twice"


def test_saved_and_loaded_it_gives_the_same_codes_and_images(tiny, fitted, tmp_path):
    fitted.save(tmp_path)
    loaded = TCVAE.load(tmp_path, CPU)
    x = tiny.discs().read()
    assert torch.equal(loaded.encode(x), fitted.encode(x))
    assert torch.equal(loaded.decode(loaded.encode(x)), fitted.decode(fitted.encode(x)))
    assert (loaded.config, loaded.size, loaded.pixels) == (fitted.config, fitted.size, fitted.pixels)


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda folder: (folder / "tcvae.safetensors").write_bytes(b"cut"), "damaged"),
        (lambda folder: (folder / "tcvae.safetensors").unlink(), "missing"),
        (lambda folder: (folder / "tcvae.json").write_text('{"schema": 9}'), "schema 9"),
        (lambda folder: (folder / "tcvae.json").write_text('{"schema": 1}'), "do not fit together"),
    ],
)
def test_damaged_folder_is_refused(fitted, tmp_path, damage, match):
    fitted.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(FolderError, match=match):
        TCVAE.load(tmp_path, CPU)


@pytest.mark.parametrize("size", [(28, 28), (80, 80), (64, 256)])
def test_images_of_any_size(tiny, size):
    model = TCVAE(config(), ("a", "b"), size, tiny.pixels_of()).eval()
    x = 255 * torch.rand(3, 2, *size, generator=generator("size"))
    z = model.encode(x)
    assert z.shape == (3, 4)
    image = model.decode(z)
    assert image.shape == x.shape and image.min() >= 0 and image.max() <= 255


def far_apart(tiny, pose, x):
    """How far two images are in an untrained code, in which they would differ much."""
    model = TCVAE(config(pose=pose), ("a", "b"), (64, 64), tiny.pixels_of()).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for weight in (p for p in model.encoder.parameters() if p.ndim > 1):
            torch.nn.init.kaiming_normal_(weight)
    return float((model.encode(x)[0] - model.encode(x)[1]).norm())


def test_codes_do_not_depend_on_the_direction_where_the_pose_is_canonical(tiny):
    x = torch.cat([drop(0.6), torch.rot90(drop(0.6), 1, (2, 3))]).expand(2, 2, 64, 64)
    assert far_apart(tiny, "canonical", x) < 0.1 * far_apart(tiny, "none", x)


def test_training_with_a_canonical_pose_shows_images_in_it(tiny, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        fitting, "train", lambda task, read, *a, **k: seen.append((task, read(np.arange(4), generator(0))))
    )
    model = fitting.fit_tcvae(tiny.discs(), config(pose="canonical"), tmp_path, device=CPU)
    task, batch = seen[0]
    posed = canonical_pose(tiny.discs().read([0, 1, 2, 3]))
    torch.testing.assert_close(batch["image"], model.prepare(posed))
    assert torch.equal(task.weight, central_weight(64))


def test_the_same_images_and_settings_train_once(tiny, fitted, tmp_path, monkeypatch):
    first = fitting.kept_tcvae(tiny.discs(), config(), tmp_path, device=CPU)
    assert first.state_hash() == fitted.state_hash()
    monkeypatch.setattr(fitting, "train", None)
    again = fitting.kept_tcvae(tiny.discs(), config(), tmp_path, device=CPU)
    assert again.state_hash() == first.state_hash()
    with pytest.raises(TypeError):
        fitting.kept_tcvae(tiny.discs(), config(seed=1), tmp_path, device=CPU)


def test_training_learns(tiny, tmp_path):
    images = tiny.discs(64)
    x = images.read()
    quick = config(steps=60, batch_size=16, lr=4e-3, beta=2.0)
    model = fitting.fit_tcvae(images, quick, tmp_path, device=CPU)
    error = (model.decode(model.encode(x)) - x).square().mean()
    assert error < 0.8 * (x - x.mean(0)).square().mean()  # of the best picture that knows no code
    assert active(*model.posterior(x)).any()
    assert (model.noise() < PixelNoise(2)()).all()
