"""The command line: thin commands over the library, one sentence where something is wrong."""

import logging
import os
import sys
from collections.abc import Sequence

from typer.main import get_command

from diffex.cli import (
    benchmarks,
    cropping,
    editing,
    explaining,
    fitting,
    looking,
    phrasing,
    responding,
    ruling,
    scoring,
    serving,
)
from diffex.cli.app import app
from diffex.cli.failures import INTERRUPTED, exit_code_of

__all__ = [
    "app",
    "benchmarks",
    "cropping",
    "editing",
    "explaining",
    "fitting",
    "looking",
    "main",
    "phrasing",
    "responding",
    "ruling",
    "run",
    "scoring",
    "serving",
]


def main() -> int:
    """Run the command line of this process.

    Returns
    -------
    int
        Exit code.
    """
    logging.captureWarnings(capture=True)  # warnings of libraries are for developers
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # and so are these hints
    return run(sys.argv[1:])


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str
        As on the command line, without the name of the program.

    Returns
    -------
    int
        0; 2 where the user can mend what is wrong; 130 if interrupted; 1 for an error of diffex.
    """
    handler = _log_to_stderr()
    try:
        code = get_command(app).main(list(arguments), prog_name="diffex", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # how newer typers report Ctrl-C
            raise KeyboardInterrupt
    except BaseException as error:
        return exit_code_of(error, arguments)
    finally:
        logging.getLogger("diffex").removeHandler(handler)
    return code if isinstance(code, int) else 0


def _log_to_stderr() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("diffex")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it says of odd tags helps nobody here
    return handler
