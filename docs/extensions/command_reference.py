"""The directive ``command-reference``: every command of the program, from what its ``--help`` says."""

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer import Context
from typer.main import get_command

from diffex.cli import app

PROGRAM = "diffex"
_EXAMPLE = "Example: "


def commands() -> Iterator[tuple[Any, Any]]:
    """List the commands in the order of ``diffex --help``.

    Yields
    ------
    (Command, Context)
        As the program itself makes them.
    """
    program = get_command(app)
    top = Context(program, info_name=PROGRAM)
    for name in program.list_commands(top):
        command = program.get_command(top, name)
        yield command, Context(command, info_name=name, parent=top)


def described(command: Any) -> tuple[list[str], list[str]]:
    """Divide the text of a command's help.

    Parameters
    ----------
    command : Command
        Of the program.

    Returns
    -------
    (list of str, list of str)
        Its paragraphs, and its examples.
    """
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    told = [part for part in paragraphs if part and not part.startswith(_EXAMPLE)]
    return told, [part.removeprefix(_EXAMPLE) for part in paragraphs if part.startswith(_EXAMPLE)]


def section(command: Any, context: Any) -> nodes.section:
    """Lay out one command.

    Parameters
    ----------
    command : Command
        Of the program.
    context : Context
        Its own.

    Returns
    -------
    section
        Title, what it does, usage, example, options.
    """
    title = f"{PROGRAM} {context.info_name}"
    told, examples = described(command)
    usage = command.get_usage(context).removeprefix("Usage: ")
    found = nodes.section(ids=[nodes.make_id(title)], names=[title])
    found += nodes.title("", "", nodes.literal("", title))
    found += [nodes.paragraph("", text) for text in told]
    found += line(" ".join(usage.split()))
    for text in examples:
        found += [nodes.paragraph("", "For example:"), line(text)]
    found += options(command, context)
    return found


def line(text: str) -> nodes.literal_block:
    """Set a line as it is typed.

    Parameters
    ----------
    text : str
        The line.

    Returns
    -------
    literal_block
        Of a terminal.
    """
    return nodes.literal_block(text, text, language="console")


def options(command: Any, context: Any) -> nodes.definition_list:
    """List arguments and options.

    Parameters
    ----------
    command : Command
        Of the program.
    context : Context
        Its own.

    Returns
    -------
    definition_list
        What the help says of each.
    """
    records = [one.get_help_record(context) for one in command.get_params(context)]
    listed = nodes.definition_list(classes=["options"])
    for name, words in (record for record in records if record is not None):
        term = nodes.term("", "", nodes.literal("", name))
        listed += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", words)))
    return listed


class CommandReference(SphinxDirective):
    """Put a section for each command in place of the directive."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Make the sections."""
        return [section(command, context) for command, context in commands()]


def setup(sphinx: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directive.

    Parameters
    ----------
    sphinx : Sphinx
        The builder of the site.

    Returns
    -------
    dict
        What Sphinx asks of an extension.
    """
    sphinx.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
