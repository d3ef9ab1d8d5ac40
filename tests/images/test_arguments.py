import pytest

from diffex.base.errors import InputError
from diffex.images import parse_columns, parse_where


def test_columns():
    assert parse_columns("path=file, label=label") == {"path": "file", "label": "label"}
    assert list(parse_columns("dna=p1,brightfield=p2")) == ["dna", "brightfield"]
    assert parse_columns("path=a=b") == {"path": "a=b"}


@pytest.mark.parametrize("text", ["", "path", "path=", "=file", "path=file,"])
def test_bad_columns(text):
    with pytest.raises(InputError, match=r"--columns got '.*', expected for example path=file"):
        parse_columns(text)


def test_where():
    assert parse_where(["split=train", "label=a,b"]) == {"split": ["train"], "label": ["a", "b"]}
    assert parse_where([]) == {}


def test_repeats_are_refused():
    with pytest.raises(InputError, match="--columns names 'path' twice"):
        parse_columns("path=a,path=b")
    with pytest.raises(InputError, match=r"--where names column 'a' twice.*write a=value,value"):
        parse_where(["a=1", "a=2"])


def test_bad_where():
    with pytest.raises(InputError, match="--where got 'split', expected for example split=train"):
        parse_where(["split"])
