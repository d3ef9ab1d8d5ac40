import dataclasses

import pytest

from diffex.measurements.quantity import Quantity, channel_slugs, slug, unique


def test_a_quantity_cannot_be_changed():
    quantity = Quantity("area_px", "object area", "px", "size", True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        quantity.name = "other"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("FKHR", "fkhr"), ("Müller Dye #2", "muller_dye_2"), ("__a--b__", "a_b"), ("核", ""), ("", "")],
)
def test_slugs_are_lower_case_ascii(text, expected):
    assert slug(text) == expected


def test_repeated_and_foreign_channel_names_stay_apart():
    assert channel_slugs(["a", "A", "核", "ch2", "a_2"]) == ("a", "a_2", "ch2", "ch2_2", "a_2_2")


def test_unique_names_keep_their_order():
    assert unique(["b", "a", "b", "b"]) == ("b", "a", "b_2", "b_3")
