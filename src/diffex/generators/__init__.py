"""Images from codes: a diffusion autoencoder that knows the classifier, and its gates."""

from diffex.generators.autoencoder import DiffusionAutoencoder
from diffex.generators.config import GeneratorConfig
from diffex.generators.fitting import fit_generator
from diffex.generators.gates import Gate, logits_of, measure_gates
from diffex.generators.pixels import PixelTransform

__all__ = [
    "DiffusionAutoencoder",
    "Gate",
    "GeneratorConfig",
    "PixelTransform",
    "fit_generator",
    "logits_of",
    "measure_gates",
]
