"""Configuration of the semantic method."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from diffex.measurements import View

_SIZE, _FIELD_SIZE = 0.4, 0.7  # objects that come and go change more pixels than one that changes its looks


class SemanticConfig(BaseModel):
    """How phrases are edited into images, searched, tested and shown.

    Parameters
    ----------
    target : str
        The class whose logit margin is explained.
    view : {"cell", "field"}
        What an image shows: one object in its middle, or several anywhere. Edits are checked by measurements
        of it.
    images : int
        How many of the given images are edited, balanced over classes.
    steps : int
        Noise levels of an edit; an edit costs two evaluations for each.
    reach : float, optional
        How far images are noised, as a share of the model's schedule; default what suits the model, in fields
        at least 0.65: what lies where is settled at high noise.
    guidance : float
        Of an edit of strength 1, before phrases are brought to one size of change.
    size : float
        Of the change at strength 1, the same for all phrases, as a share of the root mean square difference
        of two images; default 0.4, in fields 0.7.
    strengths : tuple of float
        At which the best phrases are shown.
    search : {"race", "rank", "exact"}
        Edit phrases on few images first and go on with those that may matter; or only until the order of the
        best is plain, at about a fifth of the edits: then nothing is called; or all on all images.
    controls : int
        Random mixtures of phrases that are edited into 16 images beside the phrases of a small tree: they
        tell what any edit does besides what it says, and are not tested; 0 for none.
    top : int
        How many of the best phrases are measured in full and shown.
    q : float
        False discovery rate, controlled over the tree.
    on_target : float
        An edit has happened if the measurement that it names moves by this much, in standard deviations.
    ratio : float
        An edit leaks if that is less than this many times the mean change of other measurements.
    least_effect : float
        Effects that may be smaller than this are not called, in standard deviations of the margin.
    shown : int
        Images in the report.
    seed : int
        Of samples and noise.
    force : bool
        Explain although a gate failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    view: View = "cell"
    images: int = Field(default=32, ge=12)
    steps: int = Field(default=10, ge=1)
    reach: float | None = Field(default=None, gt=0, le=1)
    guidance: float = Field(default=3.0, gt=0)
    size: float = Field(default=_SIZE, gt=0)
    strengths: tuple[float, ...] = (0.5, 1.0, 1.5)
    search: Literal["race", "rank", "exact"] = "race"
    controls: int = Field(default=16, ge=0)
    top: int = Field(default=6, ge=1)
    q: float = Field(default=0.05, gt=0, lt=1)
    on_target: float = Field(default=0.3, gt=0)
    ratio: float = Field(default=2.0, gt=0)
    least_effect: float = Field(default=0.2, ge=0)
    shown: int = Field(default=6, ge=1)
    seed: int = 0
    force: bool = False

    @model_validator(mode="before")
    @classmethod
    def _fill_size(cls, given: dict[str, Any]) -> dict[str, Any]:
        usual = {"size": _FIELD_SIZE} if given.get("view") == "field" else {}
        return {**usual, **given}
