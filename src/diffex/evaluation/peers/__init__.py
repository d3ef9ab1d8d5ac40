"""Peers: other methods that say where a classifier looks, each in a file of its own with its source."""

from diffex.evaluation.peers.centre_prior import CentrePrior
from diffex.evaluation.peers.counted import Counted, Peer
from diffex.evaluation.peers.edge_map import EdgeMap
from diffex.evaluation.peers.grad_cam import GradCam
from diffex.evaluation.peers.integrated_gradients import IntegratedGradients
from diffex.evaluation.peers.intensity import Intensity
from diffex.evaluation.peers.kernel_shap import KernelShap
from diffex.evaluation.peers.lime import Lime
from diffex.evaluation.peers.occlusion import Occlusion
from diffex.evaluation.peers.pixel_counterfactual import PixelCounterfactual
from diffex.evaluation.peers.random_map import RandomMap
from diffex.evaluation.peers.rise import Rise

SALIENCY: tuple[Peer, ...] = (
    GradCam(),
    IntegratedGradients(),
    Occlusion(),
    Lime(),
    KernelShap(),
    Rise(),
    PixelCounterfactual(),
)
"""Methods that ask the classifier."""

BASELINES: tuple[Peer, ...] = (EdgeMap(), CentrePrior(), RandomMap(), Intensity())
"""Maps that know nothing of it."""

__all__ = ["BASELINES", "SALIENCY", "Counted", "Peer"]
