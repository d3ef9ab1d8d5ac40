"""Python code of the user's, found by its name."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffex.base.errors import DiffexError


def import_callable(name: str, given: str, error: type[DiffexError]) -> Callable[..., Any]:
    """Import ``MODULE:CALLABLE``, from the working folder too.

    Parameters
    ----------
    name : str
        As said.
    given : str
        What the user wrote, for messages: the option and its value.
    error : type of DiffexError
        Raised where it cannot be imported.

    Returns
    -------
    callable
        Not called.
    """
    module_name, _, attribute = name.partition(":")
    if not (module_name and attribute):
        raise error(f"{given}: expected py:MODULE:CALLABLE.")
    try:
        with _working_folder_first():
            found = getattr(importlib.import_module(module_name), attribute)
    except Exception as failed:  # the user's code runs: anything can happen
        why = f"{type(failed).__name__}: {failed}"
        raise error(
            f"{given} cannot be imported ({why}): check the names, and run in the folder of the module."
        ) from failed
    if not callable(found):
        raise error(f"{given} is a {type(found).__name__}, expected something that can be called.")
    return found  # type: ignore[no-any-return]


@contextmanager
def _working_folder_first() -> Iterator[None]:
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
