"""``diffex app``: edit cells live in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from diffex.cli.app import app as commands
from diffex.cli.options import Common, spread
from diffex.cli.output import emit, say


@commands.command()
@spread
def app(
    *,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Of 127.0.0.1; the next free one where it is in use.")
    ] = 8765,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page.")] = False,
    common: Common,
) -> None:
    """Edit cells of a run live in the browser.

    Choose a cell or drop an image, move attributes, see picture, logits and measurements change. Only this
    machine can reach it, with the token in the address. Ctrl-C ends it.

    Example: diffex app run
    """
    from diffex.app import serve

    serve(
        run,
        port=port,
        browser=not no_browser,
        device=common.device,
        told=lambda place: emit(
            common, {"address": place.address, "run": run}, lambda: say(*str(place).splitlines())
        ),
    )
