"""The card that lies beside a network's file."""

from pathlib import Path

from diffex.base.errors import ClassifierError
from diffex.classifiers.card import ClassifierCard, read_card


def side_card_path(path: Path) -> Path:
    """Name the card file of a network file.

    Parameters
    ----------
    path : Path
        For example ``net.pt2``.

    Returns
    -------
    Path
        Then ``net.card.json``, in the same folder.
    """
    return path.with_name(f"{path.stem}.card.json")


def read_side_card(path: Path) -> ClassifierCard:
    """Read the card beside a network file.

    Parameters
    ----------
    path : Path
        The network file.

    Returns
    -------
    ClassifierCard
        What its side file says.

    Raises
    ------
    ClassifierError
        If there is none, or it is no valid card.
    """
    side = side_card_path(path)
    if not side.is_file():
        raise ClassifierError(
            f"{path} has no card, expected {side.name} beside it: write there, for example, "
            '{"class_names": ["DMSO", "drug"], "size": [64, 64], "channels": 1, "value_range": [0, 1], '
            '"mean": 0.5, "std": 0.5}.'
        )
    return read_card(side)
