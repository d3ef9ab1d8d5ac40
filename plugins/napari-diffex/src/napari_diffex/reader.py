"""What napari calls when something is opened."""

from collections.abc import Callable
from pathlib import Path

from napari_diffex.layers import run_layers
from napari_diffex.placing import LayerData
from napari_diffex.run import HEAD, looks_like_run, read_run

Reader = Callable[[str | list[str]], list[LayerData]]


def get_reader(path: str | list[str]) -> Reader | None:
    """Offer to read what is, or was meant to be, a run; leave everything else to other plugins.

    Parameters
    ----------
    path : str or list of str
        What was opened.

    Returns
    -------
    callable or None
        Reads the run, or says in one sentence why it cannot.
    """
    if isinstance(path, list):
        return None
    return read_layers if looks_like_run(_folder(path)) else None


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Read a run as layers.

    Parameters
    ----------
    path : str or list of str
        A run folder, or the head in it.

    Returns
    -------
    list of (array, dict, str)
        Of `run_layers`.

    Raises
    ------
    RunError
        As `read_run`.
    """
    return run_layers(read_run(_folder(path if isinstance(path, str) else path[0])))


def _folder(path: str) -> Path:
    given = Path(path)
    return given.parent if given.name == HEAD else given
