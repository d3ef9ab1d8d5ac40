import numpy as np
import pandas as pd
import pytest

from diffex.base.errors import InputError
from diffex.images import open_images

ROWS = """file,label,well,mask,split,dose,flag
a/1.png,drug,01,m/1.png,train,1,x
a/2.png,NA,01,m/2.png,train,0.5,y
a/3.png,drug,02,,test,2,z
"""
COLUMNS = {"path": "file", "label": "label", "group": "well", "mask": "mask"}


@pytest.fixture
def table(make):
    for i in (1, 2, 3):
        make.save(f"a/{i}.png", make.grey(i))
        make.save(f"m/{i}.png", make.grey(i) > 128)
    return make.table(ROWS)


def parquet(table):
    frame = pd.read_csv(table, keep_default_na=False, dtype={"well": str})
    frame.to_parquet(table.with_suffix(".parquet"))
    return table.with_suffix(".parquet")


@pytest.mark.parametrize("form", [lambda table: table, parquet])
def test_table_with_everything(make, table, form):
    images = open_images(form(table), columns=COLUMNS)
    assert images.ids == ("a/1.png", "a/2.png", "a/3.png")
    assert images.class_names == ("NA", "drug")
    assert images.labels.tolist() == [1, 0, 1]
    assert images.groups.tolist() == ["01", "01", "02"]
    assert list(images.table.columns) == ["split", "dose", "flag"]
    assert images.table["dose"].tolist() == [1, 0.5, 2]
    masks = images.read_masks()
    np.testing.assert_array_equal(masks[1], make.grey(2) > 128)
    assert not masks[2].any()


def test_path_defaults_and_nothing_else_does(table):
    images = open_images(table)
    assert (len(images), images.labels, images.groups, images.has_masks) == (3, None, None, False)
    table.write_text(ROWS.replace("file,", "path,"))
    assert open_images(table).ids[0] == "a/1.png"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"split": ["train"]}, [1, 2]),
        ({"split": ["train"], "label": ["drug"]}, [1]),
        ({"dose": ["1"]}, [1]),
        ({"dose": [1]}, [1]),
        ({"dose": ["2.0", "0.5"]}, [2, 3]),
        ({"well": ["01"]}, [1, 2]),
        ({"label": "NA"}, [2]),
    ],
)
def test_where_compares_as_text_and_as_numbers(table, where, expected):
    for form in (table, parquet(table)):
        images = open_images(form, columns=COLUMNS, where=where)
        assert images.ids == tuple(f"a/{i}.png" for i in expected)
        assert images.table.index.tolist() == list(range(len(expected)))
        assert images.read().shape[0] == len(expected)


def test_classes_are_those_of_the_rows_kept(table):
    assert open_images(table, columns=COLUMNS, where={"label": ["drug"]}).class_names == ("drug",)


def test_absent_columns_list_the_present_ones(table):
    message = r"cells\.csv has no column 'drug' \(for label\), expected one of: file, label, well"
    with pytest.raises(InputError, match=message):
        open_images(table, columns={"label": "drug"})
    with pytest.raises(InputError, match=r"no column 'nope' \(for --where\)"):
        open_images(table, where={"nope": ["1"]})
    table.write_text("image\na/1.png\n")
    with pytest.raises(InputError, match=r"no column 'path' \(for path file\), expected one of: image"):
        open_images(table)


def test_where_that_leaves_nothing(table):
    with pytest.raises(InputError, match=r"--where split=val leaves no rows .* such as: test, train"):
        open_images(table, where={"split": ["val"]})


def test_missing_values(table):
    table.write_text(ROWS.replace("a/3.png,drug", "a/3.png,"))
    with pytest.raises(InputError, match=r"has no label in column 'label' for 1 of 3 rows \(first: row 3\)"):
        open_images(table, columns=COLUMNS)
    assert len(open_images(table, columns=COLUMNS, where={"split": ["train"]})) == 2
    table.write_text(ROWS.replace("drug,02", "drug,"))
    with pytest.raises(InputError, match="has no group in column 'well' for 1 of 3 rows"):
        open_images(table, columns=COLUMNS)


def test_repeated_and_missing_files(table):
    table.write_text(ROWS.replace("a/2.png", "a/1.png"))
    with pytest.raises(InputError, match=r"lists a/1\.png more than once \(1 rows too many\)"):
        open_images(table)
    table.write_text(ROWS.replace("a/2.png", "a/9.png"))
    with pytest.raises(InputError, match=r"9\.png is missing, expected an image file"):
        open_images(table)


def test_masks_must_fit(make, table):
    make.save("m/2.png", make.grey(size=40) > 3)
    with pytest.raises(
        InputError, match=r"size of image and mask is mixed: .*2\.png has 32x32 px and .* 40x40"
    ):
        open_images(table, columns=COLUMNS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"\xff\xfe\x00bad"),
        ("a.csv", b"a,b\n1,2\n1,2,3,4\n"),
        ("a.csv", b"file,dose\n1.png,0,5\n2.png,1,5\n"),
        ("a.parquet", b"not parquet"),
        ("a.parquet", b""),
    ],
)
def test_unreadable_tables(make, name, content):
    (make.root / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} cannot be read as a table \(.*\), expected CSV .*save it"):
        open_images(make.root / name)


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_are_named(make, sign, name):
    text = f"file{sign}dose\r\n1.png{sign}0,5\r\n"
    with pytest.raises(InputError, match=rf"cells\.csv is separated by {name}, expected commas.*: save it"):
        open_images(make.table(text))


def test_table_without_rows(make):
    with pytest.raises(InputError, match=r"cells\.csv has no rows, expected one per image"):
        open_images(make.table("file,label\n"))


def test_byte_order_mark_and_absolute_paths(make):
    path = make.save("x/1.png", make.grey())
    images = open_images(make.table(f"\ufefffile,label\n{path},a\n"), columns={"label": "label"})
    assert images.ids == (path.as_posix(),)


def test_missing_numbers_of_parquet_are_missing_text(make):
    make.save("1.png", make.grey())
    frame = pd.DataFrame({"file": ["1.png"], "label": [float("nan")], "dose": [3.0]})
    frame.to_parquet(make.root / "cells.parquet")
    with pytest.raises(InputError, match="has no label in column 'label' for 1 of 1 rows"):
        open_images(make.root / "cells.parquet", columns={"label": "label"})
    assert open_images(make.root / "cells.parquet", columns={"label": "dose"}).class_names == ("3",)
