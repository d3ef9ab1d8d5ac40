"""Fail where a function or a file is longer than the house allows."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400
SOURCE = Path(__file__).parent.parent / "src" / "diffex"


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its docstring and decorators.

    Parameters
    ----------
    node : FunctionDef
        A parsed function.

    Returns
    -------
    int
        Lines from ``def`` to the end.
    """
    first = node.body[0]
    has_docstring = ast.get_docstring(node, clean=False) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def too_long(path: Path) -> Iterator[str]:
    """Name what is too long in a file.

    Parameters
    ----------
    path : Path
        A Python file.

    Yields
    ------
    str
        One complaint, with file and line.
    """
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > MAX_FILE_LINES:
        yield f"{path}: {lines} lines, at most {MAX_FILE_LINES}: one idea per file, split it."
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = code_lines(node)
            if length > MAX_FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines, at most {MAX_FUNCTION_LINES}."


def main() -> int:
    """Check every file of the package.

    Returns
    -------
    int
        1 where something is too long, else 0.
    """
    files = sorted(SOURCE.rglob("*.py"))
    complaints = [complaint for path in files for complaint in too_long(path)]
    print("\n".join(complaints) or f"Sizes of {len(files)} files are fine.")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
