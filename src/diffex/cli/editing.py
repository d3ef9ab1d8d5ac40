"""``diffex edit``: any images, changed along a concept of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffex.cli.app import app
from diffex.cli.options import ClassifierAddress, Common, ImageOptions, OutFolder, spread
from diffex.cli.output import emit, say

if TYPE_CHECKING:
    from diffex.explainers.edit import EditResult


@app.command()
@spread
def edit(
    *,
    images: ImageOptions,
    run: Annotated[Path, typer.Option("--run", help="Run folder made by diffex attributes or explain.")],
    concept: Annotated[str, typer.Option(help="Id of a concept, as in effects.csv.")],
    strength: Annotated[float, typer.Option(help="Signed; 1 is the calibrated strength.")] = 1.0,
    out: OutFolder,
    classifier: ClassifierAddress = None,
    common: Common,
) -> None:
    """Edit images along a concept of a run.

    Edited images go to OUT/edit at full depth under their own names, null edits to OUT/null, and the change
    from one to the other to OUT/map, as OME-TIFF in the images' own grey values.

    Example: diffex edit cells/test --run run --concept latent:3 --strength -1 --out edited
    """
    from diffex.classifiers import open_classifier
    from diffex.explainers.edit import EditRequest, edit_images

    given = None if classifier is None else open_classifier(classifier)
    request = EditRequest(run, concept, strength)
    result = edit_images(images.open(), request, out, common.open_device(), given)
    description = {"out": out, "edits": result.table.to_dict("records"), "warnings": result.warnings}
    emit(common, description, lambda: _show(result))


def _show(result: "EditResult") -> None:
    change = (result.table["edit"] - result.table["null"]).mean()
    say(
        f"{len(result.table)} images in {result.out / 'edit'}, null edits in {result.out / 'null'}, the "
        f"change in {result.out / 'map'}.",
        f"Mean change of the target's logit margin from null edit to edit: {change:+.2f} (edits.csv has "
        "each).",
        *result.warnings,
    )
