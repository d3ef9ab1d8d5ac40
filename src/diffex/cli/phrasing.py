"""``diffex semantics``: which phrases move a classifier."""

from pathlib import Path
from typing import Annotated

import typer

from diffex.cli.app import app
from diffex.cli.explaining import Force, emit_run, target_of
from diffex.cli.options import (
    ClassifierAddress,
    Common,
    ImageOptions,
    OutFolder,
    open_with_classifier,
    spread,
)


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
    taxonomy: Annotated[Path | None, typer.Option(help="Tree of phrases, YAML or JSON.")] = None,
    describer: Annotated[
        str, typer.Option(help="Who proposes phrases: offline, openai:MODEL, openai:MODEL@URL, hf:ORG/NAME.")
    ] = "offline",
    domain: Annotated[str | None, typer.Option(help="What the images show, for the describer.")] = None,
    target: Annotated[str | None, typer.Option(help="Class to explain.", show_default="the last")] = None,
    count: Annotated[int, typer.Option("--images", min=12, help="How many images are edited.")] = 32,
    search: Annotated[str, typer.Option(help="race, rank (order only), or exact.")] = "race",
    force: Force = False,
    common: Common,
) -> None:
    """Find the phrases that move a classifier.

    Edits the phrases of a tree into images with a text-to-image model, checks that each edit happened and
    little else, tests and ranks the effects, writes a run and its report.

    Example: diffex semantics cells --classifier model/classifier --target drug --out run
    """
    from diffex.base.errors import InputError
    from diffex.concepts import read_tree
    from diffex.concepts.describers import open_describer
    from diffex.explainers.claims import require_free_run
    from diffex.explainers.semantics.config import SemanticConfig
    from diffex.explainers.semantics.explain import explain_semantics
    from diffex.generators.text.model import open_text_model
    from diffex.report import render_report

    if search not in ("race", "rank", "exact"):
        raise InputError(f"--search got {search!r}, expected race, rank or exact.")
    opened, explained = open_with_classifier(images, classifier)
    if explained is None:
        raise InputError("--classifier is missing: name the classifier to explain.")
    wanted = target_of(opened, explained, target)
    require_free_run(out, wanted, None, "semantics")
    model = open_text_model(editor, common.open_device())
    asked = open_describer(describer)
    tree = read_tree(taxonomy) if taxonomy is not None else asked.describe(opened, domain)
    config = SemanticConfig.model_validate(
        {"target": wanted, "images": count, "search": search, "seed": common.chosen_seed, "force": force}
    )
    explanation = explain_semantics(
        opened, explained, model, tree, config, address=editor, transcript=asked.transcript
    )
    explanation.save(out)
    render_report(out)
    emit_run(explanation, out, common)
