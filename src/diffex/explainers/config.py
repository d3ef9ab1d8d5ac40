"""Configuration of the attribute method."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from diffex.concepts import SOURCES

Search = Literal["exact", "race", "gradient"]
"""Render all edits; race over images; render the first-order best alone."""


class AttributeConfig(BaseModel):
    """How attributes are sought, tested and shown.

    Parameters
    ----------
    target : str
        The class whose logit margin is explained.
    images : int
        How many of the given images are edited, balanced over classes; the rest helps to propose concepts.
    concepts : int
        Size of the pool before near duplicates are merged, random directions included.
    kinds : tuple of str
        Sources of concepts.
    search : {"exact", "race", "gradient"}
        Which edits are rendered: all; those that may be among the best, by a race over images (the default:
        a quarter of the evaluations, the same leading rows, docs/notes/0009); those with the largest
        first-order effects. What is left out counts as tested, with p = 1.
    top : int
        How many of the best attributes are verified, measured, shown.
    q : float
        False discovery rate.
    strengths : tuple of float
        Two or more, ascending, at which the best are verified; `max_strength` is one of them.
    verify_depth : int
        Network evaluations per image of the verification.
    verify_images : int
        Images of the estimation half that are verified.
    shown : int
        Cells in the report.
    drivers : bool
        Whether to tell, too, which measured quantities the classifier follows when all are moved at random.
    seed : int
        Of samples, noise and nulls.
    force : bool
        Explain although a gate failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    images: int = Field(default=256, ge=24)
    concepts: int = Field(default=100, ge=10)
    kinds: tuple[str, ...] = tuple(SOURCES)
    search: Search = "race"
    top: int = Field(default=5, ge=1)
    q: float = Field(default=0.05, gt=0, lt=1)
    strengths: tuple[float, ...] = Field(default=(0.5, 1.0, 1.25, 1.5, 2.0, 3.0), min_length=2)
    verify_depth: int = Field(default=4, ge=1)
    verify_images: int = Field(default=64, ge=8)
    shown: int = Field(default=6, ge=1)
    drivers: bool = True
    seed: int = 0
    force: bool = False
