"""Discs and ellipses of known size, as masks."""

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture(scope="session")
def ellipse() -> Callable[..., np.ndarray]:
    """Draw a filled ellipse as a (size, size) mask."""

    def draw(a=10.0, b=10.0, angle=0.0, size=64, centre=(0.0, 0.0)):
        y, x = np.mgrid[:size, :size] - (size - 1) / 2
        y, x = y - centre[0], x - centre[1]
        u = x * np.cos(angle) + y * np.sin(angle)
        v = -x * np.sin(angle) + y * np.cos(angle)
        return (u / a) ** 2 + (v / b) ** 2 <= 1

    return draw
