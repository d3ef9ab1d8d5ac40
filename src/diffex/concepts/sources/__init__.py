"""Sources of concepts: each proposes directions from the evidence, in its own way."""

from collections.abc import Callable

from diffex.concepts.concept import Concept
from diffex.concepts.evidence import Evidence
from diffex.concepts.sources import (
    active_subspace,
    contrastive_codes,
    contrastive_images,
    latent_axes,
    mean_difference,
    morphology,
    principal_axes,
    random_directions,
)

Source = Callable[[Evidence, int], list[Concept]]

# Order is priority: of near duplicates, the earlier and more readable one stands for the others.
SOURCES: dict[str, Source] = {
    morphology.KIND: morphology.propose,
    mean_difference.KIND: mean_difference.propose,
    active_subspace.KIND: active_subspace.propose,
    contrastive_images.KIND: contrastive_images.propose,
    contrastive_codes.KIND: contrastive_codes.propose,
    principal_axes.KIND: principal_axes.propose,
    latent_axes.KIND: latent_axes.propose,
    random_directions.KIND: random_directions.propose,
}

__all__ = ["SOURCES", "Source"]
