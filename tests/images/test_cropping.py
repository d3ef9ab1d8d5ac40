"""Crops of cells from whole fields: places, masks, tables, and what bad input gets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from diffex.base.errors import FolderError, InputError
from diffex.images import CropRequest, crop_field, crop_fields, locate_cells, open_images
from diffex.images.decoding import read_stored
from diffex.images.ome_writing import write_ome_tiff, write_ome_zarr

NAMES = ("DNA", "actin")


@pytest.fixture
def plate(make, tmp_path):
    """Two OME-TIFF fields, their label images, and CellProfiler's two tables of them."""
    images, nuclei = [], []
    for number, (name, (pixels, labels)) in enumerate(make.fields().items(), start=1):
        (tmp_path / "fields").mkdir(exist_ok=True)
        write_ome_tiff(tmp_path / "fields" / f"{name}.ome.tif", pixels, NAMES, 0.5)
        make.save(f"labels/{name}_cp_masks.png", labels)
        images.append(
            {"ImageNumber": number, "FileName_all": f"fields/{name}.ome.tif", "Metadata_Well": name}
        )
        for cell, y, x in locate_cells(labels)[["cell", "y", "x"]].itertuples(index=False):
            place = {"Location_Center_X": x, "Location_Center_Y": y}
            nuclei.append({"ImageNumber": number, "ObjectNumber": cell, **place, "AreaShape_Area": 99})
    pd.DataFrame(images).to_csv(tmp_path / "Image.csv", index=False)
    pd.DataFrame(nuclei).to_csv(tmp_path / "Nuclei.csv", index=False)
    return tmp_path


def by_labels(plate, **options):
    return CropRequest((plate / "fields",), (plate / "labels",), size=28, **options)


def opened(out, mask=True):
    columns = {"path": "path", "group": "field"} | ({"mask": "mask"} if mask else {})
    return open_images(out / "cells.csv", columns=columns)


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("size", [28, 29])
def test_windows_are_cut_where_they_should(make, size):
    pixels, labels = make.fields(1)["A01"]
    crops = crop_field(pixels, locate_cells(labels), size, labels=labels)
    assert crops.table["cell"].tolist() == [2, 3, 4]  # the first touches the edge
    top, left = 40 - size // 2, 40 - size // 2
    np.testing.assert_array_equal(crops.pixels[0], pixels[:, top : top + size, left : left + size])
    np.testing.assert_array_equal(crops.masks[0], labels[top : top + size, left : left + size] == 2)
    assert crops.pixels.dtype == pixels.dtype


def test_a_store_holds_the_same_cells(plate):
    crop_fields(by_labels(plate), plate / "files")
    result = crop_fields(by_labels(plate, store=True), plate / "out")
    assert {path.name for path in (plate / "out").iterdir()} == {"cells.zarr", "crop.json"}
    assert (result.cells, result.columns) == (plate / "out" / "cells.zarr", "group=field")
    files, store = opened(plate / "files"), open_images(result.cells, columns={"group": "field"})
    assert store.read().equal(files.read()) and store.read_masks().equal(files.read_masks())
    assert store.ids == files.ids and store.groups.tolist() == files.groups.tolist()
    assert (store.channel_names, store.dtype, store.pixel_size_um) == (NAMES, "uint16", 0.5)
    assert store.table.columns.tolist() == files.table.columns.tolist()


def test_padding_takes_the_median(make):
    pixels, labels = make.fields(1)["A01"]
    crops = crop_field(pixels, locate_cells(labels), 28, labels=labels, border="pad")
    assert crops.table["at_border"].tolist() == [True, False, False, False]
    assert (crops.pixels[0, 1, :9] == np.quantile(pixels[1], 0.5, method="lower")).all()
    np.testing.assert_array_equal(crops.pixels[0, :, 9:], pixels[:, :19, 46:74])
    assert crops.masks[0].sum() == (labels == 1).sum()


