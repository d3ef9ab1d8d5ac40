"""Fail where a public docstring is missing or disagrees with the signature (ruff checks the form)."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "diffex"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def documented(docstring: str) -> list[str] | None:
    """Read the names in the Parameters section of a numpydoc docstring.

    Parameters
    ----------
    docstring : str
        Cleaned, that is, not indented.

    Returns
    -------
    list of str or None
        The names in order, without asterisks; None where there is no such section.
    """
    section = re.search(
        r"^Parameters\n-+\n(.*?)(?=\n\n\S[^\n]*\n-{3,}|\Z)", docstring, re.DOTALL | re.MULTILINE
    )
    if section is None:
        return None
    heads = [line.split(" : ")[0] for line in section[1].splitlines() if line and not line.startswith(" ")]
    return [name.strip().lstrip("\\*") for head in heads for name in head.split(",")]


def parameters(node: Function) -> list[str]:
    """List the parameters a caller may give.

    Parameters
    ----------
    node : FunctionDef
        A parsed function or method.

    Returns
    -------
    list of str
        Names, without ``self`` and ``cls``.
    """
    spec = node.args
    given = [*spec.posonlyargs, *spec.args, *([spec.vararg] if spec.vararg else []), *spec.kwonlyargs]
    names = [arg.arg for arg in [*given, *([spec.kwarg] if spec.kwarg else [])]]
    return [name for name in names if name not in {"self", "cls"} and not name.startswith("_")]


def faults(node: Function, *, is_method: bool) -> Iterator[str]:
    """Name what is wrong with the docstring of a public function.

    Parameters
    ----------
    node : FunctionDef
        A parsed function or method.
    is_method : bool
        A method may keep to one sentence; what it documents must still agree.

    Yields
    ------
    str
        One fault.
    """
    docstring = ast.get_docstring(node)
    if docstring is None:
        yield "has no docstring"
        return
    names, told = parameters(node), documented(docstring)
    if told is not None and sorted(told) != sorted(names):
        yield f"documents {told}, but takes {names}"
    if is_method and "\n" not in docstring:
        return
    if told is None and names:
        yield "has no Parameters section"
    returns = "None" if node.returns is None else ast.unparse(node.returns)
    gives = returns not in {"None", "Never", "NoReturn", "Iterator[None]"}
    if gives and not re.search(r"^(Returns|Yields)\n-", docstring, re.MULTILINE):
        yield f"returns {returns}, but has no Returns or Yields section"


def is_told_elsewhere(node: Function) -> bool:
    """Tell whether a docstring may be left out: private, overloaded, or part of a property.

    Parameters
    ----------
    node : FunctionDef
        A parsed function or method.

    Returns
    -------
    bool
        True where nothing is to be checked.
    """
    marks = {ast.unparse(mark).split(".")[-1] for mark in node.decorator_list}
    return node.name.startswith("_") or bool(
        marks & {"overload", "override", "setter", "property", "command()"}
    )


def check(path: Path) -> Iterator[str]:
    """Check the public functions, and the methods of public classes, of one file.

    Parameters
    ----------
    path : Path
        A Python file.

    Yields
    ------
    str
        One complaint, with file and line.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    found = [(node, False) for node in tree.body] + [(node, True) for owner in public for node in owner.body]
    for node, is_method in found:
        if isinstance(node, Function) and not is_told_elsewhere(node):
            yield from (
                f"{path}:{node.lineno}: {node.name} {fault}." for fault in faults(node, is_method=is_method)
            )


def main() -> int:
    """Check every file of the package but the command line, whose help is its documentation.

    Returns
    -------
    int
        1 where a docstring is at fault, else 0.
    """
    files = [path for path in sorted(SOURCE.rglob("*.py")) if path.name != "cli.py"]
    complaints = [complaint for path in files for complaint in check(path)]
    print("\n".join(complaints) or f"Docstrings of {len(files)} files agree with their signatures.")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
