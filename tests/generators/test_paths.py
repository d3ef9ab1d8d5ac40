import pytest
import torch

from diffex.generators.paths import NoisePath

MEAN, SD = 0.3, 0.4
KINDS = pytest.mark.parametrize(
    "path", [NoisePath("flow"), NoisePath("ddpm"), NoisePath("flow", detail=(0.1,))], ids=str
)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def raw_of(path, image, x_t, t):
    """Solve `split`, which is linear in the network's output, for it."""
    nothing, _ = path.split(torch.zeros_like(x_t), x_t, t)
    unit, _ = path.split(torch.ones_like(x_t), x_t, t)
    return (image - nothing) / (unit - nothing)


def gaussian(path):
    """The optimal network where pixels are independent draws from N(MEAN, SD**2)."""

    def network(scaled, t):
        a, s = (v.view(-1, 1, 1, 1) for v in path.coefficients(t.double()))
        x_t = scaled * (a**2 * path.data_sd**2 + s**2).sqrt()
        offset = (x_t - a * MEAN) / (a**2 * SD**2 + s**2)
        return raw_of(path, MEAN + a * SD**2 * offset, x_t, t)

    return network


@KINDS
def test_it_starts_at_the_image_and_ends_at_the_noise(path):
    x, noise = draw(2, 1, 4, 4), draw(2, 1, 4, 4, seed=1)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(path.mix(x, noise, ends)[0], x[0])
    torch.testing.assert_close(path.mix(x, noise, ends)[1], noise[1])
    a, s = path.coefficients(torch.linspace(0, 1, 20))
    assert (a.diff() < 0).all() and (s.diff() > 0).all()


def test_ddpm_preserves_variance():
    a, s = NoisePath("ddpm").coefficients(torch.linspace(0, 1, 9))
    torch.testing.assert_close(a**2 + s**2, torch.ones(9))


@KINDS
@pytest.mark.parametrize("time", [1e-3, 0.5, 1.0])
def test_splitting_the_true_image_gives_image_and_noise(path, time):
    x, noise = draw(3, 2, 4, 4), draw(3, 2, 4, 4, seed=1)
    t = torch.full((3,), time, dtype=torch.float64)
    x_t = path.mix(x, noise, t)
    image, rest = path.split(raw_of(path, x, x_t, t), x_t, t)
    torch.testing.assert_close(image, x)
    torch.testing.assert_close(rest, noise)


@KINDS
def test_input_and_error_have_the_same_scale_at_any_time(path):
    x, noise = path.data_sd * draw(64, 1, 32, 32), draw(64, 1, 32, 32, seed=1)
    for time in (0.06, 0.2, 0.7, 1.0):
        t = torch.full((64,), time, dtype=torch.float64)
        a, s = path.coefficients(t[0])
        scaled = path.scaled(path.mix(x, noise, t), t)
        assert scaled.std() == pytest.approx(1, abs=0.02)
        linear = scaled * a * path.data_sd**2 / (a**2 * path.data_sd**2 + s**2).sqrt()
        assert path.errors(linear, x, t).mean() == pytest.approx(1, abs=0.03)
        assert path.errors(x, x, t).max() == 0


@KINDS
def test_an_error_near_the_image_does_not_weigh_without_bound(path):
    x, off = draw(4, 1, 8, 8), torch.zeros(4, 1, 8, 8, dtype=torch.float64)
    near = [float(path.errors(off, x, torch.full((4,), t, dtype=torch.float64)).mean()) for t in (0.0, 1e-4)]
    assert near[0] == pytest.approx(near[1], rel=1e-3)


def test_detail_passes_with_its_wiener_gain():
    path, silent = NoisePath("flow", detail=(0.1,)), torch.zeros(2, 1, 64, 64, dtype=torch.float64)
    detail = 0.1 * draw(2, 1, 64, 64)
    for time in (0.02, 0.1, 0.5):
        t = torch.full((2,), time, dtype=torch.float64)
        x_t = path.mix(detail, draw(2, 1, 64, 64, seed=1), t)
        image, _ = path.split(silent, x_t, t)
        best = (detail * x_t).mean() / x_t.square().mean() * x_t
        torch.testing.assert_close(image, best, rtol=0, atol=0.01)


@pytest.mark.parametrize("depth", [2, 8, 60])
def test_detail_is_never_smoothed(depth):
    """Posterior means lose it in few steps: its flow is known, and followed exactly."""
    path, noise = NoisePath("flow", detail=(0.02,)), draw(2, 1, 64, 64)
    kept = path.render(lambda scaled, t: torch.ones_like(scaled), noise, depth)
    torch.testing.assert_close(kept, path.data_sd + 0.02 * noise)


@KINDS
@pytest.mark.parametrize("depth", [1, 2, 8])
def test_times_fall_from_one_to_zero(path, depth):
    times = path.times(depth, torch.device("cpu"))
    assert len(times) == depth + 1
    assert times[0] == 1 and times[-1] == 0 and (times.diff() < 0).all()


@KINDS
def test_one_evaluation_gives_the_posterior_mean(path):
    rendered = path.render(gaussian(path), draw(2, 1, 8, 8), depth=1)
    torch.testing.assert_close(rendered, torch.full_like(rendered, MEAN), rtol=0, atol=1e-6)


@KINDS
def test_many_evaluations_give_the_distribution(path):
    noise = draw(16, 1, 32, 32)
    rendered = path.render(gaussian(path), noise, depth=200)
    assert rendered.mean() == pytest.approx(MEAN, abs=0.01)
    assert rendered.std() == pytest.approx(SD, rel=0.02)
    # the flow of a Gaussian is known: pixel by pixel, MEAN + SD * noise
    torch.testing.assert_close(rendered, MEAN + SD * noise, rtol=0, atol=0.03)


@KINDS
def test_eight_evaluations_keep_the_spread(path):
    """First-order steps would smooth: they lose a fifth of it."""
    rendered = path.render(gaussian(path), draw(16, 1, 32, 32), depth=8)
    assert rendered.mean() == pytest.approx(MEAN, abs=0.01)
    assert rendered.std() == pytest.approx(SD, rel=0.1)


@KINDS
def test_drawn_times_reach_both_ends(path):
    times = path.draw(4000, torch.Generator().manual_seed(0)).double()
    a, s = path.coefficients(times)
    assert ((times > 0) & (times < 1)).all()
    assert (s / a).log().mean() == pytest.approx(-0.8, abs=0.1)
    assert (s / a < 0.05).float().mean() > 0.04 and (s / a > 2).float().mean() > 0.1


@KINDS
def test_inversion_and_rendering_meet(path):
    x = MEAN + SD * draw(4, 1, 8, 8)
    errors = []
    for depth in (8, 32, 128):
        noise = path.invert(gaussian(path), x, depth)
        errors.append(float((path.render(gaussian(path), noise, depth) - x).square().mean().sqrt()))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 0.5 * SD and errors[-1] < 0.05 * SD


@KINDS
def test_inverted_images_of_a_gaussian_are_standard_noise(path):
    noise = path.invert(gaussian(path), MEAN + SD * draw(16, 1, 32, 32), depth=200)
    assert noise.mean() == pytest.approx(0, abs=0.03)
    assert noise.std() == pytest.approx(1, rel=0.05)


@KINDS
def test_one_evaluation_inverts_to_finite_noise(path):
    assert path.invert(gaussian(path), MEAN + SD * draw(2, 1, 8, 8), depth=1).isfinite().all()
