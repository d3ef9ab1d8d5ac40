"""The optional zarr library."""

from types import ModuleType

from diffex.base.errors import MissingPartError


def zarr_for(what: str) -> ModuleType:
    """Import zarr, or say what needs it.

    Parameters
    ----------
    what : str
        Begins the sentence.

    Returns
    -------
    module
        zarr.

    Raises
    ------
    MissingPartError
        If it is not installed.
    """
    try:
        import zarr
    except ImportError as error:
        raise MissingPartError(f"{what} needs zarr, not installed: pip install 'diffex[zarr]'.") from error
    return zarr
