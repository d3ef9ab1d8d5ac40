"""Measurements of a user's own."""

import numpy as np
import pandas as pd
import pytest
import torch

from diffex.base.errors import InputError
from diffex.measurements import OwnMeasurement, with_own

X = torch.arange(24.0).view(2, 3, 2, 2)


def test_a_column_is_added_for_each():
    top = OwnMeasurement("top_of_it", lambda x: x.max(axis=(1, 2, 3)))
    table = with_own(pd.DataFrame({"area_px": [1.0, 2.0]}), X, [top])
    assert table["top_of_it"].tolist() == [11.0, 23.0]
    assert list(table.columns) == ["area_px", "top_of_it"]
    assert top.quantity.words == "top of it"
    assert with_own(table, X, []) is table


@pytest.mark.parametrize("name", ["", "Two words", "a-b", "_a"])
def test_a_name_has_to_be_a_column(name):
    with pytest.raises(InputError, match="expected lower case letters"):
        OwnMeasurement(name, len)


def test_a_column_that_is_there_is_not_replaced():
    with pytest.raises(InputError, match="area_px is in diffex already"):
        with_own(pd.DataFrame({"area_px": [1.0, 2.0]}), X, [OwnMeasurement("area_px", len)])


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (len, r"gave shape \(\)"),
        (lambda x: x.max(axis=1), r"gave shape \(2, 2, 2\)"),
        (lambda x: np.full(len(x), np.nan), "numbers that are not finite"),
        (lambda x: x.nothing, r"failed on images of \(2, 3, 2, 2\): AttributeError"),
    ],
)
def test_what_a_function_gives_is_checked(function, words):
    with pytest.raises(InputError, match=words):
        OwnMeasurement("mine", function).read(X)
