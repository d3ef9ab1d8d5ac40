from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from diffex.base.errors import InputError
from diffex.base.noise import noise_for
from diffex.concepts import Concept
from diffex.editors import Inversion, LatentEditor, SimulatorEditor
from diffex.editors.tcvae import TCVAEEditor
from diffex.generators import DiffusionAutoencoder, GeneratorConfig, PixelTransform
from diffex.generators.autoencoder import ImageForm
from diffex.generators.tcvae.config import TCVAEConfig
from diffex.generators.tcvae.tcvae import TCVAE
from diffex.images import PlantedCells
from diffex.testing import check_editor

SHAPE = (2, 28, 28)
IDS = ("a", "b", "c")


@pytest.fixture
def fp32(monkeypatch):
    monkeypatch.setattr("diffex.generators.autoencoder.best_precision", lambda device: "fp32")


@pytest.fixture
def generator(random_weights):
    pixels = PixelTransform((0.0,) * 2, (255.0,) * 2, (1.0,) * 2, (40.0,) * 2, (0.0, 255.0), detail=(0.5,))
    config = GeneratorConfig(latents=4, widths=(16, 16), depth=2)
    return random_weights(DiffusionAutoencoder(config, ImageForm(("dna", "actin"), SHAPE[1:], 2), pixels))


@pytest.fixture
def pixels():
    return 60 + 40 * noise_for(IDS, SHAPE, "test")


CONCEPT = Concept("latent:0", "latent", "latent 0", torch.tensor([2.0, 0.0, 1.0, 0.0]))


@pytest.mark.usefixtures("fp32")
@pytest.mark.parametrize("noise", ["fresh", "inverted"])
def test_latent_editor_keeps_the_contract(generator, pixels, noise):
    editor = LatentEditor(generator, noise)
    check_editor(editor, pixels, IDS, CONCEPT)
    assert editor.evaluations == 2
    assert LatentEditor(generator, noise, depth=1).evaluations == 1


@pytest.mark.parametrize("pose", ["none", "canonical"])
def test_the_vae_editor_keeps_the_contract(random_weights, pixels, pose, monkeypatch):
    monkeypatch.setattr("diffex.generators.tcvae.tcvae.best_precision", lambda device: "fp32")
    transform = PixelTransform((0.0,) * 2, (255.0,) * 2, (1.0,) * 2, (40.0,) * 2, (0.0, 255.0), detail=(0.5,))
    config = TCVAEConfig(latents=4, side=32, pose=pose)
    model = random_weights(TCVAE(config, ("dna", "actin"), SHAPE[1:], transform))
    editor = TCVAEEditor(model)
    check_editor(editor, pixels, IDS, CONCEPT)
    shown = editor.null(editor.invert(pixels, IDS))
    torch.testing.assert_close(shown, model.posed(pixels).clamp(0, 255), rtol=0, atol=1e-3)
    assert editor.evaluations == 1


def test_fresh_noise_hangs_on_id_and_seed(generator, pixels):
    first = LatentEditor(generator, "fresh", 1).invert(pixels, IDS)
    other = LatentEditor(generator, "fresh", 1, seed=1).invert(pixels, IDS)
    assert torch.equal(first.codes, other.codes)
    assert not torch.equal(first.noise, other.noise)
    turned = LatentEditor(generator, "fresh", 1).invert(pixels, IDS[::-1])
    assert torch.equal(first.noise, turned.noise.flip(0))


def test_inverted_noise_shows_the_real_image(generator, pixels):
    """Its noise explains most of the image, the residual the rest; fresh noise has no reason to be near."""
    fresh, own = (LatentEditor(generator, noise, depth=8) for noise in ("fresh", "inverted"))
    far = (fresh.null(fresh.invert(pixels, IDS)) - pixels).abs().mean()
    inversion = own.invert(pixels, IDS)
    assert inversion.residual.abs().mean() < 0.3 * far
    assert torch.allclose(own.null(inversion), pixels.clamp(0, 255), atol=1e-3)


def test_residual_is_added_to_every_edit(generator, pixels):
    editor = LatentEditor(generator, "inverted", depth=2)
    inversion = editor.invert(pixels, IDS)
    bare = replace(inversion, residual=None)
    added = editor.edit(inversion, CONCEPT, 1.0) - editor.edit(bare, CONCEPT, 1.0)
    inside = editor.edit(inversion, CONCEPT, 1.0).gt(0) & editor.edit(inversion, CONCEPT, 1.0).lt(255)
    assert torch.allclose(added[inside], inversion.residual[inside], atol=1e-3)


