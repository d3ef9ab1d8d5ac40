"""The cells as an AnnData file, which scanpy and its kin open; the only importer of anndata."""

import importlib.util
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from diffex.base.errors import MissingPartError
from diffex.base.files import plain


def can_annotate() -> bool:
    """Say whether the package anndata is installed.

    Returns
    -------
    bool
        True where it is.
    """
    return importlib.util.find_spec("anndata") is not None


def write_annotated(
    path: Path,
    codes: NDArray[np.float32],
    weights: pd.DataFrame,
    cells: pd.DataFrame,
    scores: pd.DataFrame,
    notes: Mapping[str, Any],
) -> None:
    """Write cells as AnnData: codes in ``X``, columns in ``obs``, scores in ``obsm``, weights in ``varm``.

    Parameters
    ----------
    path : Path
        A ``.h5ad`` file; not atomic.
    codes : ndarray, shape (n, d)
        ``X``; its variables are ``code_0`` and so on.
    weights : DataFrame, shape (d, k)
        ``varm["scores"]``: what turns codes, less their control mean, into scores; controls
        themselves are read by weights of the other controls.
    cells : DataFrame
        ``obs``; its column ``id`` becomes the index.
    scores : DataFrame, shape (n, k)
        ``obsm["scores"]``, columns as of `weights`; their names are in ``uns``.
    notes : mapping
        ``uns["diffex"]``; tables as they are, all else as JSON text.

    Raises
    ------
    MissingPartError
        If anndata is not installed.
    """
    if not can_annotate():
        raise MissingPartError(
            "An AnnData file needs anndata, which is not installed: pip install 'diffex[anndata]'."
        )
    import anndata

    obs = _written(cells.drop(columns="id"))
    obs.index = _texts(cells["id"])
    kept = {
        name: _written(value) if isinstance(value, pd.DataFrame) else json.dumps(plain(value))
        for name, value in notes.items()
    }
    made = anndata.AnnData(
        X=codes,
        obs=obs,
        var=pd.DataFrame(index=_texts([f"code_{k}" for k in range(codes.shape[1])])),
        obsm={"scores": scores.to_numpy(dtype=np.float64)},
        varm={"scores": weights.to_numpy(dtype=np.float64)},
        uns={"diffex": {"score_names": np.array(scores.columns, dtype=object), **kept}},
    )
    made.write_h5ad(path)


def _written(table: pd.DataFrame) -> pd.DataFrame:
    """Turn text into categories of plain objects: not every anndata can write the text of newer pandas."""
    columns = {
        # a slash would open a group of its own in the file
        str(name).replace("/", "_"): table[name].to_numpy()
        if is_numeric_dtype(table[name])
        else _categories(table[name])
        for name in table.columns
    }
    made = pd.DataFrame(columns)
    made.columns = _texts(columns)
    return made


def _categories(column: "pd.Series[Any]") -> pd.Categorical:
    missing = column.isna().to_numpy()
    codes, names = pd.factorize(column.astype(str).to_numpy(dtype=object))
    names = np.asarray(names, dtype=object)
    return pd.Categorical.from_codes(np.where(missing, -1, codes), categories=pd.Index(names, dtype=object))


def _texts(names: Iterable[str]) -> "pd.Index[Any]":
    made: pd.Index[Any] = pd.Index(np.array([str(name) for name in names], dtype=object), dtype=object)
    return made
