"""The columns that images came with, beside new ones."""

from collections.abc import Collection

import pandas as pd

from diffex.images import Images


def kept_columns(images: Images, taken: Collection[str]) -> pd.DataFrame:
    """Give the images' own columns, text as text.

    Parameters
    ----------
    images : Images
        With their table.
    taken : collection of str
        Names that the new columns have; columns of these names get ``(table)`` behind.

    Returns
    -------
    DataFrame
        A row per image.
    """
    kept = images.table.rename(columns=lambda name: f"{name} (table)" if name in taken else str(name))
    texts = kept.select_dtypes(exclude=["number", "bool"]).columns
    return kept.assign(**{name: kept[name].astype(str).where(kept[name].notna()) for name in texts})
