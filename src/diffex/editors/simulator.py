"""Exact edits by the simulator: one factor moves, everything else and the noise stay."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.base.errors import InputError
from diffex.concepts import Concept
from diffex.editors.editor import Inversion
from diffex.images import PlantedCells


@final
@dataclass(frozen=True, eq=False)
class SimulatorEditor:
    """The truth that other editors are compared with.

    Parameters
    ----------
    cells : PlantedCells
        The simulator.
    factors : dict of str to ndarray
        Twelve factor values by image id.
    seeds : dict of str to int
        Seed of each cell by image id.
    """

    cells: PlantedCells
    factors: dict[str, NDArray[np.float64]]
    seeds: dict[str, int]

    @property
    def evaluations(self) -> int:
        """No network is evaluated."""
        return 0

    def invert(self, x: Tensor, ids: tuple[str, ...]) -> Inversion:
        """Look up factors and seeds.

        Parameters
        ----------
        x : Tensor
            ``(n, c, h, w)``; not looked at.
        ids : tuple of str
            Their names.

        Returns
        -------
        Inversion
            Codes are factors ``(n, 12)``; the noise is the seed, ``(n, 1, 1, 1)``.

        Raises
        ------
        InputError
            If an image is not a simulated one.
        """
        unknown = [i for i in ids if i not in self.factors]
        if unknown:
            raise InputError(f"{unknown[0]} is no simulated cell: the exact editor knows planted cells only.")
        codes = torch.from_numpy(np.stack([self.factors[i] for i in ids]))
        return Inversion(ids, codes, torch.tensor([self.seeds[i] for i in ids]).view(-1, 1, 1, 1))

    def null(self, inversion: Inversion) -> Tensor:
        """Render without an edit, ``(n, 3, h, w)`` in [0, 1]."""
        return self.cells.render(inversion.codes.numpy(), inversion.noise.flatten().numpy())

    def edit(self, inversion: Inversion, concept: Concept, strength: float) -> Tensor:
        """Render with factors moved along the concept's direction ``(12,)``."""
        moved = inversion.codes + strength * concept.direction.double()
        return self.cells.render(moved.numpy(), inversion.noise.flatten().numpy())
