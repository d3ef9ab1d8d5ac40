"""Open a run, take a port, start the server, and tell the address."""

import contextlib
import secrets
import socket
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from diffex.base.errors import FolderError, InputError, MissingPartError
from diffex.runs import Salvaged, salvage_run
from diffex.runs.folder import HEAD

_PORTS = 50


@final
@dataclass(frozen=True)
class Place:
    """Where the app is.

    Parameters
    ----------
    address : str
        With the token: whoever has it may use the app.
    port, asked : int
        The port taken, and the port asked for.
    """

    address: str
    port: int
    asked: int

    def __str__(self) -> str:
        """Say where, and that another port had to be taken."""
        other = "" if self.port == self.asked else f"Port {self.asked} is in use, so {self.port} was taken.\n"
        return f"{other}Open {self.address} (Ctrl-C ends it)."


def serve(
    run: Path, *, port: int, browser: bool, device: str = "auto", told: Callable[[Place], None]
) -> None:
    """Serve the app of a run on this machine until Ctrl-C.

    Parameters
    ----------
    run : Path
        The run folder.
    port : int
        Of 127.0.0.1; where it is in use, the next free one.
    browser : bool
        Open the page in the browser.
    device : {"auto", "cpu", "cuda", "mps"}
        Where the worker renders.
    told : callable
        Gets the address before the server starts.

    Raises
    ------
    FolderError
        If the folder is no run, or its head cannot be read; other damaged parts are said on the page.
    InputError
        If no port is free.
    MissingPartError
        If the parts of the app are not installed.
    """
    salvaged = require_run(run)
    uvicorn = _uvicorn()
    listening = take_port(port)
    taken = listening.getsockname()[1]
    token = secrets.token_urlsafe(32)
    place = Place(f"http://127.0.0.1:{taken}/?token={token}", taken, port)
    # Pages that still listen are cut off at the end, which uvicorn would call an error.
    config = uvicorn.Config(
        guarded(salvaged, run, device, token, taken), log_level="critical", timeout_graceful_shutdown=1
    )
    told(place)
    if browser:
        webbrowser.open(place.address)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def require_run(run: Path) -> Salvaged:
    """Read a run as far as it goes, and refuse one whose head is damaged.

    Parameters
    ----------
    run : Path
        The run folder.

    Returns
    -------
    Salvaged
        What the pages show.

    Raises
    ------
    FolderError
        If it is no run, or does not say which model and classes it is of.
    """
    if not run.is_dir():
        raise FolderError(f"{run} is no folder, expected the --out folder of diffex explain or attributes.")
    salvaged = salvage_run(run)
    if not salvaged.has(HEAD):
        raise FolderError(f"{run}: {salvaged.problems[HEAD]}")
    return salvaged


def guarded(salvaged: Salvaged, run: Path, device: str, token: str, port: int) -> Any:
    """Put application, worker and guard together.

    Parameters
    ----------
    salvaged : Salvaged
        The run.
    run : Path
        Its folder.
    device : str
        Where the worker renders.
    token : str
        Of the address.
    port : int
        Answered for.

    Returns
    -------
    Guard
        An ASGI application.
    """
    from diffex.app.desk import Desk
    from diffex.app.guard import Guard
    from diffex.app.server import make_app

    return Guard(make_app(salvaged, Desk(run.resolve(), device)), token, port)


def take_port(port: int) -> socket.socket:
    """Bind a port of this machine, the next free one where it is in use.

    Parameters
    ----------
    port : int
        The first to try.

    Returns
    -------
    socket
        Bound to 127.0.0.1 only.

    Raises
    ------
    InputError
        If none of 50 is free.
    """
    for one in range(port, min(port + _PORTS, 65536)):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", one))
            listening.listen()
        except OSError:
            listening.close()
        else:
            return listening
    raise InputError(f"--port got {port}, but it and the {_PORTS - 1} after it are in use: give another.")


def _uvicorn() -> Any:
    try:
        import uvicorn

        import diffex.app.server  # noqa: F401 - it needs the other parts
    except ImportError as error:
        raise MissingPartError(f"The app cannot be imported ({error}): pip install 'diffex[app]'.") from error
    return uvicorn
