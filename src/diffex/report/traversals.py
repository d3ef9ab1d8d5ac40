"""What learnt factors look like: one strip per factor, moved alone."""

from diffex.report.pictures import Figure, Strip, plain_strips, scale_words
from diffex.runs import Explanation

_COLUMNS = (("-2 sd", ""), ("-1 sd", ""), ("mean", ""), ("+1 sd", ""), ("+2 sd", ""))


def traversal_figure(explanation: Explanation) -> Figure | None:
    """Draw the factors that formulas read, each from low to high.

    Parameters
    ----------
    explanation : Explanation
        Of a run.

    Returns
    -------
    Figure or None
        A strip per factor; None where factors were not learnt from the images.
    """
    pictures = explanation.examples.get("traversals")
    if pictures is None or not len(pictures):
        return None
    names = [str(name) for name in explanation.examples["factors"]]
    caption = (
        "Each learnt factor moved alone from the mean code, rendered by the decoder that it was learnt with "
        f"(blurred: it gives mean images, objects in one pose). {scale_words(explanation)}"
    )
    strips = tuple(
        Strip(name, address, f"{name} from low to high, other factors held")
        for name, address in zip(names, plain_strips(explanation, pictures), strict=True)
    )
    return Figure(caption, _COLUMNS, strips)
