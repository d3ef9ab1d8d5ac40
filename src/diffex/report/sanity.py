"""Whether the explanation depends on its classifier, ready to show."""

from dataclasses import dataclass
from typing import final

from diffex.report.numbers import number
from diffex.runs import Salvaged
from diffex.runs.sanity import SANITY

_NOT_ASKED = (
    "Whether the explanation depends on the classifier at all: not asked; run diffex doctor --sanity, then "
    "diffex report."
)


@final
@dataclass(frozen=True)
class SanityPanel:
    """What became of the question.

    Parameters
    ----------
    sentence : str
        The verdict, or that nobody asked.
    depends : bool
        Whether it does; True where nobody asked.
    rows : tuple of (str, str)
        Other classifiers, and how far their effects agree with those explained; none where nobody asked.
    """

    sentence: str
    depends: bool
    rows: tuple[tuple[str, str], ...]


def sanity_panel(found: Salvaged) -> SanityPanel | None:
    """Lay out the check.

    Parameters
    ----------
    found : Salvaged
        The run.

    Returns
    -------
    SanityPanel or None
        None where the method knows no such check, or it could not be read.
    """
    kept = found.sanity
    if kept is not None:
        rows = tuple((row["classifier"], number(row["agreement"])) for row in kept["table"])
        return SanityPanel(kept["sentence"], kept["depends"], rows)
    asked_of = found.explanation.summary["method"] == "attributes"
    return SanityPanel(_NOT_ASKED, True, ()) if asked_of and found.has(SANITY) else None
