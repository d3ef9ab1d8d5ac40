import re
from collections import Counter

import pytest

from diffex.measurements import nucleus_channel, quantities


def test_names_and_words_of_a_nuclear_set():
    words = {q.name: q.words for q in quantities(["FKHR", "DNA"], 0.65)}
    assert words["log2_nucleus_ring_fkhr"] == "nucleus/ring ratio of FKHR"
    assert words["area_um2"] == "nucleus area"
    assert words["puncta_count_fkhr"] == "puncta count in FKHR"
    promised = (
        "eccentricity nucleus_mean_fkhr ring_mean_fkhr sd_nucleus_fkhr granularity_fkhr "
        "puncta_spread_fkhr_um total_dna edge_contrast_dna background_mean_dna texture_contrast_dna "
        "centroid_offset correlation_fkhr_dna corner_mean_dna background_gradient_dna"
    )
    assert set(promised.split()) <= set(words)


def test_without_a_nuclear_stain_the_object_is_an_object():
    found = quantities(["red", "green"])
    assert "log2_object_ring_red" in {q.name for q in found}
    assert not any("nucle" in q.name + q.words for q in found)


@pytest.mark.parametrize("pixel_size_um", [None, 0.5])
def test_units_follow_the_pixel_size(pixel_size_um):
    units = {q.name: q.unit for q in quantities(["DNA"], pixel_size_um)}
    if pixel_size_um is None:
        assert units["area_px"] == units["major_axis_px"] == units["puncta_spread_dna_px"] == "px"
    else:
        assert units["area_um2"] == "um2"
        assert units["major_axis_um"] == units["puncta_spread_dna_um"] == "um"


@pytest.mark.parametrize("names", [["a", "b_c", "a_b", "c"], ["核", "ch0", "", "A", "a"], ["DNA"], []])
def test_names_are_unique_and_fit_a_column(names):
    found = [q.name for q in quantities(names)]
    assert max(Counter(found).values()) == 1
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", name) for name in found)


def test_counts_of_quantities():
    assert [len(quantities([str(i) for i in range(c)])) for c in (0, 1, 2, 3)] == [8, 25, 43, 62]


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["GFP", "Hoechst 33342"], 1), (["DAPI"], 0), (["nucleoli"], None), (["brightfield", "cell"], None)],
)
def test_the_nuclear_channel_is_found_by_name(names, expected):
    assert nucleus_channel(names) == expected