def test_a_field_without_cells(make):
    pixels, labels = make.fields(1)["A01"]
    crops = crop_field(pixels, locate_cells(labels * 0), 28, labels=labels * 0)
    assert (crops.pixels.shape, crops.masks.shape, len(crops.table)) == ((0, 2, 28, 28), (0, 28, 28), 0)


def test_the_folder_opens_as_images(plate):
    result = crop_fields(by_labels(plate), plate / "out")
    images = opened(plate / "out")
    assert (images.channel_names, images.dtype, images.pixel_size_um) == (NAMES, "uint16", 0.5)
    assert images.groups.tolist() == ["A01"] * 3 + ["A02"] * 3
    assert images.ids[0] == "crops/A01/00002.ome.tif"
    assert (result.skipped, result.cut, result.warnings) == (2, 0, ())
    assert images.read_masks().sum((1, 2)).tolist() == [99] * 6
    assert sorted(path.name for path in (plate / "out").iterdir()) == [
        "cells.csv",
        "crop.json",
        "crops",
        "masks",
    ]


def test_cellprofilers_tables_give_the_same_crops(plate):
    crop_fields(by_labels(plate), plate / "a")
    columns = {"path": "FileName_all"}
    request = CropRequest((plate / "Image.csv",), centroids=plate / "Nuclei.csv", size=28, columns=columns)
    result = crop_fields(request, plate / "b")
    np.testing.assert_array_equal(opened(plate / "a").read(), opened(plate / "b", mask=False).read())
    assert result.table["Metadata_Well"].tolist() == ["A01"] * 3 + ["A02"] * 3
    assert {"AreaShape_Area", "ImageNumber"} < set(result.table.columns)
    assert result.columns == "path=path,group=Metadata_Well"


def test_pycytominers_parquet(plate):
    nuclei = pd.read_csv(plate / "Nuclei.csv")
    names = nuclei.pop("ImageNumber").map({1: "A01.ome.tif", 2: "A02.ome.tif"})
    nuclei = nuclei.rename(columns=lambda name: f"Nuclei_{name}").assign(
        Image_FileName_DNA=names, Metadata_dose=3.5
    )
    nuclei.to_parquet(plate / "cells.parquet")
    request = CropRequest((plate / "fields",), centroids=plate / "cells.parquet", size=28)
    table = crop_fields(request, plate / "out").table
    assert table["cell"].tolist() == [2, 3, 4] * 2
    assert (table["Metadata_dose"] == 3.5).all()


def test_zarr_fields_with_labels_inside(plate, make):
    crop_fields(by_labels(plate), plate / "a")
    for name, (pixels, labels) in make.fields().items():
        write_ome_zarr(plate / "zarr" / f"{name}.zarr", pixels, NAMES, 0.5)
        write_ome_zarr(plate / "zarr" / f"{name}.zarr" / "labels" / "cells", labels[None], ["cells"])
    crop_fields(CropRequest((plate / "zarr",), ("cells",), size=28), plate / "b")
    np.testing.assert_array_equal(opened(plate / "a").read(), opened(plate / "b").read())
    np.testing.assert_array_equal(opened(plate / "a").read_masks(), opened(plate / "b").read_masks())
    with pytest.raises(InputError, match=r"got nuclei, .* in .*A01\.zarr, expected one .*\(here: cells\)"):
        crop_fields(CropRequest((plate / "zarr",), ("nuclei",), size=28), plate / "c")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32"])
def test_stored_numbers_are_kept(make, tmp_path, dtype):
    pixels, labels = make.fields(1, dtype)["A01"]
    pixels = pixels * np.array(16_777_217 if dtype == "uint32" else 1, dtype=dtype)  # more than float32 holds
    tifffile.imwrite(tmp_path / "A01.tif", pixels, photometric="minisblack")
    make.save("A01_masks.tif", labels)
    request = CropRequest((tmp_path / "A01.tif",), (tmp_path / "A01_masks.tif",), size=28)
    crop_fields(request, tmp_path / "out")
    stored, header = read_stored(tmp_path / "out/crops/A01/00002.ome.tif")
    np.testing.assert_array_equal(stored, pixels[:, 26:54, 26:54])
    assert header.names == ("ch0", "ch1")


