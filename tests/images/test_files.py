"""Microscopy's own files: OME-TIFF, ImageJ and OME-Zarr, with what they say of channels and pixels."""

import logging
import shutil
import sys

import numpy as np
import pytest
import tifffile
import zarr

from diffex.base.errors import InputError, MissingPartError
from diffex.images import open_images, read_image
from diffex.images.decoding import read_stored
from diffex.images.headers import read_header
from diffex.images.ome_writing import write_ome_tiff, write_ome_zarr

NAMES = ("DNA", "actin", "488")


def stack(seed=0, channels=3, dtype="uint16", shape=(40, 50)):
    high = 200 if "8" in dtype[-1] else 60000
    return np.random.default_rng(seed).integers(1, high, (channels, *shape)).astype(dtype)


def says(path):
    header = read_header(path)
    return header.names, header.pixel_size_um


def write_old_zarr(path, pixels, names=NAMES, axes="tczyx", unit="nanometer", scale=325.0):
    """NGFF 0.4, as bioformats2raw and Fractal write it: Zarr 2, five axes, chunks within the plane."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    lengths = {"c": pixels.shape[0], "y": pixels.shape[1], "x": pixels.shape[2]}
    shape = [lengths.get(axis, 1) for axis in axes]
    group.create_array("0", data=pixels.reshape(shape), chunks=tuple(min(n, 32) for n in shape))
    factors = [scale if axis in "yx" else 1.0 for axis in axes]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": factors}]}
    named = [{"name": axis, **({"unit": unit} if axis in "zyx" else {})} for axis in axes]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": named, "datasets": [level]}]
    group.attrs["omero"] = {"channels": [{"label": name} for name in names]}


def write_plate(path, wells=("A/1", "B/12"), fields=2, version="0.4"):
    head = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    plate = {"plate": {"wells": [{"path": well} for well in wells]}}
    head.attrs.update(plate if version == "0.4" else {"ome": plate})
    for number, well in enumerate(wells):
        inner = {"well": {"images": [{"path": str(field)} for field in range(fields)]}}
        head.require_group(well).attrs.update(inner if version == "0.4" else {"ome": inner})
        for field in range(fields):
            write = write_old_zarr if version == "0.4" else write_ome_zarr
            write(path / well / str(field), stack(10 * number + field), NAMES)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "float32"])
def test_ome_tiff(tmp_path, dtype):
    pixels = stack(dtype=dtype)
    write_ome_tiff(tmp_path / "a.ome.tif", pixels, NAMES, 0.325)
    stored, header = read_stored(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(stored, pixels)
    assert (stored.dtype, header.dtype) == (dtype, dtype)
    assert says(tmp_path / "a.ome.tif") == (NAMES, 0.325)


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (
            {
                "PhysicalSizeX": 325,
                "PhysicalSizeXUnit": "nm",
                "PhysicalSizeY": 325,
                "PhysicalSizeYUnit": "nm",
            },
            0.325,
        ),
        ({"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}, 0.5),
        ({"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.7}, None),
        (
            {
                "PhysicalSizeX": 1,
                "PhysicalSizeXUnit": "pixel",
                "PhysicalSizeY": 1,
                "PhysicalSizeYUnit": "pixel",
            },
            None,
        ),
        ({"PhysicalSizeX": 0.5}, None),
        ({}, None),
    ],
)
def test_ome_pixel_sizes(tmp_path, about, expected):
    tifffile.imwrite(
        tmp_path / "a.tif", stack(), ome=True, metadata={"axes": "CYX", **about}, photometric="minisblack"
    )
    assert says(tmp_path / "a.tif") == ((), expected)


@pytest.mark.parametrize("unit", ["um", r"\u00B5m", "micron"])
def test_imagej(tmp_path, unit):
    about = {"axes": "CYX", "unit": unit, "Labels": list(NAMES)}
    tifffile.imwrite(
        tmp_path / "a.tif", stack(), imagej=True, resolution=(1 / 0.65, 1 / 0.65), metadata=about
    )
    np.testing.assert_array_equal(read_stored(tmp_path / "a.tif")[0], stack())
    assert says(tmp_path / "a.tif") == (NAMES, 0.65)


def test_slices_of_imagej_are_channels_without_their_file_names(tmp_path):
    about = {"axes": "ZYX", "unit": "inch", "Labels": ["w1.tif", "w2.tif", "w3.tif"]}
    tifffile.imwrite(tmp_path / "a.tif", stack(), imagej=True, metadata=about)
    np.testing.assert_array_equal(read_stored(tmp_path / "a.tif")[0], stack())
    assert says(tmp_path / "a.tif") == ((), None)


def test_resolution_of_a_plain_tiff_is_for_printers(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", stack(), resolution=(72, 72), photometric="minisblack")
    assert says(tmp_path / "a.tif") == ((), None)


def test_more_channels_than_rows(tmp_path):
    pixels = stack(channels=60, shape=(30, 28))
    write_ome_tiff(tmp_path / "a.tif", pixels, [f"c{i}" for i in range(60)])
    np.testing.assert_array_equal(read_stored(tmp_path / "a.tif")[0], pixels)


def test_volumes_films_and_sets_are_refused(tmp_path):
    for axes, what in (("ZYX", "3 planes of Z"), ("TYX", "3 points in time")):
        tifffile.imwrite(
            tmp_path / "a.tif", stack(), ome=True, metadata={"axes": axes}, photometric="minisblack"
        )
        with pytest.raises(
            InputError, match=rf"a\.tif holds {what}, expected one image of channels: project"
        ):
            read_image(tmp_path / "a.tif")
    with tifffile.TiffWriter(tmp_path / "b.tif", ome=True) as writer:
        for seed in (1, 2):
            writer.write(stack(seed), metadata={"axes": "CYX"}, photometric="minisblack")
    with pytest.raises(InputError, match=r"b\.tif holds 2 images, expected one"):
        read_image(tmp_path / "b.tif")
    write_volume(tmp_path / "d.zarr")
    with pytest.raises(InputError, match=r"d\.zarr holds 3 planes of Z"):
        read_image(tmp_path / "d.zarr")


def test_film_of_imagej_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", stack(), imagej=True, metadata={"axes": "TYX"})
    with pytest.raises(InputError, match=r"a\.tif holds 3 points in time, expected one image of channels"):
        read_image(tmp_path / "a.tif")


@pytest.fixture
def ome_set(tmp_path):
    """One image of three channels, a file each, as Bio-Formats and Micro-Manager write them."""
    files, numbers = [f"w_C{k}.ome.tif" for k in range(3)], [f"urn:uuid:{k:032d}" for k in range(3)]
    planes = "".join(
        f'<TiffData FirstC="{k}" IFD="0"><UUID FileName="{files[k]}">{numbers[k]}</UUID></TiffData>'
        for k in range(3)
    )
    channels = "".join(f'<Channel ID="Channel:0:{k}" Name="{name}"/>' for k, name in enumerate("abc"))
    for file, number, plane in zip(files, numbers, stack(), strict=True):
        about = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{number}">'
            '<Image ID="Image:0">'
            f'<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="{plane.dtype}" SizeX="{plane.shape[1]}" '
            f'SizeY="{plane.shape[0]}" SizeC="3" SizeZ="1" SizeT="1">'
            f"{channels}{planes}</Pixels></Image></OME>"
        )
        tifffile.imwrite(tmp_path / file, plane, description=about, metadata=None)
    return tmp_path


def test_a_set_of_ome_tiffs_is_one_image(ome_set):
    image = read_image(ome_set / "w_C0.ome.tif")
    np.testing.assert_array_equal(image.pixels, stack())
    with pytest.raises(InputError, match=r"w_C1\.ome\.tif is a part of .* begins in w_C0\.ome\.tif,"):
        read_image(ome_set / "w_C1.ome.tif")


def test_a_set_of_ome_tiffs_that_lost_a_file_is_refused(ome_set):
    (ome_set / "w_C2.ome.tif").unlink()
    with pytest.raises(InputError, match=r"w_C0\.ome\.tif cannot be read \(planes .* are missing, maybe"):
        read_image(ome_set / "w_C0.ome.tif")


def write_volume(path):
    group = zarr.open_group(path, mode="w")
    group.create_array("0", data=stack())
    axes = [{"name": axis} for axis in "zyx"]
    group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}


@pytest.mark.parametrize("axes", ["tczyx", "czyx", "cyx", "yxc"])
def test_old_zarr(tmp_path, axes):
    pixels = stack()
    stored = pixels.transpose(1, 2, 0) if axes == "yxc" else pixels
    if axes == "yxc":
        write_yxc(tmp_path / "a.zarr", stored)
    else:
        write_old_zarr(tmp_path / "a.zarr", pixels, axes=axes)
    np.testing.assert_array_equal(read_stored(tmp_path / "a.zarr")[0], pixels)
    assert says(tmp_path / "a.zarr") == (NAMES, 0.325)


def write_yxc(path, stored):
    group = zarr.open_group(path, mode="w")
    group.create_array("0", data=stored)
    axes = [{"name": axis, **({"unit": "micrometer"} if axis != "c" else {})} for axis in "yxc"]
    scale = [{"type": "scale", "scale": [0.325, 0.325, 1]}]
    scales = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    omero = {"channels": [{"label": name} for name in NAMES]}
    group.attrs["ome"] = {"multiscales": [scales], "omero": omero}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32", "bool"])
def test_new_zarr(tmp_path, dtype):
    pixels = stack(dtype=dtype) if dtype != "bool" else stack() > 30000
    write_ome_zarr(tmp_path / "a.zarr", pixels, NAMES, 0.325)
    expected = pixels.astype("uint8") * 255 if dtype == "bool" else pixels
    np.testing.assert_array_equal(read_stored(tmp_path / "a.zarr")[0], expected)
    assert says(tmp_path / "a.zarr") == (NAMES, 0.325)


def test_folder_of_zarr_images(tmp_path):
    for name in ("drug/a.zarr", "drug/b.ome.zarr", "DMSO/a.zarr"):
        write_ome_zarr(tmp_path / name, stack(len(name)), NAMES, 0.5)
    images = open_images(tmp_path)
    assert images.ids == ("DMSO/a.zarr", "drug/a.zarr", "drug/b.ome.zarr")
    assert (images.channel_names, images.pixel_size_um) == (NAMES, 0.5)
    np.testing.assert_array_equal(images.read([2])[0], stack(len("drug/b.ome.zarr")))
    before = images.fingerprint()
    write_ome_zarr(tmp_path / "drug/a.zarr", stack(77), NAMES, 0.5)
    assert images.fingerprint() != before


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_plate_has_its_wells_as_groups(tmp_path, version):
    images = open_images(write_plate(tmp_path / "p.zarr", version=version))
    assert images.ids == ("A/1/0", "A/1/1", "B/12/0", "B/12/1")
    assert images.groups.tolist() == ["A/1", "A/1", "B/12", "B/12"]
    np.testing.assert_array_equal(images.read([3])[0], stack(11))
    assert read_header(tmp_path / "p.zarr" / "A" / "1" / "0").names == NAMES


def test_bioformats2raw_collection_and_single_image(tmp_path):
    head = zarr.open_group(tmp_path / "raw.zarr", mode="w", zarr_format=2)
    head.attrs["bioformats2raw.layout"] = 3
    for name in ("0", "1", "10", "OME"):
        write_old_zarr(tmp_path / "raw.zarr" / name, stack(len(name)))
    assert open_images(tmp_path / "raw.zarr").ids == ("0", "1", "10")
    assert open_images(tmp_path / "raw.zarr" / "1").ids == ("1",)


def test_names_must_agree_unless_given(tmp_path):
    write_ome_tiff(tmp_path / "a.tif", stack(0), NAMES, 0.5)
    write_ome_tiff(tmp_path / "b.tif", stack(1), ("actin", "DNA", "488"), 0.5)
    message = (
        r"naming of channels is mixed: .*a\.tif has DNA, actin, 488 and .*b\.tif has actin, DNA, 488, "
        r"expected the same everywhere: .*--channels\.$"
    )
    with pytest.raises(InputError, match=message):
        open_images(tmp_path)
    assert open_images(tmp_path, channel_names=["x", "y", "z"]).channel_names == ("x", "y", "z")


def test_pixel_sizes_must_agree_unless_given(tmp_path):
    write_ome_tiff(tmp_path / "a.tif", stack(0), NAMES, 0.5)
    write_ome_tiff(tmp_path / "b.tif", stack(1), NAMES, 0.502)
    assert open_images(tmp_path).pixel_size_um == 0.5
    for other, said in ((0.65, "0.65 um"), (None, "none")):
        write_ome_tiff(tmp_path / "b.tif", stack(1), NAMES, other)
        with pytest.raises(
            InputError, match=rf"pixel size is mixed: .* 0\.5 um and .* has {said}, .*--pixel-size"
        ):
            open_images(tmp_path)
        assert open_images(tmp_path, pixel_size_um=0.7).pixel_size_um == 0.7


def test_missing_pixel_size_is_said(tmp_path, make, caplog):
    make.save("a.tif", stack())
    with caplog.at_level(logging.INFO, logger="diffex"):
        assert open_images(tmp_path).pixel_size_um is None
    assert "No pixel size is known: lengths and areas are in pixels" in caplog.text


def chunk(path):
    marks = ("zarr.json", ".zarray", ".zattrs", ".zgroup")
    return next(file for file in sorted(path.rglob("*")) if file.is_file() and file.name not in marks)


@pytest.mark.parametrize("write", [write_old_zarr, write_ome_zarr])
@pytest.mark.parametrize("share", [0, 0.01, 0.6, 0.99])
def test_truncated_chunk(tmp_path, write, share):
    write(tmp_path / "a.zarr", stack(), NAMES)
    broken = chunk(tmp_path / "a.zarr")
    content = broken.read_bytes()
    broken.write_bytes(content[: int(len(content) * share)])
    message = (
        r"^[^ ]*a\.zarr has a chunk that is damaged or cut short \(.*\), expected a whole .*: copy it .*\.$"
    )
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / "a.zarr")


@pytest.mark.parametrize("codec", ["blosc", "none", "sharded"])
def test_truncated_chunk_of_other_codecs(tmp_path, codec):
    write_ome_zarr(tmp_path / "a.zarr", stack(), NAMES)
    options = {
        "blosc": {"chunks": (1, 40, 50), "compressors": zarr.codecs.BloscCodec()},
        "none": {"chunks": (1, 40, 50), "compressors": None},
        "sharded": {"chunks": (1, 20, 25), "shards": (1, 40, 50)},
    }[codec]
    group = zarr.open_group(tmp_path / "a.zarr")
    group.create_array("0", data=stack(), overwrite=True, **options)
    np.testing.assert_array_equal(read_stored(tmp_path / "a.zarr")[0], stack())
    broken = chunk(tmp_path / "a.zarr")
    broken.write_bytes(broken.read_bytes()[:-50])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_image(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "zarr.json").write_text("{"), "its Zarr metadata are missing or damaged"),
        (lambda path: (path / "zarr.json").unlink(), "is missing, expected an image file"),
        (lambda path: shutil.rmtree(path / "0"), "its OME-Zarr metadata are missing or damaged"),
        (lambda path: zarr.open_group(path).attrs.clear(), "its OME-Zarr metadata are missing or damaged"),
    ],
)
def test_damaged_metadata(tmp_path, damage, message):
    write_ome_zarr(tmp_path / "a.zarr", stack(), NAMES)
    damage(tmp_path / "a.zarr")
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / "a.zarr")


def test_zarr_that_is_no_image(tmp_path):
    zarr.open_group(tmp_path / "a.zarr", mode="w")
    with pytest.raises(InputError, match="neither OME-Zarr's multiscales nor its plate"):
        open_images(tmp_path / "a.zarr")
    plate = write_plate(tmp_path / "p.zarr")
    with pytest.raises(InputError, match="it is a plate or a well, not one image"):
        read_image(plate)


def test_without_zarr_one_sentence(tmp_path, monkeypatch):
    write_ome_zarr(tmp_path / "a.zarr", stack(), NAMES)
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingPartError, match=r"needs zarr, not installed: pip install 'diffex\[zarr\]'"):
        open_images(tmp_path)
