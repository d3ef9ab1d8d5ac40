"""The longer job: the smallest change that flips a cell, in a thread, with progress and cancel."""

import logging
import threading
from collections.abc import Callable
from typing import Any, final

import torch

from diffex.app.answers import numbers
from diffex.app.cells import Cell
from diffex.app.painting import paint, paint_change
from diffex.app.studio import Studio
from diffex.base.errors import DiffexError, InputError
from diffex.base.progress import watched
from diffex.explainers.counterfactual import find_counterfactuals
from diffex.images import images_from_arrays

Tell = Callable[[dict[str, Any]], None]
_log = logging.getLogger("diffex")
_UNEXPECTED = "The search stopped at an error of diffex: what the terminal says is worth a report."


class _Cancelled(Exception):
    """Somebody does not want to know any more."""


@final
class Jobs:
    """At most one job at a time.

    Parameters
    ----------
    studio : Studio
        What is computed with.
    tell : callable
        Gets news as dictionaries; called from the job's thread.
    """

    def __init__(self, studio: Studio, tell: Tell) -> None:
        self._studio, self._tell = studio, tell
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, name: str) -> dict[str, Any]:
        """Start a job.

        Parameters
        ----------
        name : str
            Of the cell.

        Returns
        -------
        dict
            That it has begun.

        Raises
        ------
        InputError
            If a job runs already, or the cell is not there.
        """
        if self._thread is not None and self._thread.is_alive():
            raise InputError("Another job is running: cancel it, or wait until it is done.")
        cell = self._studio.cell(name)
        picture = torch.from_numpy(self._studio.pictures([name])[0])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(cell, picture, self._stop), daemon=True)
        self._thread.start()
        return {"started": cell.name}

    def cancel(self) -> dict[str, Any]:
        """Stop the job at its next step.

        Returns
        -------
        dict
            Whether there was one.
        """
        running = self._thread is not None and self._thread.is_alive()
        self._stop.set()
        return {"cancelling": running}

    def _run(self, cell: Cell, picture: torch.Tensor, stop: threading.Event) -> None:
        def watch(what: str, done: int, total: int | None) -> None:
            if stop.is_set():
                raise _Cancelled
            self._tell({"job": "progress", "what": what, "done": done, "total": total, "name": cell.name})

        try:
            with watched(watch):
                self._tell({"job": "done", "name": cell.name} | _smallest_change(self._studio, cell, picture))
        except _Cancelled:
            self._tell({"job": "cancelled", "name": cell.name})
        except DiffexError as error:
            self._tell({"job": "failed", "name": cell.name, "why": str(error)})
        except Exception:  # untold, it would end the thread in silence and leave the page waiting
            _log.exception("The search at %r stopped", cell.name)
            self._tell({"job": "failed", "name": cell.name, "why": _UNEXPECTED})


def _smallest_change(studio: Studio, cell: Cell, picture: torch.Tensor) -> dict[str, Any]:
    summary = studio.explanation.summary
    images = images_from_arrays(
        picture[None],
        value_range=studio.model.generator.pixels.value_range,
        channel_names=studio.channel_names,
        ids=(cell.name,),
        pixel_size_um=summary["images"]["pixel_size_um"],
    )
    target = _wanted(studio, picture)
    run = studio.explanation if studio.explanation.directions else None
    found = find_counterfactuals(images, studio.model, target, run)
    null, moved = studio.look_at(torch.cat([found.null, found.moved]))
    row = found.table.iloc[0]
    maps = paint_change(moved.pixels - null.pixels, studio.contrast, studio.channel_names, None)
    return {
        "wanted": target,
        "flipped": bool(row["flipped"]),
        "parts": str(row["parts"]),
        "pictures": {
            "null": paint(null.pixels, studio.contrast, None),
            "edit": paint(moved.pixels, studio.contrast, None),
        },
        "maps": [{"name": one.name, "source": one.source} for one in maps],
        **numbers(studio, null, moved),
    }


def _wanted(studio: Studio, picture: torch.Tensor) -> str:
    """The target; for a cell that is called so already, the class it would be otherwise."""
    names = studio.model.classifier.card.class_names
    logits = studio.look_at(picture[None])[0].logits.copy()
    if int(logits.argmax()) != studio.target:
        return names[studio.target]
    logits[studio.target] = -torch.inf
    return names[int(logits.argmax())]