def test_an_earlier_crop_is_replaced_and_leftovers_vanish(plate):
    crop_fields(by_labels(plate), plate / "out")
    (plate / ".out.cropping").mkdir()
    (plate / ".out.cropping" / "half.tif").touch()
    assert len(crop_fields(by_labels(plate, border="pad"), plate / "out").table) == 8
    assert len(opened(plate / "out")) == 8
    assert not [path for path in plate.iterdir() if path.name.startswith(".")]
    (plate / "out" / "model").mkdir()
    with pytest.raises(
        FolderError, match=r"out holds another thing \(model\), expected a new or empty folder"
    ):
        crop_fields(by_labels(plate), plate / "out")


def table_of(plate, **changes):
    pd.read_csv(plate / "Nuclei.csv").assign(**changes).to_csv(plate / "bad.csv", index=False)
    return {
        "fields": (plate / "Image.csv",),
        "centroids": plate / "bad.csv",
        "columns": {"path": "FileName_all"},
    }


def labels_of(plate, labels):
    for name in ("A01", "A02"):
        tifffile.imwrite(plate / f"bad/{name}.tif", labels, photometric="minisblack")
    return {"labels": (plate / "bad",)}


def shortened(plate):
    file = plate / "fields" / "A02.ome.tif"
    file.write_bytes(file.read_bytes()[:-500])
    return {}


def sub_folder(plate):
    (plate / "labels/sub").mkdir()
    for path in plate.glob("labels/*.png"):
        path.rename(plate / "labels/sub" / path.name)
    return {}


BAD = {
    "no labels nor table": (lambda p: {"labels": ()}, "neither label images nor a table of centroids"),
    "both": (lambda p: {"centroids": p / "Nuclei.csv"}, "both label images and a table"),
    "size": (lambda p: {"size": 20}, "--size got 20, expected 28 to 256 px"),
    "absent labels": (lambda p: {"labels": (p / "fields",)}, r"fields holds no label image of field A01"),
    "too few": (lambda p: {"labels": (p / "labels/A01_cp_masks.png",)}, "1 label images for 2 fields"),
    "shape": (lambda p: labels_of(p, np.ones((99, 150), "uint16")), r"150x99 px and its field .* 150x120 px"),
    "colours": (
        lambda p: labels_of(p, np.ones((3, 120, 150), "uint16")),
        "3 channels of uint16, expected a label",
    ),
    "floats": (
        lambda p: labels_of(p, np.ones((120, 150), "float32")),
        "one channel of float32, expected a label image of one channel of integers",
    ),
    "no cells": (lambda p: labels_of(p, np.zeros((120, 150), "uint16")), "There is no cell in 2 fields"),
    "no label folder": (lambda p: {"labels": (p / "nope",)}, "nope is missing, expected a label image per"),
    "only labels": (
        lambda p: {"fields": (p / "labels",), "labels": (p / "labels/sub",)} | sub_folder(p),
        "holds no images beside its label images",
    ),
    "a mask": (
        lambda p: labels_of(p, np.eye(150, dtype="uint8")[:120] * 0 + MASK),
        "is a mask, expected a number",
    ),
    "all at edge": (lambda p: {"size": 200}, "No cell is left of 8 in 2 fields"),
    "truncated": (shortened, r"A02\.ome\.tif is truncated"),
    "outside": (lambda p: table_of(p, Location_Center_X=151), "A01: A cell lies at y .*, x 151"),
    "no number": (
        lambda p: table_of(p, Location_Center_X="left"),
        "'left' in column 'Location_Center_X' for 8 of 8",
    ),
    "other field": (lambda p: table_of(p, ImageNumber=7), "names 7 in column 'ImageNumber' \\(8 of 8 rows"),
    "twice": (lambda p: table_of(p, ObjectNumber=1), "cell 1 of one field more than once"),
    "column": (
        lambda p: table_of(p) | {"columns": {"path": "FileName_all", "x": "nope"}},
        "bad.csv has no column 'nope' \\(for x\\), expected one of: ImageNumber",
    ),
    "names": (lambda p: {"channel_names": ("a", "a")}, "expected 2 different names"),
    "pixel size": (lambda p: {"pixel_size_um": -1.0}, "pixel_size_um got -1.0"),
    "label key": (
        lambda p: table_of(p) | {"columns": {"label": "Metadata_Well"}},
        "--columns got label for a table",
    ),
}
MASK = np.zeros((120, 150), "uint8")
MASK[10:20, 10:20] = MASK[30:40, 30:40] = MASK[50:60, 50:60] = 255


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_a_sentence_and_nothing_is_written(plate, case):
    change, message = BAD[case]
    (plate / "bad").mkdir()
    given = {"fields": (plate / "fields",), "labels": (plate / "labels",), "size": 28}
    changed = change(plate)
    if "fields" in changed and "labels" not in changed:
        del given["labels"]
    before = tree(plate)
    with pytest.raises(InputError, match=rf"{message}.*[:;] .*\.$"):
        crop_fields(CropRequest(**(given | changed)), plate / "out")
    assert tree(plate) == before


