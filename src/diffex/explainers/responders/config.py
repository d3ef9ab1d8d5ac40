"""Configuration of the question which cells respond."""

from pydantic import BaseModel, ConfigDict, Field


class ResponderConfig(BaseModel):
    """How doses, controls and wells are found among the columns of the images, and what is asked of them.

    Columns are those of the images' table, or ``label`` and ``group`` for what was opened as these.

    Parameters
    ----------
    dose : str, optional
        Column of doses or times, 0 for controls; without, one treated condition is compared with controls.
    control : str, optional
        The control cells, ``COLUMN=VALUE[,VALUE]`` or a value of ``label``; they count as dose 0. Default:
        dose 0, or of two classes the one that the run does not explain.
    positive : str, optional
        Cells that surely respond, in the same form, for example a saturating dose; responders are learnt
        from them, and they are not part of the series.
    group : str, optional
        Column of the unit of replication, a well as a rule; default the images' groups.
    top : int
        How many of the run's significant attributes are followed.
    repeats : int
        Resamples of each kind in the search for responders.
    seed : int
        Of everything random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dose: str | None = None
    control: str | None = None
    positive: str | None = None
    group: str | None = None
    top: int = Field(default=3, ge=1)
    repeats: int = Field(default=300, ge=20)
    seed: int = 0
