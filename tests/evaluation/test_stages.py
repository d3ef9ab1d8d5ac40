import pytest

from diffex.evaluation.stages import attribute_config, black_box, explained, generator_config


def test_black_box_is_fitted_once(bench, cells):
    first = black_box(bench, "one", cells, steps=3)
    (folder,) = (bench.out / "stages").iterdir()
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert black_box(bench, "one", cells, steps=3).state_hash() == first.state_hash()
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    black_box(bench, "one", cells, steps=4)
    assert len(list((bench.out / "stages").iterdir())) == 2


def test_quick_configurations_are_small(bench):
    assert generator_config(bench, {"steps": 900}).steps < 200
    assert attribute_config(bench, "treated").images < 64


@pytest.mark.slow
def test_explanation_is_computed_once(bench, cells, model):
    config = attribute_config(bench, "control")
    first = explained(bench, "tiny", cells, model, config)
    again = explained(bench, "tiny", cells, model, config)
    assert again.summary["created"] == first.summary["created"]
    assert again.effects["effect"].tolist() == pytest.approx(first.effects["effect"].tolist())