def test_table_that_names_absent_fields(plate):
    (plate / "fields" / "A02.ome.tif").unlink()
    columns = {"path": "FileName_all"}
    request = CropRequest((plate / "Image.csv",), centroids=plate / "Nuclei.csv", size=28, columns=columns)
    with pytest.raises(InputError, match=r"A02\.ome\.tif is missing"):
        crop_fields(request, plate / "out")


def crop(plate, fields, labels, name="out", **options):
    return crop_fields(CropRequest(fields, labels, size=28, **options), plate / name)


def test_suffixes_in_capitals(plate):
    for number in (1, 2):
        field, labels = plate / f"fields/A0{number}.ome.tif", plate / f"labels/A0{number}_cp_masks.png"
        field.rename(field.with_name(f"Gr\u00f6\u00dfe {number}.OME.TIF"))
        labels.rename(labels.with_name(f"Gr\u00f6\u00dfe {number}_cp_masks.PNG"))
    table = crop_fields(by_labels(plate), plate / "out").table
    assert table["field"].unique().tolist() == ["Gr\u00f6\u00dfe 1", "Gr\u00f6\u00dfe 2"]


def test_relative_and_absolute_paths_together(plate, monkeypatch):
    monkeypatch.chdir(plate)
    fields = (Path("fields/A01.ome.tif"), plate / "fields/A02.ome.tif")
    assert crop(plate, fields, ("labels",)).table["field"].unique().tolist() == ["A01", "A02"]
    with pytest.raises(InputError, match="A field is given twice"):
        crop(plate, (fields[1], Path("fields/../fields/A02.ome.tif")), ("labels",), "other")


@pytest.mark.parametrize("place", ["fields", "fields/masks"])
def test_label_images_among_the_fields_are_no_fields(plate, place):
    (plate / place).mkdir(exist_ok=True)
    for path in (plate / "labels").iterdir():
        path.rename(plate / place / path.name)
    result = crop(plate, (plate / "fields",), (plate / place,))
    assert result.table["field"].unique().tolist() == ["A01", "A02"]


def test_cellprofilers_folder_of_each_file(plate):
    images = pd.read_csv(plate / "Image.csv")
    images["PathName_all"] = str(plate / "fields")
    images["FileName_all"] = images["FileName_all"].str.removeprefix("fields/")
    images.to_csv(plate / "Image.csv", index=False)
    columns = {"path": "FileName_all"}
    result = crop(plate, (plate / "Image.csv",), (), centroids=plate / "Nuclei.csv", columns=columns)
    assert result.table["field"].unique().tolist() == ["A01", "A02"]


