"""The one Typer application, and the order in which its commands are shown."""

from typing import Any

import typer
from typer.core import TyperGroup

_ORDER = (
    *("demo", "explain", "crop", "doctor", "fit", "attributes", "rules", "semantics"),
    *("counterfactual", "edit", "responders", "score", "report", "app", "benchmark"),
)


class _InOrder(TyperGroup):
    """Commands in the order in which they are used, whatever the order of import."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name in _ORDER if name in self.commands]


app = typer.Typer(
    name="diffex",
    cls=_InOrder,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(*, wanted: bool) -> None:
    if wanted:
        import diffex

        typer.echo(f"diffex {diffex.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    """Explain an image classifier: change images along one concept at a time, measure what it does.

    Example: diffex explain cells/train --out run
    """
    _show_version(wanted=version)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
