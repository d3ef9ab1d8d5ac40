"""When and how fields were acquired: read from their files, kept in the crops, told apart in their table."""

import json
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import tifffile

from diffex.images import CropRequest, crop_fields, open_images
from diffex.images.acquisition import UNKNOWN, Acquisition, ChannelAcquisition
from diffex.images.headers import read_header
from diffex.images.ome_writing import write_ome_tiff, write_ome_zarr

NAMES = ("DNA", "actin")
FULL = Acquisition(
    "2021-03-04T10:20:30", 'Nikon & "Co"', "Ti <2>", 20.0, 0.75,
    (ChannelAcquisition(0.08, 405.0, 450.5), ChannelAcquisition(None, None, 520.0)),
)  # fmt: skip
OTHER_DAY = Acquisition("2021-03-05T09:00:00", channels=(ChannelAcquisition(0.2), ChannelAcquisition(0.1)))
# as Bio-Formats writes it: references, ms, A
XML = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Instrument ID="Instrument:0"><Microscope Manufacturer=" " Model="SP8"/>
<Objective ID="Objective:0:0" NominalMagnification="10"/>
<Objective ID="Objective:0:1" LensNA="1.4" CalibratedMagnification="63.2" NominalMagnification="63"/>
</Instrument>
<Image ID="Image:0"><AcquisitionDate>{date}</AcquisitionDate><InstrumentRef ID="Instrument:0"/>
<ObjectiveSettings ID="{objective}"/>
<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeC="2" SizeT="1" SizeX="150" SizeY="120"
 SizeZ="1" PhysicalSizeX="wide" PhysicalSizeY="0.5">
