"""What a failure says: one sentence on stderr and an exit code, a traceback only with --debug."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence

import typer

REFUSED = 2
FAILED = 1
INTERRUPTED = 130
_CLICK = typer.BadParameter.__mro__[2]  # ClickException, of click or of the copy that newer typers bring


def exit_code_of(error: BaseException, arguments: Sequence[str]) -> int:
    """Say what went wrong.

    Parameters
    ----------
    error : BaseException
        Anything a command raised.
    arguments : sequence of str
        Of the command line.

    Returns
    -------
    int
        2 for what the user can mend, 130 for an interruption, 1 for an error of diffex.
    """
    if _is_broken_pipe(error):
        _close_stdout()
        return 0
    code, sentence = _said(error)
    if "--debug" in arguments:
        traceback.print_exception(error, file=sys.stderr)
    sys.stderr.write(_one_line(sentence) + "\n")
    return code


def _said(error: BaseException) -> tuple[int, str]:
    from diffex.base.errors import DiffexError

    if isinstance(error, KeyboardInterrupt | typer.Abort) or _exit_code(error) == INTERRUPTED:
        return INTERRUPTED, "Interrupted: the same command goes on from where it was."
    if isinstance(error, DiffexError):
        return REFUSED, str(error)
    if isinstance(error, _CLICK):
        return REFUSED, _usage(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return REFUSED, (
            f"The disk is full{_where(error)}: free some space, and the same command goes on from where it "
            "was."
        )
    if isinstance(error, MemoryError):
        return REFUSED, "Not enough memory: give fewer or smaller images, or a machine with more."
    kind = type(error).__name__
    return FAILED, f"Unexpected {kind} ({str(error) or 'no message'}): this is a bug; --debug shows where."


def _usage(error: BaseException) -> str:
    message = str(getattr(error, "format_message", error.__str__)())
    context = getattr(error, "ctx", None)
    command = "diffex" if context is None else context.command_path
    return f"{message.rstrip('.')}: see {command} --help."


def _exit_code(error: BaseException) -> object:
    return error.exit_code if isinstance(error, typer.Exit) else None


def _where(error: OSError) -> str:
    return "" if error.filename is None else f" (writing {error.filename})"


def _is_broken_pipe(error: BaseException) -> bool:
    # Typer leaves with SystemExit(1) where stdout was closed by its reader, as by `head`.
    cause = error.__context__ if isinstance(error, SystemExit) else error
    return isinstance(cause, BrokenPipeError)


def _close_stdout() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
