import numpy as np
import pytest

from diffex.evaluation.attributes.ablation import VARIANTS, comparison
from diffex.evaluation.attributes.fkhr import channel_energy, energy_share, ratio_column
from diffex.evaluation.attributes.stability import reliabilities
from diffex.evaluation.pictures import save_grid
from diffex.evaluation.resampling import bootstrap, bootstrap_mean, cosine
from diffex.evaluation.rows import Measured
from diffex.generators import GeneratorConfig


def test_ratio_column_is_that_of_the_protein():
    assert ratio_column(("FKHR", "DNA"), None, "FKHR") == "log2_nucleus_ring_fkhr"
    assert ratio_column(("DNA", "FKHR"), 0.5, "DNA") == "log2_nucleus_ring_dna"


def test_energy_share_is_of_squares():
    difference = np.zeros((2, 2, 4, 4))
    difference[:, 0], difference[:, 1] = 3.0, 1.0
    assert energy_share(channel_energy(difference), 0) == pytest.approx(0.9)
    assert np.isnan(energy_share(channel_energy(0 * difference), 0))


def test_reliability_is_high_where_images_agree():
    random = np.random.default_rng(0)
    truth = random.standard_normal(30)
    odd = truth + 0.5 * random.standard_normal((64, 30))
    assert np.median(reliabilities(np.stack([odd, -odd], axis=-1), 0)) > 0.9


def test_reliability_is_low_where_they_do_not():
    effects = np.random.default_rng(0).standard_normal((64, 30, 2))
    assert abs(np.median(reliabilities(effects, 0))) < 0.5


def test_effect_that_both_signs_share_does_not_count():
    even = np.random.default_rng(0).standard_normal(30) + np.zeros((64, 30))
    noise = 0.1 * np.random.default_rng(1).standard_normal((64, 30, 2))
    assert np.median(reliabilities(even[..., None] + noise, 0)) < 0.6


def test_bootstrap_covers_its_value():
    values = np.random.default_rng(0).standard_normal(50)
    value, low, high = bootstrap_mean(values, 0, 200)
    assert low < value < high
    assert value == pytest.approx(values.mean())
    assert bootstrap(50, lambda rows: float(values[rows].std()), 0, 50) == bootstrap(
        50, lambda rows: float(values[rows].std()), 0, 50
    )


def test_cosine_of_nothing_is_zero():
    assert cosine(np.zeros(3), np.ones(3)) == 0.0


def test_every_variant_is_a_configuration():
    for changes in VARIANTS.values():
        assert GeneratorConfig(**changes) is not None
    assert GeneratorConfig(**VARIANTS["ddpm path"]).path == "ddpm"


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_grid_is_written(tmp_path, channels):
    pictures = np.random.default_rng(0).random((2, 3, channels, 8, 8)).astype(np.float32)
    save_grid(pictures, tmp_path / "figures" / "grid.png")
    assert (tmp_path / "figures" / "grid.png").read_bytes().startswith(b"\x89PNG")


def test_ablation_is_a_line_per_variant():
    told = {
        name: [Measured("A11", f"{name}: {what}", value, "reported") for what in ("flips", "PSNR")]
        for name, value in (("default", 0.1), ("no KL", 0.2))
    }
    lines = comparison(told).splitlines()
    assert lines[0] == "| variant | flips | PSNR |"
    assert lines[3] == "| no KL | 0.2 | 0.2 |"
