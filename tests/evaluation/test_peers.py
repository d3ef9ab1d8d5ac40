import numpy as np
import pytest
import torch
from torch import nn

from diffex.base.errors import InputError, MissingPartError
from diffex.classifiers import Classifier
from diffex.evaluation import localise
from diffex.evaluation.peers import BASELINES, SALIENCY, Counted
from diffex.evaluation.peers.grad_cam import GradCam
from diffex.evaluation.peers.integrated_gradients import IntegratedGradients
from diffex.evaluation.peers.kernel_shap import KernelShap
from diffex.evaluation.peers.library import captum_methods
from diffex.evaluation.peers.lime import Lime
from diffex.evaluation.peers.occlusion import Occlusion
from diffex.evaluation.peers.pixel_counterfactual import PixelCounterfactual
from diffex.evaluation.peers.rise import Rise
from diffex.evaluation.peers.superpixels import superpixels

SMALL = (
    GradCam(),
    IntegratedGradients(8),
    Occlusion(),
    Lime(60),
    KernelShap(60),
    Rise(200, cells=4),
    PixelCounterfactual(3),
)
COST = {  # evaluations per image at 16 px: a forward is 1, a backward 2
    "Grad-CAM": 3,
    "Integrated Gradients": 24,
    "Occlusion": 2 * 15 * 15 + 1,
    "LIME": 60,
    "RISE": 200,
    "pixel counterfactual": 9,
}
SIDE = 16
# Grad-CAM weighs whole feature maps by their mean gradient, so of this network it can only show the image;
# RISE's masks are coarse, and 200 of them leave noise.
FLOOR = {"Grad-CAM": 0.45, "RISE": 0.7}


class Corner(nn.Module):
    """A network that sums the upper left quarter of channel 0 and nothing else."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))

    def forward(self, x):
        seen = self.conv(x)[:, 0, : SIDE // 2, : SIDE // 2]
        return seen.mean(dim=(1, 2))[:, None]


def corner():
    return Classifier.wrap(Corner(), class_names=["no", "yes"], size=SIDE, mean=0.0, std=0.3)


@pytest.fixture(scope="module")
def case():
    x = 0.5 + 0.3 * torch.rand(2, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    mask = np.zeros((2, SIDE, SIDE), dtype=bool)
    mask[:, : SIDE // 2, : SIDE // 2] = True
    return x, mask


@pytest.mark.parametrize("peer", SMALL, ids=lambda peer: peer.name)
def test_method_finds_the_only_place_that_matters(peer, case):
    x, mask = case
    asked = Counted(corner(), (0.0, 1.0))
    maps = peer.maps(asked, x, 1)
    assert maps.shape[:2] in {(2, 1), (2, 2)}
    assert not maps.requires_grad
    assert torch.isfinite(maps).all()
    assert localise(maps, mask).interval().value > FLOOR.get(peer.name, 0.85)
    if peer.name in COST:
        assert asked.evaluations == pytest.approx(2 * COST[peer.name], abs=2)
    assert torch.equal(maps, peer.maps(asked, x, 1))


@pytest.mark.parametrize("peer", [IntegratedGradients(8), Occlusion(), PixelCounterfactual(3)])
def test_methods_with_channels_leave_the_unseen_channel_at_zero(peer, case):
    maps = peer.maps(Counted(corner(), (0.0, 1.0)), case[0], 1)
    assert maps[:, 0].abs().max() > 0
    assert maps[:, 1].abs().max() == 0


@pytest.mark.parametrize("peer", BASELINES, ids=lambda peer: peer.name)
def test_baselines_never_ask(peer, case):
    asked = Counted(corner(), (0.0, 1.0))
    maps = peer.maps(asked, case[0], 1)
    assert asked.evaluations == 0
    assert maps.shape[0] == 2
    assert maps.shape[2:] == (SIDE, SIDE)


def test_grad_cam_of_a_trained_kind_of_network_is_not_negative(classifier, cells):
    maps = GradCam().maps(Counted(classifier(0), (0.0, 1.0)), cells.read([0, 1]), 1)
    assert maps.shape == (2, 1, 32, 32)
    assert maps.min() >= 0


def test_grad_cam_needs_a_convolution(case):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(2 * SIDE * SIDE, 2))
    plain = Classifier.wrap(flat, class_names=["no", "yes"], size=SIDE, channels=2)
    with pytest.raises(InputError, match="without convolutions"):
        GradCam().maps(Counted(plain, (0.0, 1.0)), case[0], 1)


def test_integrated_gradients_are_complete(case):
    asked = Counted(corner(), (0.0, 1.0))
    maps = IntegratedGradients(8).maps(asked, case[0], 1)
    with torch.no_grad():
        expected = asked.margins(case[0], 1) - asked.margins(torch.zeros_like(case[0]), 1)
    assert maps.sum(dim=(1, 2, 3)).numpy() == pytest.approx(expected.numpy(), rel=1e-3)


def test_pixel_counterfactual_raises_the_margin_within_the_range(case):
    asked = Counted(corner(), (0.0, 1.0))
    after = PixelCounterfactual(3).changed(asked, case[0], 1)
    with torch.no_grad():
        assert (asked.margins(after, 1) > asked.margins(case[0], 1)).all()
    assert after.min() >= 0
    assert after.max() <= 1


def test_rise_masks_are_soft_and_half_open():
    masks = Rise(400).drawn(SIDE, SIDE)
    assert masks.shape == (400, 1, SIDE, SIDE)
    assert 0 <= masks.min() < masks.max() <= 1 + 1e-6
    assert masks.mean() == pytest.approx(0.5, abs=0.03)


def test_superpixels_are_numbered_without_gaps(case):
    parts = superpixels(case[0][:1])
    assert parts.shape == (1, 1, SIDE, SIDE)
    assert set(parts.unique().tolist()) == set(range(int(parts.max()) + 1))


def test_names_are_distinct():
    names = [peer.name for peer in (*SALIENCY, *BASELINES)]
    assert len(set(names)) == len(names) == 11


def test_missing_captum_is_one_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "captum", None)
    with pytest.raises(MissingPartError, match="captum is not installed"):
        captum_methods()
