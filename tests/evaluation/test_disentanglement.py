import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.evaluation.disentanglement import dci, factor_vae_score, mig, sap, stability

COUNT = 1600
HADAMARD = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


@pytest.fixture(scope="module", params=["continuous", "discrete"])
def factors(request):
    """Four independent factors."""
    random = np.random.default_rng(0)
    if request.param == "discrete":
        return random.integers((3, 6, 10, 32), size=(COUNT, 4))
    return random.uniform(-1, 1, (COUNT, 4))


@pytest.fixture(scope="module")
def codes(factors):
    """Name to code: one latent per factor and two unused, all mixed evenly, and noise."""
    random = np.random.default_rng(1)
    own = (factors - factors.mean(0)) / factors.std(0)
    unused = 1e-3 * random.standard_normal((COUNT, 2))
    return {
        "perfect": np.hstack([unused[:, :1], -2 * own[:, ::-1], unused[:, 1:]]),
        "mixed": own @ HADAMARD,
        "turned": own @ np.linalg.qr(random.standard_normal((4, 4)))[0],
        "noise": random.standard_normal((COUNT, 6)),
    }


def dci_parts(latents, factors):
    found = dci(latents, factors)
    return found.disentanglement, found.completeness, found.informativeness


def test_mig(codes, factors):
    assert mig(codes["perfect"], factors) > 0.9
    assert mig(codes["mixed"], factors) < 0.1
    assert mig(codes["turned"], factors) < 0.4
    assert mig(codes["noise"], factors) < 0.03


def test_sap(codes, factors):
    assert sap(codes["perfect"], factors) > 0.98
    assert sap(codes["mixed"], factors) < 0.1
    assert sap(codes["turned"], factors) < 0.6
    assert sap(codes["noise"], factors) < 0.03


def test_dci(codes, factors):
    assert min(dci_parts(codes["perfect"], factors)) > 0.95
    assert max(dci_parts(codes["mixed"], factors)[:2]) < 0.2
    assert max(dci_parts(codes["turned"], factors)[:2]) < 0.6
    assert max(dci_parts(codes["noise"], factors)) < 0.1


def test_dci_importances_say_which_latent_tells_which_factor(codes, factors):
    importance = dci(codes["perfect"], factors).importance
    assert importance.shape == (6, 4)
    assert importance.argmax(axis=0).tolist() == [4, 3, 2, 1]
    assert importance.sum(axis=0) == pytest.approx(np.ones(4))


def test_factor_vae_score(codes, factors):
    assert factor_vae_score(codes["perfect"], factors) > 0.99
    assert factor_vae_score(codes["mixed"], factors) < 0.7
    assert factor_vae_score(codes["noise"], factors) < 0.4  # chance is 1/4


def test_factor_vae_score_leaves_dead_latents_out(codes, factors):
    dead = np.hstack([codes["perfect"], 1e-9 * factors.sum(1, keepdims=True), np.zeros((COUNT, 1))])
    assert factor_vae_score(dead, factors) > 0.99
    assert factor_vae_score(codes["perfect"], factors, active=np.arange(6) < 4) < 0.9
    assert factor_vae_score(np.zeros((COUNT, 3)), factors) == 0


def test_scores_depend_on_the_seed_alone(codes, factors):
    for score in (factor_vae_score, lambda *a: dci(*a).disentanglement):
        assert score(codes["turned"], factors, 3) == score(codes["turned"], factors, 3)


def test_constant_latents_tell_nothing(factors):
    assert mig(np.zeros((COUNT, 2)), factors) == sap(np.zeros((COUNT, 2)), factors) == 0
    assert dci_parts(np.zeros((COUNT, 2)), factors)[:2] == (0, 0)


def test_one_latent_for_one_factor(factors):
    one = factors[:, 3:].astype(float)
    assert mig(one, one) == pytest.approx(1) and sap(one, one) == pytest.approx(1)
    assert min(dci_parts(one, one)) > 0.95


def test_mig_is_exact_for_discrete_factors():
    grid = np.stack(np.meshgrid([0, 1], [0, 1, 2, 3], indexing="ij"), axis=-1).reshape(-1, 2)
    codes = np.stack([grid[:, 0], grid[:, 1] // 2, grid[:, 1]], axis=1)
    assert mig(codes, grid) == pytest.approx((1 + 0.5) / 2)


def test_stability_ignores_order_sign_scale_and_bends(codes):
    first = codes["mixed"]
    assert stability(first, first) == pytest.approx(1, abs=0.1)
    assert stability(first, np.sinh(-3 * first[:, ::-1])) == pytest.approx(stability(first, first))
    assert stability(first, first @ HADAMARD) < 0.5
    assert stability(first, codes["noise"]) < 0.1


def test_stability_leaves_unused_latents_out(codes):
    first = codes["mixed"]
    more = np.hstack([first, codes["noise"]])
    used = np.arange(10) < 4
    assert stability(first, more, second_active=used) == pytest.approx(stability(first, first))
    assert stability(first, more) < 0.7
    assert stability(first, np.zeros((COUNT, 2))) == 0


def test_what_cannot_be_used_is_refused(codes, factors):
    with pytest.raises(InputError, match="factors got 10 entries"):
        mig(codes["noise"], factors[:10])
    with pytest.raises(InputError, match=r"constant columns \(1\)"):
        dci(codes["noise"], np.stack([factors[:, 0], np.ones(COUNT)], axis=1))
    with pytest.raises(InputError, match="16 rows"):
        factor_vae_score(codes["noise"][:30], np.arange(30)[:, None])
    with pytest.raises(InputError, match="NaN"):
        stability(np.full((4, 1), np.nan), np.zeros((4, 1)))
