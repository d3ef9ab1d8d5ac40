"""Cells that can be edited: those of the run, and images that were dropped on the page."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from diffex.base.errors import DiffexError, InputError
from diffex.explainers.single_images import open_files
from diffex.generators.model import Model
from diffex.images.headers import read_header
from diffex.images.naming import shown
from diffex.runs import Explanation

_FILE = "dropped.bin"


@final
@dataclass(frozen=True, eq=False)
class Cell:
    """One cell: its picture where there is one, else the code that the run keeps of it.

    Parameters
    ----------
    name : str
        Its id in the run, or the name of the file that was dropped.
    code : Tensor or None
        ``(d,)``.
    picture : Tensor or None
        ``(c, h, w)`` grey values.
    """

    name: str
    code: Tensor | None
    picture: Tensor | None


@final
class Shelf:
    """The cells of a run, ready to be taken.

    Parameters
    ----------
    explanation : Explanation
        The run; it keeps a code of every cell, and the pictures of its examples.
    """

    def __init__(self, explanation: Explanation) -> None:
        table = explanation.cells
        self.codes = table.filter(regex=r"^code_\d+$").to_numpy(dtype=np.float32, copy=True)
        self._ids = [str(name) for name in table["id"]]
        self._pictures = explanation.examples["original"]
        self._rows = {str(name): i for i, name in enumerate(explanation.examples["ids"])}

    def take(self, row: int) -> Cell:
        """Take a cell.

        Parameters
        ----------
        row : int
            Position in the table of cells.

        Returns
        -------
        Cell
            With its code, and its picture where the run has it.

        Raises
        ------
        InputError
            If there is no such row.
        """
        if row >= len(self._ids):
            raise InputError(
                f"The run has {len(self._ids)} cells, and none at place {row + 1}: choose another."
            )
        name = self._ids[row]
        picture = self._rows.get(name)
        if picture is None and not self.codes.shape[1]:
            raise InputError("The run keeps neither a picture nor a code of this cell: drop its image.")
        pixels = None if picture is None else torch.from_numpy(self._pictures[picture]).float()
        return Cell(name, torch.from_numpy(self.codes[row]), pixels)


def dropped_cell(name: str, content: bytes, model: Model) -> Cell:
    """Decode an image that was dropped on the page.

    Parameters
    ----------
    name : str
        Of the file; it is shown and never used as a path.
    content : bytes
        PNG, JPEG or TIFF; the content decides, not the name.
    model : Model
        Says which size, channels and range are expected.

    Returns
    -------
    Cell
        With its picture.

    Raises
    ------
    InputError, ClassifierError
        If it cannot be decoded, or is of another form. The size is read before any pixel is decoded.
    """
    with tempfile.TemporaryDirectory(prefix="diffex-") as folder:
        file = Path(folder) / _FILE
        file.write_bytes(content)
        try:
            return Cell(name, None, _read(file, model))
        except DiffexError as error:
            raise type(error)(
                str(error).replace(str(file), shown(name)).replace(_FILE, shown(name))
            ) from error


def _read(file: Path, model: Model) -> Tensor:
    size, expected = read_header(file).size, model.generator.form.size
    if size != expected:
        raise InputError(
            f"{file} is {size[0]} x {size[1]} px, expected {expected[0]} x {expected[1]} px, as the images "
            "that the model was fitted on: crop or scale it."
        )
    images = open_files([file], model)
    model.check_images(images)
    return images.read()[0]
