"""The head of a run, ``explanation.json``: what it must say, and checking that it does."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffex.base.errors import FolderError

SCHEMA = 1


class Part(BaseModel):
    """A part of a run: later versions of a schema may add; what is here must be there and of its type."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=False)


class Accuracy(Part):
    """Balanced accuracy of the classifier with its interval, and over how many images."""

    value: float
    low: float
    high: float
    images: int


class ClassifierPart(Part):
    """Which classifier was explained."""

    address: str
    state_hash: str
    card: dict[str, Any]
    balanced_accuracy: Accuracy | None


class ModelPart(Part):
    """Which generator rendered the edits, and whether it was used against its gates."""

    address: str
    state_hash: str
    forced: bool


class GatePart(Part):
    """One gate: value, threshold and verdict. A value that is not finite is null, and has not passed."""

    name: str
    words: str
    value: float | None
    threshold: float
    at_least: bool
    passed: bool


class ImagesPart(Part):
    """What was explained."""

    source: str
    channel_names: list[str] = Field(min_length=1)
    value_range: tuple[float, float]
    dtype: str
    size: tuple[int, int]
    pixel_size_um: float | None


class Summary(Part):
    """Everything that ``explanation.json`` must say."""

    method: str
    target: str
    class_names: list[str]
    seed: int
    answer: list[str] = Field(min_length=1)
    classifier: ClassifierPart
    model: ModelPart
    gates: list[GatePart]
    images: ImagesPart
    counts: dict[str, Any]
    splits: dict[str, list[str]]
    unit: str
    labels_are_predictions: bool
    warnings: list[str]
    versions: dict[str, str]
    created: str


def check_summary(summary: Any, path: Path) -> None:
    """Refuse a head of another schema, or one that does not say what it must.

    Parameters
    ----------
    summary : object
        Content of ``explanation.json``.
    path : Path
        Named in the message.

    Raises
    ------
    FolderError
        If it is of another schema version, or something is missing or of another type.
    """
    if not isinstance(summary, dict) or "schema" not in summary:
        raise FolderError(f"{path} is damaged (it has no schema version): make the folder again.")
    if summary["schema"] != SCHEMA:
        raise FolderError(
            f"{path} is of schema {summary['schema']!r}, expected {SCHEMA}: "
            "read it with the version of diffex that wrote it, or make the run again."
        )
    try:
        Summary.model_validate(summary)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FolderError(f"{path} is damaged at {where} ({first['msg']}): make the folder again.") from error
