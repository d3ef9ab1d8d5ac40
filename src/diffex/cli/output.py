"""Results on stdout: JSON for machines, tables for people."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from diffex.cli.options import Common


def emit(common: "Common", result: Mapping[str, Any], show: Callable[[], None]) -> None:
    """Print a result once.

    Parameters
    ----------
    common : Common
        Says whether for machines.
    result : mapping
        Anything JSON can hold, numpy values and paths included.
    show : callable
        Prints it for people.
    """
    if common.json:
        from diffex.base.files import plain

        typer.echo(json.dumps(plain(result), indent=1, allow_nan=False))
    else:
        show()


def say(*lines: str) -> None:
    """Print lines; file names in them are shown harmlessly.

    Parameters
    ----------
    *lines : str
        Plain text.
    """
    from diffex.images.naming import shown

    for line in lines:
        typer.echo(shown(line))


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; columns after the first are numbers, on the right.

    Parameters
    ----------
    title : str
        Above it.
    columns : sequence of str
        Heads.
    rows : iterable of sequence
        Cells, already formatted.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from diffex.images.naming import shown

    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False)
    for index, name in enumerate(columns):
        table.add_column(Text(name), justify="right" if index else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(str(cell))) for cell in row))
    Console().print(table)
