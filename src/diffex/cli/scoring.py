"""``diffex score``: every cell of a set, scored along the attributes of a run."""

from pathlib import Path
from typing import Annotated

import typer

from diffex.cli.app import app
from diffex.cli.options import ClassifierAddress, Common, ImageOptions, OutFolder, spread
from diffex.cli.output import emit, say


@app.command()
@spread
def score(
    *,
    images: ImageOptions,
    run: Annotated[Path, typer.Option("--run", help="Run folder made by diffex attributes or explain.")],
    out: OutFolder,
    top: Annotated[int, typer.Option(min=1, help="How many significant attributes are scored.")] = 10,
    effects: Annotated[
        bool,
        typer.Option(
            "--effects", help="Also how much each would move the cell's own logit: about seven times as long."
        ),
    ] = False,
    classifier: ClassifierAddress = None,
    common: Common,
) -> None:
    """Score every cell along the attributes of a run, for sets of any size; goes on after an interruption.

    OUT gets cells.parquet, a row per cell: logits, code, score_ATTRIBUTE (0 is the mean of the run's images,
    1 the attribute's strength 1) and effect_ATTRIBUTE; summary.json; with anndata, cells.h5ad.

    Example: diffex score cells/cells.zarr --run run --out scores
    """
    from diffex.classifiers import open_classifier
    from diffex.explainers.scores.config import ScoreConfig
    from diffex.explainers.scores.score import score as score_cells

    config = ScoreConfig(top=top, effects=effects)
    given = None if classifier is None else open_classifier(classifier)
    found = score_cells(images.open(), run, out, config, common.open_device(), given)
    emit(
        common,
        {**found.head, "out": found.out},
        lambda: say(*found.summary, f"Table: {out / 'cells.parquet'}"),
    )
