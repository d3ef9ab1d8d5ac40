"""The demo: simulated cells, a shipped classifier with a planted rule, and whether we find the rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar, final

import numpy as np
import torch

from diffex.base.noise import derive_seed
from diffex.effects.arrays import FloatArray
from diffex.explainers.attributes import explain_attributes
from diffex.explainers.config import AttributeConfig
from diffex.explainers.naming import measure_like
from diffex.generators.model import Model, open_model
from diffex.images import Images, PlantedCells
from diffex.images.planted_labels import InteractionRule, LabelRule, LinearRule, ShortcutRule, ThresholdRule
from diffex.measurements import nucleus_channel
from diffex.runs import Explanation, write_run

Name = TypeVar("Name")

SHIPPED_RULES: dict[str, LabelRule] = {
    "linear": LinearRule({"nucleus_area": 1.0, "puncta_number": 0.8, "cytoplasm_intensity": -0.6}),
    "threshold": ThresholdRule("nucleus_eccentricity", 0.5),
    "interaction": InteractionRule("nucleus_intensity", "puncta_intensity", main=0.7),
    "shortcut": ShortcutRule("cell_area", "debris", 0.9),
}
PLANTED: dict[str, dict[str, int]] = {
    "linear": {"nucleus_area": 1, "puncta_number": 1, "cytoplasm_intensity": -1},
    "threshold": {"nucleus_eccentricity": 1},
    "interaction": {"nucleus_intensity": 1, "puncta_intensity": 1},
    "shortcut": {"cell_area": 1, "debris": 1},
}
TARGET = "treated"
_CELLS = 400


@final
@dataclass(frozen=True)
class Finding:
    """A planted factor, and what follows it best of all that was found.

    Parameters
    ----------
    factor : str
        One of the simulator's.
    attribute : str
        Name of the significant attribute whose score follows the factor best; empty where there is none.
    rank : int
        Its rank; 0 where there is none.
    correlation : float
        Of attribute score and factor over the cells, signed as planted: positive is right.
    quantity : str
        The measurement that the classifier significantly follows, the others held, and that goes along with
        the factor best; empty where there is none.
    along : float
        Correlation of measurement and factor, signed as the classifier follows it and as planted.
    """

    factor: str
    attribute: str
    rank: int
    correlation: float
    quantity: str = ""
    along: float = 0.0

    @property
    def found(self) -> bool:
        """Whether a significant attribute or quantity follows the factor, in the planted direction."""
        return max(self.correlation, self.along) >= 0.5


def shipped_model(rule: str, device: torch.device) -> Model:
    """Open the shipped generator with the classifier of one rule.

    Parameters
    ----------
    rule : {"shortcut", "linear", "threshold", "interaction"}
        What was planted.
    device : torch.device
        Where to put it.

    Returns
    -------
    Model
        With its gates.
    """
    return open_model(Path(str(files("diffex"))) / "shipped" / rule, device)


def demo_cells(rule: str, seed: int, count: int = _CELLS) -> Images:
    """Simulate cells that neither generator nor classifier has seen.

    Parameters
    ----------
    rule : str
        Of `SHIPPED_RULES`.
    seed : int
        Of the cells.
    count : int
        How many.

    Returns
    -------
    Images
        Labelled by the rule, with their factors in the table.
    """
    return PlantedCells().images(count, derive_seed("demo", seed) % 2**20, rule=SHIPPED_RULES[rule])


def run_demo(seed: int, out: Path, device: torch.device) -> tuple[str, Explanation, tuple[Finding, ...]]:
    """Explain one of the shipped classifiers and compare with what was planted.

    Parameters
    ----------
    seed : int
        Chooses the rule (seed modulo 4) and the cells.
    out : Path
        Run folder.
    device : torch.device
        Where to compute.

    Returns
    -------
    (str, Explanation, tuple of Finding)
        Name of the rule, result, and one finding per planted factor. Where the shipped generator fails a gate
        for this classifier, it is used all the same, and the result says so.
    """
    rule = tuple(SHIPPED_RULES)[seed % len(SHIPPED_RULES)]
    images = demo_cells(rule, seed)
    model = shipped_model(rule, device)
    config = AttributeConfig(
        target=TARGET, images=96, concepts=60, shown=4, seed=seed, force=not model.passed
    )
    explanation = explain_attributes(images, model, config)
    write_run(explanation, out)
    return rule, explanation, findings(explanation, images, rule)


def findings(explanation: Explanation, images: Images, rule: str) -> tuple[Finding, ...]:
    """Compare the significant attributes and quantities with the planted factors.

    Parameters
    ----------
    explanation : Explanation
        Of simulated cells.
    images : Images
        Those cells, with their factors in the table.
    rule : str
        Of `SHIPPED_RULES`.

    Returns
    -------
    tuple of Finding
        One per planted factor.
    """
    position = {name: i for i, name in enumerate(images.ids)}
    rows = [position[name] for name in explanation.cells["id"]]
    codes = explanation.cells.filter(regex=r"^code_\d+$").to_numpy()
    effects = explanation.effects
    good = effects[effects["significant"] & (effects["kind"] != "random")]
    scores = {
        (row["words"], int(row["rank"])): codes
        @ (row["sign"] * explanation.directions[row["concept"]].numpy())
        for row in good.to_dict("records")
    }
    followed = _followed(explanation, images.subset(np.array(rows)))
    found = []
    for factor, sign in PLANTED[rule].items():
        values = sign * images.table[f"factor_{factor}"].to_numpy()[rows]
        (attribute, rank), correlation = _best(values, scores, ("", 0))
        quantity, along = _best(values, followed, "")
        found.append(Finding(factor, attribute, rank, correlation, quantity, along))
    return tuple(found)


def _followed(explanation: Explanation, cells: Images) -> dict[str, FloatArray]:
    """What the classifier significantly follows, measured on cells, signed as it follows it."""
    table = explanation.drivers
    if table is None or not table["significant"].any():
        return {}
    channel = nucleus_channel(cells.channel_names)
    measured = measure_like(cells, cells.read(), np.arange(len(cells)), 0 if channel is None else channel)
    sure = table[table["significant"]].to_dict("records")
    return {row["words"]: np.sign(row["effect"]) * measured[row["quantity"]].to_numpy() for row in sure}


def _best(values: FloatArray, scores: Mapping[Name, FloatArray], nothing: Name) -> tuple[Name, float]:
    """What follows some values best, and its correlation with them; nothing where none rises with them."""
    best = nothing, 0.0
    for name, score in scores.items():
        correlation = float(np.corrcoef(values, score)[0, 1])
        if correlation > best[1]:
            best = name, correlation
    return best
