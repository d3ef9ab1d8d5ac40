"""Evidence in which it is known what every source should find."""

import numpy as np
import pandas as pd
import pytest

from diffex.concepts import Evidence
from diffex.measurements import Quantity

LATENTS = 12


def unit(*weights):
    direction = np.zeros(LATENTS)
    direction[: len(weights)] = weights
    return direction / np.linalg.norm(direction)


# What the class shifts, what the classifier looks at, and what changes the measured area.
CLASS, STEEP, AREA = unit(1, -1), unit(0, 0, 1, 2), unit(0, 0, 0, 0, 1, 0, 1)


def evidence_of(seed=0, count=400, **more):
    random = np.random.default_rng(seed)
    sd = np.geomspace(2, 0.5, LATENTS)
    codes = random.normal(size=(count, LATENTS)) * sd
    is_target = np.arange(count) % 2 == 0
    codes = codes + 4 * is_target[:, None] * CLASS
    area = 100 + 10 * codes @ AREA + random.normal(size=count)
    gradients = STEEP + 0.05 * random.normal(size=(60, LATENTS))
    steps = random.normal(size=(LATENTS, 40))
    fields = {
        "codes": codes,
        "covariance": np.cov(codes.T),
        "margin": 3 * codes @ STEEP,
        "is_target": is_target,
        "gradients": gradients,
        "metric": np.eye(LATENTS),
        "feature_steps": steps + 0.1 * random.normal(size=(8, LATENTS, 40)),
        "measured": pd.DataFrame({"area_px": area, "dust": random.normal(size=count)}),
        "quantities": (
            Quantity("area_px", "area", "px", "size", True),
            Quantity("dust", "dust", "", "texture", False),
        ),
        "seed": seed,
    }
    return Evidence(**fields | more)


@pytest.fixture
def make_evidence():
    return evidence_of


@pytest.fixture
def known():
    return {"class": CLASS, "steep": STEEP, "area": AREA}
