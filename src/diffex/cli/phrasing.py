"""``diffex semantics``: which phrases move a classifier."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

import typer

from diffex.cli.app import app
from diffex.cli.explaining import Force, emit_run, target_of
from diffex.cli.options import (
    ClassifierAddress,
    Common,
    ImageOptions,
    OutFolder,
    ViewName,
    open_with_classifier,
    spread,
    view_named,
)

if TYPE_CHECKING:
    from diffex.concepts import ConceptTree
    from diffex.concepts.describers import Describer
    from diffex.images import Images
    from diffex.measurements import OwnMeasurement, View


@final
@dataclass(frozen=True)
class PhraseOptions:
    """Which phrases, and of what.

    Parameters
    ----------
    taxonomy : Path or None
        Tree of phrases.
    describer : str
        Who proposes them otherwise.
    domain : str or None
        What the images show, in words.
    view : str
        ``cell`` or ``field``.
    measure : list of str or None
        Functions of the user's, by whose names the tree says what its phrases move.
    """

    taxonomy: Annotated[Path | None, typer.Option(help="Tree of phrases, YAML or JSON.")] = None
    describer: Annotated[
        str, typer.Option(help="Who proposes phrases: offline, openai:MODEL, openai:MODEL@URL, hf:ORG/NAME.")
    ] = "offline"
    domain: Annotated[str | None, typer.Option(help="What the images show, for the describer.")] = None
    view: ViewName = "cell"
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="A measurement of your own, NAME=py:MODULE:FUNCTION, for phrases of --taxonomy; repeat it."
        ),
    ] = None

    @property
    def shown(self) -> "View":
        """What an image shows."""
        return view_named(self.view)

    def open_describer(self) -> "Describer":
        """Make the describer."""
        from diffex.concepts.describers import open_describer

        return open_describer(self.describer, view=self.shown)

    def propose(self, images: "Images", describer: "Describer") -> "ConceptTree":
        """Read the tree, or ask the describer for one."""
        from diffex.concepts import read_tree

        if self.taxonomy is not None:
            return read_tree(self.taxonomy)
        return describer.describe(images, self.domain)

    def own(self, tree: "ConceptTree") -> "tuple[OwnMeasurement, ...]":
        """Import the user's functions, each of which the tree has to name."""
        from diffex.base.errors import InputError
        from diffex.base.importing import import_callable
        from diffex.measurements import OwnMeasurement

        found = dict[str, OwnMeasurement]()
        for given in self.measure or ():
            name, _, address = given.partition("=")
            if not address.startswith("py:") or name in found:
                raise InputError(f"--measure got {given!r}, expected NAME=py:MODULE:FUNCTION, a name once.")
            if name not in {node.measurement for node in tree.nodes}:
                raise InputError(
                    f"--measure {name}: no phrase of the tree moves it: give a --taxonomy where one has "
                    f"“measurement: {name}”."
                )
            function = import_callable(address.removeprefix("py:"), f"--measure {given}", InputError)
            found[name] = OwnMeasurement(name, function)
        return tuple(found.values())


@app.command()
@spread
def semantics(
    *,
    images: ImageOptions,
    classifier: ClassifierAddress,
    out: OutFolder,
    editor: Annotated[
        str, typer.Option(help="Text-to-image model: shipped, a folder, or ORG/NAME.")
    ] = "shipped",
    phrases: PhraseOptions,
    target: Annotated[str | None, typer.Option(help="Class to explain.", show_default="the last")] = None,
    count: Annotated[int, typer.Option("--images", min=12, help="How many images are edited.")] = 32,
    search: Annotated[str, typer.Option(help="race, rank (order only), or exact.")] = "race",
    controls: Annotated[
        int, typer.Option(min=0, help="Random mixtures edited beside a tree of few phrases; not tested.")
    ] = 16,
    force: Force = False,
    common: Common,
) -> None:
    """Find the phrases that move a classifier.

    Edits the phrases of a tree into images with a text-to-image model, checks that each edit happened and
    little else, tests and ranks the effects, writes a run and its report.

    Example: diffex semantics cells --classifier model/classifier --target drug --out run
    """
    from diffex.base.errors import InputError
    from diffex.explainers.claims import require_free_run
    from diffex.explainers.semantics.config import SemanticConfig
    from diffex.explainers.semantics.explain import explain_semantics
    from diffex.generators.text.model import open_text_model
    from diffex.report import render_report

    if search not in ("race", "rank", "exact"):
        raise InputError(f"--search got {search!r}, expected race, rank or exact.")
    shown = phrases.shown
    opened, explained = open_with_classifier(images, classifier)
    if explained is None:
        raise InputError("--classifier is missing: name the classifier to explain.")
    wanted = target_of(opened, explained, target)
    require_free_run(out, wanted, None, "semantics")
    model = open_text_model(editor, common.open_device())
    asked = phrases.open_describer()
    tree = phrases.propose(opened, asked)
    config = SemanticConfig.model_validate(
        {
            "target": wanted, "view": shown, "images": count, "search": search, "controls": controls,
            "seed": common.chosen_seed, "force": force,
        }
    )  # fmt: skip
    explanation = explain_semantics(
        opened, explained, model, tree, config, address=editor, transcript=asked.transcript,
        own=phrases.own(tree),
    )  # fmt: skip
    explanation.save(out)
    render_report(out)
    emit_run(explanation, out, common)