@pytest.mark.parametrize("kept", ["screen/plate1", "plate1", "."])
@pytest.mark.parametrize(
    "folder", ["D:\\lab\\screen\\plate1", "\\\\server\\lab\\screen\\plate1\\", "/lab/screen/plate1"]
)
def test_cellprofilers_folders_of_another_computer(plate, folder, kept):
    images = pd.read_csv(plate / "Image.csv").assign(PathName_all=folder)
    images["FileName_all"] = images["FileName_all"].str.removeprefix("fields/")
    images.to_csv(plate / "Image.csv", index=False)
    given = {"centroids": plate / "Nuclei.csv", "columns": {"path": "FileName_all"}}
    with pytest.raises(InputError) as refused:
        crop(plate, (plate / "Image.csv",), (), **given)
    assert f"A01.ome.tif lies in {folder}, where it is not" in str(refused.value)
    (plate / kept).mkdir(parents=True, exist_ok=True)
    for path in (plate / "fields").iterdir():
        path.rename(plate / kept / path.name)
    assert crop(plate, (plate / "Image.csv",), (), **given).table["field"].unique().tolist() == ["A01", "A02"]


def test_cellprofilers_head_of_two_lines(plate):
    given = {"columns": {"path": "FileName_all"}}
    plain = crop(plate, (plate / "Image.csv",), (), "a", centroids=plate / "Nuclei.csv", **given).table
    lines = (plate / "Nuclei.csv").read_text().splitlines()
    assert lines[0] == "ImageNumber,ObjectNumber,Location_Center_X,Location_Center_Y,AreaShape_Area"
    lines[0] += ",AreaShape_Area"
    both = ["Image,Nuclei,Nuclei,Nuclei,Nuclei,Cells", lines[0], *(f"{line},200" for line in lines[1:])]
    (plate / "both.csv").write_text("\n".join(both), encoding="utf-8")
    joined = crop(plate, (plate / "Image.csv",), (), "b", centroids=plate / "both.csv", **given).table
    assert joined["cell"].tolist() == plain["cell"].tolist() and joined["y"].tolist() == plain["y"].tolist()
    assert joined["Nuclei_AreaShape_Area"].tolist() == [99] * 6
    assert joined["Cells_AreaShape_Area"].tolist() == [200] * 6


@pytest.mark.parametrize(
    ("plates", "store", "columns"),
    [
        (1, False, "path=path,group=Metadata_Well"),
        (1, True, "group=Metadata_Well"),
        (2, False, "path=path,group=field"),
    ],
)
def test_wells_are_the_unit_where_they_are_known(plate, plates, store, columns):
    images = pd.read_csv(plate / "Image.csv").assign(Metadata_Plate=[1, plates])
    images.to_csv(plate / "Image.csv", index=False)
    given = {"centroids": plate / "Nuclei.csv", "columns": {"path": "FileName_all"}, "store": store}
    assert crop(plate, (plate / "Image.csv",), (), **given).columns == columns


def test_numbers_of_cells_may_be_huge(make):
    _, labels = make.fields(1)["A01"]
    huge = np.where(labels == 3, np.uint32(4_000_000_000), labels)
    found, plain = locate_cells(huge), locate_cells(labels)
    assert found["cell"].tolist() == [1, 2, 4, 4_000_000_000]
    assert found["y"].tolist() == plain["y"].iloc[[0, 1, 3, 2]].tolist()


def test_real_crops_are_cut_where_the_set_cut_them(data_set, tmp_path):
    root = data_set("bbbc039_nuclei")
    cells = pd.read_csv(root / "cells.csv").query("well_site == 'A02_s1'")
    field = read_stored(root / "fields/images/A02_s1.png")[0]
    crops = crop_field(field, cells, 64)
    assert len(crops.table) == len(cells) > 5
    for pixels, file in zip(crops.pixels, crops.table["file"], strict=True):
        ours = np.clip((pixels.astype(float) - 100) / 8, 0, 255).astype("uint8")
        np.testing.assert_allclose(ours, read_stored(root / file)[0], atol=1)
