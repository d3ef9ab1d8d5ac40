"""``diffex rules``: a short formula in place of the network."""

from typing import Annotated, Any, get_args

import typer

from diffex.cli.app import app
from diffex.cli.explaining import Force, emit_run, open_for, target_of
from diffex.cli.options import ClassifierAddress, Common, ImageOptions, ModelFolder, OutFolder, spread

_ENGINES = {"all": ("library", "operon"), "library": ("library",), "operon": ("operon",)}


@app.command()
@spread
def rules(
    *,
    images: ImageOptions,
    model: ModelFolder,
    out: OutFolder,
    target: Annotated[
        str | None, typer.Option(help="Class whose factors are edited.", show_default="the last")
    ] = None,
    factors: Annotated[
        str,
        typer.Option(help="What formulas read: measurements, autoencoder or tcvae (learnt from the images)."),
    ] = "measurements",
    engine: Annotated[str, typer.Option(help="Who searches: all, library or operon.")] = "all",
    nodes: Annotated[int, typer.Option(min=5, help="Nodes of the largest formula.")] = 20,
    attacks: Annotated[
        bool,
        typer.Option(
            "--attacks", help="Attack rules and classifier too: minutes; needs labels and diffex[attacks]."
        ),
    ] = False,
    classifier: ClassifierAddress = None,
    force: Force = False,
    common: Common,
) -> None:
    """Put a short formula in place of the network.

    Finds a formula per class over few factors, tests it on held-out and on edited images, writes a run and
    its report.

    Example: diffex rules cells --model model --out rules
    """
    from diffex.explainers.claims import require_free_run
    from diffex.explainers.rules.config import FactorKind, RuleConfig
    from diffex.explainers.rules.explain import explain_rules
    from diffex.report import render_report

    _choice("--factors", factors, get_args(FactorKind))
    _choice("--engine", engine, tuple(_ENGINES))
    opened, fitted = open_for(images, model, classifier, common)
    wanted = target_of(opened, fitted.classifier, target)
    require_free_run(out, wanted, fitted.state_hash(), "rules")
    options: dict[str, Any] = {
        "factors": factors,
        "engines": _ENGINES[engine],
        "nodes": nodes,
        "attacks": attacks,
    }
    config = RuleConfig(target=wanted, seed=common.chosen_seed, force=force, **options)
    explanation = explain_rules(opened, fitted, config)
    explanation.save(out)
    render_report(out)
    emit_run(explanation, out, common)


def _choice(option: str, got: str, known: tuple[str, ...]) -> None:
    from diffex.base.errors import InputError

    if got not in known:
        raise InputError(f"{option} got {got!r}, expected one of {', '.join(known)}.")
