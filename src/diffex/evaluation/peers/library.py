"""The one place where captum is imported."""

from types import ModuleType

from diffex.base.errors import MissingPartError


def captum_methods() -> ModuleType:
    """Import captum's attribution methods.

    Returns
    -------
    module
        ``captum.attr``.

    Raises
    ------
    MissingPartError
        If captum is not installed.
    """
    try:
        from captum import attr
    except ImportError as error:
        raise MissingPartError(
            "captum is not installed, the peers of suite truth need it: pip install 'diffex[truth]'."
        ) from error
    module: ModuleType = attr
    return module
