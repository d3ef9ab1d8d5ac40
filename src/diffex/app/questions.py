"""What a page may ask, checked at the border; cells are named by position, never by path."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

CellName = Annotated[str, Field(pattern=r"^(run|drop)-[0-9]{1,9}$")]
PageName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Number = Annotated[int, Field(ge=0, lt=2**53)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Order = Literal["target", "other", "unsure", "wrong", "unusual", "disputed"]


class EditQuestion(BaseModel):
    """Change one cell along several attributes.

    Parameters
    ----------
    page : str
        Which page asks; of each page only the latest question is answered.
    number : int
        Grows with every question of the page.
    cell : str
        ``run-3`` is the fourth cell of the run, ``drop-0`` the first image that was dropped.
    strengths : tuple of float
        One per slider, in their order; cut to what the slider allows.
    full : bool, default False
        At full depth, as the run's own pictures, instead of few steps.
    channel : int, optional
        Show one channel; default all in colour.
    form : {"pictures", "pixels"}, default "pictures"
        Ready to show, or grey values for a program that shows them itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    page: PageName
    number: Number
    cell: CellName
    strengths: Annotated[tuple[Finite, ...], Field(max_length=64)] = ()
    full: bool = False
    channel: Annotated[int, Field(ge=0, lt=1024)] | None = None
    form: Literal["pictures", "pixels"] = "pictures"


class JobQuestion(BaseModel):
    """Find the smallest change that flips a cell.

    Parameters
    ----------
    cell : str
        As in `EditQuestion`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: CellName


class CellsQuestion(BaseModel):
    """Which cells to list.

    Parameters
    ----------
    order : {"target", "other", "unsure", "wrong", "unusual"}
        Most like the target first, least like it, nearest to the border, most surely against the label, or
        farthest from the cells that the generator was fitted on.
    label : str, optional
        Only cells of this class; empty for any.
    page : int, default 1
        Which page of the list.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: Order = "target"
    label: Annotated[str, Field(max_length=500)] | None = None
    page: Annotated[int, Field(ge=1, le=10**7)] = 1
