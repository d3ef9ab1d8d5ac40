import json
from dataclasses import replace

import pytest
import torch

from diffex.base.errors import FolderError
from diffex.base.files import load_tensors, save_tensors
from diffex.base.noise import noise_for
from diffex.generators import DiffusionAutoencoder

CPU = torch.device("cpu")
IDS = ("a", "b", "c", "d", "e")


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def saved(tiny, tmp_path):
    tiny.model_of().save(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("channels", "size"), [(1, (28, 28)), (2, (40, 40)), (3, (45, 61)), (5, (32, 33))])
def test_sizes_and_channels(tiny, channels, size):
    model = tiny.model_of(channels, size, widths=(16, 16, 16))
    x = 255 * torch.rand(2, channels, *size, generator=torch.Generator().manual_seed(0))
    z = model.encode(x)
    noise = noise_for(IDS[:2], model.image_shape, 0)
    assert z.shape == (2, model.latents) and z.dtype == torch.float32
    for images in (model.decode(z, noise, 2), model.one_step(z, noise)):
        assert images.shape == x.shape
        assert images.min() >= 0 and images.max() <= 255
    assert model.invert(x, z, 2).shape == x.shape


def test_five_at_once_equal_one_by_one(tiny, fp32):
    model = tiny.model_of()
    x, noise = 255 * torch.rand(5, 2, 32, 32), noise_for(IDS, model.image_shape, 0)
    z = model.encode(x)
    rows = range(5)
    assert torch.allclose(z, torch.cat([model.encode(x[i : i + 1]) for i in rows]), atol=1e-5)
    together = model.decode(z, noise)
    alone = torch.cat([model.decode(z[i : i + 1], noise[i : i + 1]) for i in rows])
    assert (together - alone).abs().max() / 255 < 1e-4


def test_noise_depends_on_the_id_alone(tiny):
    shape = tiny.model_of().image_shape
    noise = noise_for(IDS, shape, "edit", 0)
    assert torch.equal(noise_for(IDS[::-1], shape, "edit", 0), noise.flip(0))
    assert torch.equal(noise_for(IDS[2:3], shape, "edit", 0), noise[2:3])
    assert not torch.equal(noise_for(IDS, shape, "edit", 1), noise)


def test_code_noise_and_depth_matter(tiny):
    model = tiny.model_of()
    z, noise = draw(2, 8), draw(2, *model.image_shape)
    first = model.decode(z, noise)
    assert torch.equal(first, model.decode(z, noise, depth=model.config.depth))
    for other in (model.decode(-z, noise), model.decode(z, -noise), model.decode(z, noise, depth=1)):
        assert not torch.allclose(first, other)


def test_gradients_reach_the_code_through_one_step(tiny):
    model = tiny.model_of().requires_grad_(False)
    z = draw(2, 8).requires_grad_()
    model.one_step(z, draw(2, *model.image_shape)).mean().backward()
    assert (z.grad.abs().sum(1) > 0).all()


def test_inversion_gives_the_image_back(tiny, fp32):
    model = tiny.model_of()
    model.path = replace(model.path, detail=(model.path.data_sd,))  # or an untrained network passes nothing
    x = 30 + 150 * torch.rand(2, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    z = model.encode(x)
    back = model.decode(z, model.invert(x, z, depth=32), depth=32)
    fresh = model.decode(z, noise_for(IDS[:2], model.image_shape, 0), depth=32)
    assert (back - x).square().mean().sqrt() < 10
    assert (back - x).square().mean() < 0.1 * (fresh - x).square().mean()


def test_logits_are_heard_where_asked(tiny):
    model = tiny.model_of(logit_condition=True)
    x, t, z = draw(2, 2, 32, 32), torch.full((2,), 0.5), draw(2, 8)
    deaf = model.bound(z, torch.zeros(2, 2))(x, t)
    torch.testing.assert_close(deaf, model.bound(z)(x, t))
    assert not torch.allclose(deaf, model.bound(z, torch.ones(2, 2))(x, t))


def test_the_seed_decides_the_weights_and_leaves_the_global_state(tiny):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    assert tiny.model_of(seed=3).state_hash() == tiny.model_of(seed=3).state_hash()
    assert tiny.model_of(seed=3).state_hash() != tiny.model_of(seed=4).state_hash()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_saving_keeps_bf16_weights_and_exact_statistics(tiny, tmp_path):
    model = tiny.model_of(path="ddpm", logit_condition=True)
    model.code_mean.copy_(draw(8))
    model.save(tmp_path)
    loaded = DiffusionAutoencoder.load(tmp_path, CPU)
    assert (loaded.config, loaded.form, loaded.pixels) == (model.config, model.form, model.pixels)
    assert torch.equal(loaded.code_mean, model.code_mean)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=2**-8, atol=0)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    loaded.save(tmp_path / "again")
    assert DiffusionAutoencoder.load(tmp_path / "again", CPU).state_hash() == loaded.state_hash()


@pytest.mark.parametrize("name", ["generator.json", "generator.safetensors"])
def test_missing_file(saved, name):
    (saved / name).unlink()
    with pytest.raises(FolderError, match=f"{name} is missing"):
        DiffusionAutoencoder.load(saved, CPU)


@pytest.mark.parametrize("name", ["generator.json", "generator.safetensors"])
def test_damaged_file(saved, name):
    path = saved / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FolderError, match=f"{name} is damaged"):
        DiffusionAutoencoder.load(saved, CPU)


def test_another_schema(saved):
    values = json.loads((saved / "generator.json").read_text())
    (saved / "generator.json").write_text(json.dumps(values | {"schema": 99}))
    with pytest.raises(FolderError, match="schema 99, this diffex reads 2"):
        DiffusionAutoencoder.load(saved, CPU)
    (saved / "generator.json").write_text("[]")
    with pytest.raises(FolderError, match="schema None"):
        DiffusionAutoencoder.load(saved, CPU)


@pytest.mark.parametrize(
    "spoil", [lambda v: v.pop("form"), lambda v: v["config"].update(latents=16), lambda v: v.update(pixels=1)]
)
def test_description_that_does_not_fit(saved, spoil):
    values = json.loads((saved / "generator.json").read_text())
    spoil(values)
    (saved / "generator.json").write_text(json.dumps(values))
    with pytest.raises(FolderError, match="do not fit together"):
        DiffusionAutoencoder.load(saved, CPU)


def test_missing_weights(saved):
    state = load_tensors(saved / "generator.safetensors")
    state.pop("decoder.null")
    save_tensors(saved / "generator.safetensors", state)
    with pytest.raises(FolderError, match="do not fit together"):
        DiffusionAutoencoder.load(saved, CPU)
