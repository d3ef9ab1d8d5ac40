"""Is it true: benchmark suites that measure what the product promises, and scores for anyone's maps."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffex.evaluation.localisation import Localisation as Localisation
    from diffex.evaluation.localisation import localise as localise
    from diffex.evaluation.rows import Row as Row
    from diffex.evaluation.suite import run_suite as run_suite

# Name -> module; loaded when first asked for, since the suites import every room.
_FACE = {"Localisation": "localisation", "Row": "rows", "localise": "localisation", "run_suite": "suite"}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in _FACE:
        raise AttributeError(f"module 'diffex.evaluation' has no attribute {name!r}")
    return getattr(importlib.import_module(f"diffex.evaluation.{_FACE[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(_FACE)
