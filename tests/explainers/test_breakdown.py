import numpy as np
import pandas as pd
import pytest

from diffex.explainers.attributes import explain_attributes
from diffex.explainers.breakdown import breakdown


@pytest.fixture(scope="module")
def raced(tiny, new_cells, model):
    return explain_attributes(new_cells, model, tiny.config(q=0.9, search="race"))


@pytest.mark.parametrize("search", ["explained", "raced"])
def test_the_cells_of_a_row_make_its_effect(request, search):
    """Whatever was rendered: the estimating cells' effects average to the table's, by class and by group."""
    found = request.getfixturevalue(search)
    cells, judged = found.cells.set_index("id"), found.summary["splits"]["estimation"]
    verified = found.effects.merge(found.dose[["concept", "sign"]].drop_duplicates())
    assert len(verified)
    for row in verified.to_dict("records"):
        own = cells.loc[judged, f"effect_{row['concept']}"]
        assert own.mean() == pytest.approx(row["effect"], abs=1e-6), "of that sign"
        parts = found.breakdown[(found.breakdown["concept"] == row["concept"])]
        assert set(parts["sign"]) == {row["sign"]}
        for by, column in (("class", "label"), ("group", "group")):
            here = parts[parts["by"] == by].set_index("name")
            means = own.groupby(cells.loc[judged, column].astype(str)).mean()
            pd.testing.assert_series_equal(
                here["effect"].sort_index(), means.sort_index(), check_names=False, check_index_type=False
            )
            assert here["n"].sum() == len(judged)


def test_nothing_verified_and_no_groups(explained):
    cells = explained.cells.assign(group=None)
    judged = np.ones(len(cells), dtype=bool)
    empty = breakdown(cells, judged, [])
    assert not len(empty) and list(empty) == list(explained.breakdown)


def test_groups_of_one_image_are_not_shown(explained):
    from types import SimpleNamespace

    concept = explained.breakdown["concept"].iloc[0]
    one = SimpleNamespace(concept=SimpleNamespace(id=concept), sign=1)
    judged = np.ones(len(explained.cells), dtype=bool)
    single = explained.cells.assign(group=[f"w{i}" for i in range(len(explained.cells))])
    for cells in (single, explained.cells.assign(group=None)):
        assert set(breakdown(cells, judged, [one])["by"]) == {"class"}
