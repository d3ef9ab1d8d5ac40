import pytest
from pydantic import ValidationError

from diffex.base.errors import ClassifierError, FolderError
from diffex.classifiers.card import ClassifierCard, make_card, read_card, write_card

FIELDS = {"class_names": ["a", "b"], "size": [32, 48], "channels": 3}


def test_json_round_trip(tmp_path):
    card = make_card(FIELDS | {"mean": [0.1, 0.2, 0.3], "std": 0.25, "temperature": 1.5, "licence": "MIT"})
    write_card(card, tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == card
    assert card.std == (0.25, 0.25, 0.25)
    assert card.size == (32, 48)


def test_defaults_are_spread_over_channels():
    card = make_card(FIELDS)
    assert card.mean == card.std == (0.5, 0.5, 0.5)
    assert card.value_range == (0, 1)
    assert card.temperature == 1


def test_card_is_frozen():
    with pytest.raises(ValidationError):
        make_card(FIELDS).channels = 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class_names": ["a"]}, "at least 2"),
        ({"class_names": ["a", "a"]}, "duplicates"),
        ({"size": [0, 3]}, "positive height"),
        ({"channels": 0}, "at least 1"),
        ({"value_range": [1, 1]}, "low < high"),
        ({"mean": [0.1, 0.2]}, "mean got 2 values for 3 channels"),
        ({"std": 0}, "positive numbers"),
        ({"std": [1, 2]}, "std got 2 values"),
        ({"channel_names": ["dna"]}, "1 names for 3 channels"),
        ({"temperature": 0}, "temperature"),
        ({"interpolation": "magic"}, "interpolation"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"channels": "three"}, "channels"),
    ],
)
def test_contradictions_are_refused_in_one_sentence(change, words):
    with pytest.raises(ClassifierError, match=words) as caught:
        make_card(FIELDS | change, "net.card.json")
    assert str(caught.value).startswith("net.card.json cannot be used")
    assert "\n" not in str(caught.value)


def test_missing_field_is_named():
    with pytest.raises(ClassifierError, match="size"):
        make_card({"class_names": ["a", "b"], "channels": 1})


def test_bad_files(tmp_path):
    with pytest.raises(FolderError, match="missing"):
        read_card(tmp_path / "none.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ClassifierError, match="expected an object"):
        read_card(tmp_path / "list.json")


def test_direct_construction_takes_one_number():
    card = ClassifierCard(class_names=("a", "b"), size=(8, 8), channels=2, mean=0.3, std=(0.2,))
    assert card.mean == (0.3, 0.3)
    assert card.std == (0.2, 0.2)
