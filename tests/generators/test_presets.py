import pytest

from diffex.base.errors import InputError
from diffex.generators.config import GeneratorConfig
from diffex.generators.presets import load_preset, resolve_config


@pytest.mark.parametrize("name", ["default", "quick", "adapt"])
def test_presets_are_complete(name):
    assert isinstance(load_preset(name), GeneratorConfig)


def test_unknown_preset():
    with pytest.raises(InputError, match="expected one of adapt, default, quick"):
        load_preset("slow")


def test_later_sources_win(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("steps: 11\nlr: 0.5\nlatents: 8\n")
    config = resolve_config("quick", file, ["latents=16", "widths=[16, 32]"], {"steps": 13, "seed": None})
    assert (config.steps, config.lr, config.latents, config.widths, config.seed) == (13, 0.5, 16, (16, 32), 0)


def test_an_adapted_model_keeps_its_network():
    base = GeneratorConfig(latents=8, widths=(16,), seed=3)
    config = resolve_config("adapt", base=base)
    assert (config.latents, config.widths, config.seed) == (8, (16,), 3)
    with pytest.raises(InputError, match=r"got latents=9, but the model of --from has 8"):
        resolve_config("adapt", settings=["latents=9"], base=base)


@pytest.mark.parametrize("widths", ["[8, 16]", "[]"])
def test_widths_that_no_network_has(widths):
    with pytest.raises(InputError, match="multiples of 16"):
        resolve_config(settings=[f"widths={widths}"])