<Channel ID="Channel:0:0" Name="DNA" ExcitationWavelength="4880" ExcitationWavelengthUnit="\u00c5"/>
<Channel ID="Channel:0:1" Name="actin" EmissionWavelength="{emission}"/>
<TiffData IFD="0" PlaneCount="2"/>
<Plane TheC="1" TheZ="0" TheT="0" ExposureTime="{exposure}" ExposureTimeUnit="ms"/>
</Pixels></Image></OME>"""


def bioformats(path, date="2021-03-04T10:20:30Z", objective="Objective:0:1", emission="0.0", exposure="80.0"):
    text = XML.format(date=date, objective=objective, emission=emission, exposure=exposure).encode()
    pixels = np.ones((2, 120, 150), "uint16")
    tifffile.imwrite(path, pixels, description=text, metadata=None, photometric="minisblack")
    return read_header(path).acquisition


@pytest.fixture
def fields(make, tmp_path):
    """Write two fields with label images: ``fields(acquisition, acquisition)``."""

    def write(*acquisitions, folder="fields"):
        for (name, (pixels, labels)), one in zip(make.fields().items(), acquisitions, strict=True):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_ome_tiff(tmp_path / folder / f"{name}.ome.tif", pixels, NAMES, 0.5, one)
            make.save(f"labels/{name}.png", labels)
        return CropRequest((tmp_path / folder,), (tmp_path / "labels",), size=28)

    return write


def test_what_is_written_is_read(tmp_path):
    write_ome_tiff(tmp_path / "a.tif", np.ones((2, 40, 50), "uint16"), NAMES, 0.5, FULL)
    header = read_header(tmp_path / "a.tif")
    assert (header.acquisition, header.names, header.pixel_size_um) == (FULL, NAMES, 0.5)


def test_elements_are_in_the_order_of_the_schema(tmp_path):
    write_ome_tiff(tmp_path / "a.tif", np.ones((2, 40, 50), "uint16"), NAMES, 0.5, FULL)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        root = ElementTree.fromstring(file.ome_metadata)
    below = {one.tag.split("}")[1]: [two.tag.split("}")[1] for two in one] for one in root.iter()}
    assert below["OME"] == ["Instrument", "Image"]
    assert below["Instrument"] == ["Microscope", "Objective"]
    assert below["Image"] == ["AcquisitionDate", "InstrumentRef", "ObjectiveSettings", "Pixels"]
    assert below["Pixels"] == ["Channel", "Channel", "TiffData", "Plane", "Plane"]


def test_bioformats_references_and_units(tmp_path):
    channels = (ChannelAcquisition(None, 488.0), ChannelAcquisition(0.08))
    assert bioformats(tmp_path / "a.tif") == Acquisition(
        "2021-03-04T10:20:30+00:00", None, "SP8", 63.0, 1.4, channels
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"date": "4th of March"},
        {"date": ""},
        {"objective": "Objective:9"},
        {"emission": "green"},
        {"emission": "-1"},
        {"exposure": "nan"},
    ],
)
def test_what_is_odd_is_left_out(tmp_path, odd):
    whole = bioformats(tmp_path / "whole.tif").known(NAMES)
    partial = bioformats(tmp_path / "partial.tif", **odd).known(NAMES)
    assert partial.items() <= whole.items()
    assert (len(partial) < len(whole)) == ("emission" not in odd)


def test_files_that_say_nothing(make):
    assert read_header(make.save("a.tif", make.grey())).acquisition == UNKNOWN
    assert read_header(make.save("a.png", make.grey())).acquisition == UNKNOWN


def test_crops_keep_what_their_field_says(fields, tmp_path):
    result = crop_fields(fields(FULL, FULL), tmp_path / "out")
    crops = [read_header(tmp_path / "out" / path) for path in result.table["path"]]
    assert [one.acquisition for one in crops] == [FULL] * 6
    assert json.loads((tmp_path / "out/crop.json").read_text())["acquisition"] == FULL.known(NAMES)
    assert result.acquisition == FULL.known(NAMES) == result.as_dict()["acquisition"]
    assert not {"acquired", "date", "DNA_exposure_s"} & set(result.table.columns) and not result.warnings


def test_nothing_is_said_where_nothing_is_known(fields, tmp_path):
    result = crop_fields(fields(UNKNOWN, UNKNOWN), tmp_path / "out")
    assert (result.acquisition, result.warnings) == ({}, ())
    assert result.table.columns.tolist() == ["path", "mask", "field", "cell", "y", "x", "at_border"]


@pytest.mark.parametrize("store", [False, True])
def test_where_fields_differ_cells_have_columns(fields, tmp_path, store):
    request = fields(FULL, OTHER_DAY)
    result = crop_fields(CropRequest(request.fields, request.labels, size=28, store=store), tmp_path / "out")
    day = open_images(
        result.cells, columns=None if store else {"path": "path"}, where={"date": ["2021-03-05"]}
    )
    assert day.table["field"].tolist() == ["A02"] * 3
    assert day.table["DNA_exposure_s"].tolist() == [0.2] * 3
    assert day.table["acquired"].tolist() == ["2021-03-05T09:00:00"] * 3
    (said,) = result.warnings
    assert "Fields differ in manufacturer, microscope, magnification" in said and "date" not in said
    assert said.endswith(f"{'the store' if store else 'cells.csv'} has a column of each.")


@pytest.mark.parametrize(
    ("second", "columns"),
    [
        (Acquisition("2021-03-04T23:59:59"), ["acquired"]),
        (Acquisition("2021-03-05T00:00:00"), ["acquired", "date"]),
        (UNKNOWN, ["acquired"]),
    ],
)
def test_dates_are_days_and_none_is_missing(fields, tmp_path, second, columns):
    table = crop_fields(fields(Acquisition("2021-03-04T10:20:30"), second), tmp_path / "out").table
    assert table.columns.tolist()[7:] == columns


def test_a_tables_own_date_stays(fields, tmp_path):
    fields(FULL, OTHER_DAY)
    images = {"path": [f"fields/A0{n}.ome.tif" for n in (1, 2)], "Metadata_Date": ["first", "second"]}
    images["labels"] = [f"labels/A0{n}.png" for n in (1, 2)]
    pd.DataFrame(images).to_csv(tmp_path / "fields.csv", index=False)
    columns = {"path": "path", "labels": "labels"}
    request = CropRequest((tmp_path / "fields.csv",), size=28, columns=columns)
    table = crop_fields(request, tmp_path / "out").table
    assert "date" not in table and table["Metadata_Date"].unique().tolist() == ["first", "second"]
    assert table["acquired"].nunique() == 2


def test_files_of_a_channel_each_are_joined(make, tmp_path):
    pixels, labels = make.fields(1)["A01"]
    files = {}
    for number, exposure in ((0, 0.5), (1, 0.25)):
        files[NAMES[number]] = [f"c{number}.ome.tif"]
        about = Acquisition(None if number == 0 else FULL.acquired, channels=(ChannelAcquisition(exposure),))
        write_ome_tiff(tmp_path / f"c{number}.ome.tif", pixels[number : number + 1], ["c"], 0.5, about)
    make.save("labels.png", labels)
    pd.DataFrame({**files, "labels": "labels.png"}).to_csv(tmp_path / "fields.csv", index=False)
    columns = {**{name: name for name in NAMES}, "labels": "labels"}
    result = crop_fields(CropRequest((tmp_path / "fields.csv",), size=28, columns=columns), tmp_path / "out")
    assert result.acquisition == {"acquired": FULL.acquired, "DNA_exposure_s": 0.5, "actin_exposure_s": 0.25}


@pytest.mark.parametrize(
    ("places", "series"),
    [(("0", "1"), None), (("B/1/0", "A/2/0"), ["B/1/0", "A/2/0"])],
)
def test_bioformats2raw_leaves_ome_xml_beside_the_images(tmp_path, places, series):
    (tmp_path / "p.zarr/OME").mkdir(parents=True)
    for place in places:
        write_ome_zarr(tmp_path / "p.zarr" / place, np.ones((2, 40, 50), "uint16"), NAMES, 0.5)
    if series:
        (tmp_path / "p.zarr/OME/.zattrs").write_text(json.dumps({"series": series}))
    text = XML.format(date="2021-03-04T10:20:30", objective="Objective:0:0", emission="1", exposure="9")
    image = text[text.index("<Image") : text.index("</OME>")]
    xml = text.replace("</OME>", image.replace("03-04", "03-05") + "</OME>")
    (tmp_path / "p.zarr/OME/METADATA.ome.xml").write_text(xml, encoding="utf-8")
    read = [read_header(tmp_path / "p.zarr" / place).acquisition for place in places]
    assert [one.acquired for one in read] == ["2021-03-04T10:20:30", "2021-03-05T10:20:30"]
    assert (read[0].magnification, len(read[0].channels)) == (10.0, 2)
    (tmp_path / "p.zarr/OME/METADATA.ome.xml").write_text("<OME", encoding="utf-8")
    assert read_header(tmp_path / "p.zarr" / places[0]).acquisition == UNKNOWN