def test_edits_in_one_batch_are_edits_one_by_one(generator, pixels):
    editor = LatentEditor(generator, "inverted", depth=2)
    inversion = editor.invert(pixels, IDS)
    other = replace(CONCEPT, direction=CONCEPT.direction.flip(0))
    changes = [(CONCEPT, 1.0), (other, -0.5), (CONCEPT, 0.0)]
    together = editor.edits(inversion, changes)
    alone = torch.stack([editor.edit(inversion, concept, strength) for concept, strength in changes])
    assert together.shape == (3, *pixels.shape)
    assert torch.allclose(together, alone, atol=0.01 * float(pixels.std()))
    assert not torch.allclose(together[0], together[1], atol=0.01 * float(pixels.std()))


def test_inversion_is_frozen_and_gives_rows(generator, pixels):
    inversion = LatentEditor(generator, "fresh", 1).invert(pixels, IDS)
    with pytest.raises(AttributeError):
        inversion.codes = inversion.codes + 1
    assert len(inversion) == 3
    part = inversion.rows(1, 3)
    assert part.ids == ("b", "c") and torch.equal(part.noise, inversion.noise[1:])
    turned = inversion.take([2, 0])
    assert turned.ids == ("c", "a") and torch.equal(turned.codes, inversion.codes[[2, 0]])


@pytest.fixture
def simulator():
    cells = PlantedCells(32)
    factors = cells.sample_factors(3, 0)
    table = dict(zip(IDS, factors, strict=True))
    return SimulatorEditor(cells, table, dict(zip(IDS, (11, 12, 13), strict=True)))


def test_simulator_keeps_the_contract_and_is_exact(simulator):
    step = Concept("factor:0", "factor", "nucleus area", torch.eye(12)[0])
    inversion = simulator.invert(torch.zeros(3, 3, 32, 32), IDS)
    x = simulator.null(inversion)
    check_editor(simulator, x, IDS, step)
    factors = np.stack([simulator.factors[i] for i in IDS])
    exact = simulator.cells.render(
        simulator.cells.do(factors, "nucleus_area", delta=1.0), [simulator.seeds[i] for i in IDS]
    )
    assert torch.equal(simulator.edit(inversion, step, 1.0), exact)
    assert simulator.evaluations == 0


def test_simulator_refuses_a_foreign_cell(simulator):
    with pytest.raises(InputError, match="zebra is no simulated cell"):
        simulator.invert(torch.zeros(1, 3, 32, 32), ("zebra",))


@dataclass(frozen=True)
class Brush:
    """An editor that adds a constant; `defect` says what it gets wrong."""

    defect: str = ""
    uses: list[int] = field(default_factory=list)

    evaluations = 0

    def invert(self, x, ids):
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
        noise = noise if self.defect == "noise by position" else noise_for(ids, tuple(x.shape[1:]), "brush")
        if self.defect == "writes on the images":
            x.mul_(2)
        return Inversion(ids[::-1] if self.defect == "mixes ids" else ids, x.mean((1, 2, 3))[:, None], noise)

    def null(self, inversion):
        return self.edit(inversion, replace(CONCEPT, direction=torch.zeros(1)), 0.0)

    def edit(self, inversion, concept, strength):
        self.uses.append(1)
        level = inversion.codes + strength * concept.direction[:1]
        x = level[:, :, None, None] + inversion.noise
        match self.defect:
            case "leaves a residue":
                x = x + 0.1 * bool(concept.direction.any())
            case "loses the sign":
                x = x - 2 * min(strength, 0.0) * concept.direction[0]
            case "new noise":
                source = torch.Generator().manual_seed(int(1e6 * strength))
                x = x + 10 * torch.randn(x.shape, generator=source) * (strength != 0)
            case "drifts":
                x = x + len(self.uses)
            case "spoils the inversion":
                inversion.codes.add_(strength != 0)
            case "normalises by batch":
                x = x - 0.1 * x.mean()
            case "does nothing":
                x = inversion.codes[:, :, None, None] + inversion.noise
        return x.double() if self.defect == "doubles" else x


def test_contract_passes_an_honest_editor(pixels):
    check_editor(Brush(), pixels, IDS, CONCEPT)


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        ("mixes ids", "names its images"),
        ("doubles", "torch.float64"),
        ("leaves a residue", "strength 0 differs from the null edit"),
        ("does nothing", "strength 1 changes nothing"),
        ("loses the sign", "strengths 1 and -1 give the same"),
        ("new noise", "rendered with the same noise"),
        ("drifts", "strength 0 differs from the null edit"),
        ("spoils the inversion", "an edit changed the inversion"),
        ("writes on the images", "changed the images it was given"),
        ("noise by position", "noise must depend on the id"),
        ("normalises by batch", "alone and in a batch"),
    ],
)
def test_contract_finds(pixels, defect, said):
    with pytest.raises(AssertionError, match=said):
        check_editor(Brush(defect), pixels, IDS, CONCEPT)
