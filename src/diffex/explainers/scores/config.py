"""Configuration of scoring cells."""

from pydantic import BaseModel, ConfigDict, Field


class ScoreConfig(BaseModel):
    """What is read off each cell.

    Parameters
    ----------
    top : int
        How many of the run's significant attributes are scored, by rank.
    effects : bool
        Whether to give, besides where a cell stands, how much each attribute would move its own logit
        margin. This takes a gradient per cell, about seven times as long as all else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    top: int = Field(default=10, ge=1)
    effects: bool = False
