"""What sources may look at when they propose concepts: never the images effects are estimated on."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diffex.concepts.white_codes import FloatArray, symmetric_root
from diffex.measurements import Quantity


@final
@dataclass(frozen=True, eq=False)
class Evidence:
    """Codes, classifier outputs, gradients and measurements of the proposing images.

    Parameters
    ----------
    codes : ndarray, shape (n, d)
        Codes of the proposing images.
    covariance : ndarray, shape (d, d)
        Of the codes of the generator's fitting images.
    margin : ndarray, shape (n,)
        Target's logit margin of the images.
    is_target : ndarray of bool, shape (n,)
        Label where there is one, else prediction.
    gradients : ndarray, shape (m, d)
        Gradient of the target's margin with respect to the code, for some images.
    metric : ndarray, shape (d, d)
        Mean of J'J: a small change v of the code has size ``sqrt(v' metric v)``.
    feature_steps : ndarray, shape (m, d, p)
        Change of image features per unit of each latent, for some images.
    measured : DataFrame, n rows
        Measurements of the images.
    quantities : tuple of Quantity
        What the columns are.
    seed : int
        Of everything random.
    """

    codes: FloatArray
    covariance: FloatArray
    margin: FloatArray
    is_target: NDArray[np.bool_]
    gradients: FloatArray
    metric: FloatArray
    feature_steps: FloatArray
    measured: pd.DataFrame
    quantities: tuple[Quantity, ...]
    seed: int

    @property
    def spread(self) -> FloatArray:
        """Symmetric square root of the covariance, ``(d, d)``: from white codes to codes."""
        return symmetric_root(self.covariance)
