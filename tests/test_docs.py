"""The documentation: every public name has its place, and the code of the tutorials fits the library.

``make docs`` runs the tutorials whole; that takes minutes, so here they are only read.
"""

import ast
import importlib
import importlib.util
import pydoc
import re
from pathlib import Path

import pytest

import diffex

DOCS = Path(__file__).parent.parent / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
CELL = re.compile(r"^```\{code-cell\} \w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN = re.compile(r"^```(?:python|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def code_of(path):
    """All cells of a tutorial as one program."""
    return "\n".join(CELL.findall(path.read_text(encoding="utf-8")))


def config_fields(call):
    """The keywords of a call such as ``diffex.AttributeConfig(images=48)``, and the class."""
    if isinstance(call.func, ast.Attribute) and call.func.attr.endswith("Config"):
        return getattr(diffex, call.func.attr), {keyword.arg for keyword in call.keywords}
    return None, set()


def test_every_public_name_is_in_the_reference_once():
    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   ([A-Za-z_.]+)$", text, re.MULTILINE)
    assert len(listed) == len(set(listed))
    public = set(dir(diffex)) - {"__version__", "testing"}
    assert public <= set(listed)
    assert all(pydoc.locate(f"diffex.{name}").__doc__ for name in listed)


def test_there_is_a_tutorial_for_each_kind_of_user():
    assert [path.stem for path in TUTORIALS] == ["classifier", "law", "microscopy", "phrases"]
    start = (DOCS / "index.md").read_text(encoding="utf-8")
    assert all(start.count(f"tutorials/{path.stem}") == 2 for path in TUTORIALS)  # the table, and the menu


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_the_code_of_a_tutorial_fits_the_library(path):
    tree = ast.parse(code_of(path))
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
        if isinstance(node, ast.Import):
            assert all(importlib.util.find_spec(alias.name) for alias in node.names), ast.unparse(node)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "diffex":
            assert hasattr(diffex, node.attr), ast.unparse(node)
        if isinstance(node, ast.Call):
            kind, given = config_fields(node)
            assert kind is None or given <= set(kind.model_fields), ast.unparse(node)
    assert any(isinstance(node, ast.Import) for node in nodes)


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_names_commands_and_options_that_exist(path):
    from typer import Context
    from typer.main import get_command

    from diffex.cli import app

    program = get_command(app)
    lines = [line for block in SHOWN.findall(path.read_text(encoding="utf-8")) for line in block.splitlines()]
    typed = [line.split() for line in lines if line.startswith("diffex ")]
    assert typed
    for _, name, *words in typed:
        command = program.get_command(Context(program), name)
        known = {option for one in command.params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= known, name


@pytest.mark.may_skip
def test_the_commands_page_has_every_command(monkeypatch):
    pytest.importorskip("sphinx", reason="no Sphinx: pip install -e '.[docs]'")
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    reference = importlib.import_module("command_reference")
    found = [reference.section(*one) for one in reference.commands()]
    texts = {one["names"][0]: one.astext() for one in found}
    assert list(texts)[:3] == ["diffex demo", "diffex explain", "diffex crop"]
    assert len(texts) == 15
    assert all("--json" in text and f"{name} [OPTIONS]" in text for name, text in texts.items())
    assert "diffex attributes cells/test --model model --target drug --out run" in texts["diffex attributes"]
