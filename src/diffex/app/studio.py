"""What the worker renders through the library: null edits, edits of several cells at once, thumbnails."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffex.app.cells import Cell, Shelf, dropped_cell
from diffex.app.lru import Recent
from diffex.app.painting import contrast_of
from diffex.app.questions import EditQuestion
from diffex.app.sliders import sliders_of
from diffex.base.errors import InputError
from diffex.base.noise import noise_for
from diffex.editors import Inversion, LatentEditor
from diffex.explainers.edit import find_concept, open_model_of
from diffex.explainers.preparing import target_index
from diffex.measurements import Quantity, choose_channel, measure, nucleus_channel, quantities
from diffex.runs import Explanation, salvage_run

_LIVE_DEPTH = 2
_KEPT, _KEPT_DROPS = 64, 16
_TOLD = 6


@final
@dataclass(frozen=True, eq=False)
class Look:
    """A rendered cell, and what is known of it.

    Parameters
    ----------
    pixels : ndarray, shape (c, h, w)
        Grey values.
    logits : ndarray, shape (k,)
        Of the classifier.
    measured : Series
        A value per quantity.
    """

    pixels: NDArray[np.float32]
    logits: NDArray[np.float64]
    measured: "pd.Series[float]"


@final
@dataclass(frozen=True, eq=False)
class Edited:
    """A cell before and after.

    Parameters
    ----------
    cell : Cell
        Which cell.
    depth : int
        Network evaluations of each rendering.
    null, edit : Look
        Rendered again, and rendered with the change.
    """

    cell: Cell
    depth: int
    null: Look
    edit: Look


@final
class Studio:
    """The model of a run, its cells, and what was rendered last.

    Parameters
    ----------
    run : Path
        The run folder.
    device : torch.device
        Where to render.

    Raises
    ------
    FolderError
        If the model is missing, or not the one that the run was made with.
    """

    def __init__(self, run: Path, device: torch.device) -> None:
        self.explanation = salvage_run(run).explanation
        self.model = open_model_of(self.explanation, run, device)
        summary = self.explanation.summary
        self.channel_names = tuple(map(str, summary["images"]["channel_names"]))
        self.target = target_index(self.model.classifier.card.class_names, summary["target"])
        self.contrast = contrast_of(self.explanation)
        self.told = _told(self.explanation, self.channel_names)
        self._shelf = Shelf(self.explanation)
        self._channel = _shape_channel(self.explanation, self.channel_names)
        self._moves = _moves(self.explanation, self.model.generator.config.latents)
        self._limits = np.array([(s.low, s.high) for s in sliders_of(self.explanation)]).reshape(-1, 2)
        self._inversions: Recent[tuple[str, int], Inversion] = Recent(_KEPT)
        self._nulls: Recent[tuple[str, int], Look] = Recent(_KEPT)
        self._drops: Recent[str, Cell] = Recent(_KEPT_DROPS)
        self._dropped = 0

    @property
    def depths(self) -> dict[Literal["live", "full"], int]:
        """Network evaluations of a rendering while a slider moves, and when it rests."""
        full = self.model.generator.config.depth
        return {"live": min(_LIVE_DEPTH, full), "full": full}

    def cell(self, name: str) -> Cell:
        """Find a cell.

        Parameters
        ----------
        name : str
            As in `EditQuestion`.

        Returns
        -------
        Cell
            Of the run, or dropped.

        Raises
        ------
        InputError
            If there is none.
        """
        kind, _, number = name.partition("-")
        if kind == "run":
            return self._shelf.take(int(number))
        cell = self._drops.find(name)
        if cell is None:
            raise InputError("This image is not there any more: drop it again.")
        return cell

    def drop(self, name: str, content: bytes) -> str:
        """Take in an image.

        Parameters
        ----------
        name : str
            Of the file.
        content : bytes
            The file.

        Returns
        -------
        str
            The name of the new cell; the last few are kept.

        Raises
        ------
        InputError, ClassifierError
            As `dropped_cell`.
        """
        cell = dropped_cell(name, content, self.model)
        key = f"drop-{self._dropped}"
        self._dropped += 1
        self._drops.put(key, cell)
        return key

    def check(self, question: EditQuestion) -> None:
        """Refuse a question that cannot be answered.

        Parameters
        ----------
        question : EditQuestion
            Which cell, how far.

        Raises
        ------
        InputError
            If the cell is not there, or there are not as many strengths as sliders.
        """
        self.cell(question.cell)
        if len(question.strengths) != len(self._limits):
            raise InputError(
                f"Got {len(question.strengths)} strengths, expected {len(self._limits)}: load the page again."
            )

    def edit(self, asked: Sequence[EditQuestion], depth: int) -> list[Edited]:
        """Edit several cells in one batch.

        Parameters
        ----------
        asked : sequence of EditQuestion
            Which cells, how far, as `check` allows; strengths beyond a slider's limits are cut.
        depth : int
            Network evaluations per rendering.

        Returns
        -------
        list of Edited
            One per question.
        """
        nulls = [self.null(question.cell, depth) for question in asked]
        moves = torch.stack([self._move(question) for question in asked])
        looks = self._looks(self._joined([question.cell for question in asked], depth), moves, depth)
        rows = zip(asked, nulls, looks, strict=True)
        return [Edited(self.cell(question.cell), depth, null, edit) for question, null, edit in rows]

    def null(self, name: str, depth: int) -> Look:
        """Render a cell without an edit, once.

        Parameters
        ----------
        name : str
            Of the cell.
        depth : int
            Network evaluations.

        Returns
        -------
        Look
            Kept for the next time.
        """
        return self._nulls.get((name, depth), lambda: self._fresh_nulls([name], depth)[0])

    def pictures(self, names: Sequence[str]) -> list[NDArray[np.float32]]:
        """Show cells as they are, or rendered from their code in one batch.

        Parameters
        ----------
        names : sequence of str
            Of the cells.

        Returns
        -------
        list of ndarray, shape (c, h, w)
            Grey values.
        """
        depth = self.depths["live"]
        absent = [n for n in dict.fromkeys(names) if self.cell(n).picture is None]
        new = [name for name in absent if (name, depth) not in self._nulls]
        made = dict(zip(new, self._fresh_nulls(new, depth), strict=True)) if new else {}
        for name, look in made.items():
            self._nulls.put((name, depth), look)
        return [self._picture(name, depth, made) for name in names]

    def look_at(self, pixels: Tensor) -> list[Look]:
        """Classify and measure pictures.

        Parameters
        ----------
        pixels : Tensor
            ``(n, c, h, w)`` grey values.

        Returns
        -------
        list of Look
            One per picture.
        """
        value_range = self.model.generator.pixels.value_range
        with torch.no_grad():
            logits = self.model.classifier.logits(pixels, value_range).double().cpu().numpy()
        pixel_size = self.explanation.summary["images"]["pixel_size_um"]
        measured = measure(
            pixels, self.channel_names, None, pixel_size, shape_from="pixels", shape_channel=self._channel
        )
        return [Look(pixels[i].numpy(), logits[i], measured.iloc[i]) for i in range(len(pixels))]

    def unusual(self) -> NDArray[np.float64]:
        """How far each cell of the run lies from those that the generator was fitted on.

        Returns
        -------
        ndarray, shape (n,)
            Mahalanobis distance of its code; NaN where the run keeps none.
        """
        generator = self.model.generator
        if self._shelf.codes.shape[1] != len(generator.code_mean):
            return np.full(len(self._shelf.codes), np.nan)
        offset = torch.from_numpy(self._shelf.codes).double() - generator.code_mean.double().cpu()
        inverse = torch.linalg.pinv(generator.code_cov.double().cpu())
        return np.asarray((offset @ inverse * offset).sum(1).clamp_min(0).sqrt().numpy())

    def _picture(self, name: str, depth: int, made: dict[str, Look]) -> NDArray[np.float32]:
        picture = self.cell(name).picture
        if picture is not None:
            return np.asarray(picture.numpy())
        return made[name].pixels if name in made else self.null(name, depth).pixels

    def _fresh_nulls(self, names: list[str], depth: int) -> list[Look]:
        return self._looks(self._joined(names, depth), torch.zeros(1), depth)

    def _looks(self, inversion: Inversion, moves: Tensor, depth: int) -> list[Look]:
        return self.look_at(self._editor(depth).render(inversion, inversion.codes + moves).cpu())

    def _editor(self, depth: int) -> LatentEditor:
        return LatentEditor(self.model.generator, "inverted", depth)

    def _inversion(self, name: str, depth: int) -> Inversion:
        return self._inversions.get((name, depth), lambda: self._inverted(self.cell(name), depth))

    def _inverted(self, cell: Cell, depth: int) -> Inversion:
        """Invert the picture; where there is none, draw the noise that the run's effects were measured on."""
        ids, shape = (cell.name,), self.model.generator.image_shape
        if cell.picture is not None:
            return self._editor(depth).invert(cell.picture[None], ids)
        assert cell.code is not None
        noise = noise_for(ids, shape, "edit", int(self.explanation.summary["seed"]))
        return Inversion(ids, cell.code[None], noise, torch.zeros_like(noise))

    def _joined(self, names: list[str], depth: int) -> Inversion:
        parts = [self._inversion(name, depth) for name in names]
        residual = torch.cat([part.residual for part in parts if part.residual is not None])
        return Inversion(
            tuple(name for part in parts for name in part.ids),
            torch.cat([part.codes for part in parts]),
            torch.cat([part.noise for part in parts]),
            residual,
        )

    def _move(self, question: EditQuestion) -> Tensor:
        cut = np.clip(np.array(question.strengths), self._limits[:, 0], self._limits[:, 1])
        return torch.from_numpy(cut).float() @ self._moves


def _moves(explanation: Explanation, size: int) -> Tensor:
    sliders = sliders_of(explanation)
    if not sliders:
        return torch.zeros(0, size)
    return torch.stack([s.sign * find_concept(explanation, s.concept).direction.float() for s in sliders])


def _told(explanation: Explanation, channel_names: tuple[str, ...]) -> tuple[Quantity, ...]:
    """The measurements that the run's edits change most, so that the table stays the same while one looks."""
    known = {q.name: q for q in quantities(channel_names, explanation.summary["images"]["pixel_size_um"])}
    size = explanation.measured.assign(size=explanation.measured["change_sd"].abs())
    order = size.groupby("quantity")["size"].max().sort_values(ascending=False, kind="stable").index
    names = [name for name in order if name in known] or list(known)
    return tuple(known[name] for name in names[:_TOLD])


def _shape_channel(explanation: Explanation, channel_names: tuple[str, ...]) -> int:
    named = nucleus_channel(channel_names)
    pictures = explanation.examples["original"]
    return named if named is not None else choose_channel(pictures, None) if len(pictures) else 0
