"""What bad input gets: one sentence, exit code 2, nothing written."""

import errno
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

ON_IMAGES = ("doctor", "fit", "explain", "attributes", "edit")


@pytest.mark.parametrize("command", ON_IMAGES)
class TestImages:
    def test_missing_folder(self, refused, line, tmp_path, command):
        assert f"{tmp_path / 'nowhere'} does not exist" in refused(*line(command, tmp_path / "nowhere"))

    def test_empty_folder(self, refused, line, tmp_path, command):
        (tmp_path / "empty").mkdir()
        assert "empty holds no images" in refused(*line(command, tmp_path / "empty"))

    def test_mixed_sizes(self, refused, line, make, command):
        folder = make.cells()
        make.save("cells/drug/odd.png", np.ones((40, 40), dtype=np.uint8))
        assert "odd.png has 40x40 px" in refused(*line(command, folder))

    def test_mixed_channels(self, refused, line, make, command):
        folder = make.cells()
        make.save("cells/drug/odd.png", np.ones((28, 28, 3), dtype=np.uint8))
        assert "odd.png has 3" in refused(*line(command, folder))

    def test_zero_byte_image(self, refused, line, make, command):
        folder = make.cells()
        (folder / "drug" / "none.png").write_bytes(b"")
        assert "none.png is empty (0 bytes)" in refused(*line(command, folder))

    def test_not_an_image(self, refused, line, make, command):
        folder = make.cells()
        (folder / "drug" / "text.png").write_text("not an image")
        assert "text.png" in refused(*line(command, folder))

    def test_decompression_bomb(self, refused, line, make, command):
        folder = make.cells()
        (folder / "drug" / "bomb.png").write_bytes(bomb(60_000, 60_000))
        assert "bomb.png claims 60000x60000 px" in refused(*line(command, folder))

    def test_hostile_names_stay_on_one_line(self, refused, line, make, command):
        folder = make.cells()
        (folder / "drug" / "two\nlines\x1b[31m.png").write_bytes(b"")
        assert "two\\nlines\\x1b[31m.png is empty" in refused(*line(command, folder))

    def test_unknown_column(self, refused, line, make, command):
        make.cells()
        table = make.root / "cells.csv"
        table.write_text("file\ncells/drug/1.png\n")
        sentence = refused(*line(command, table, "--columns", "label=treatment"))
        assert "no column 'treatment' (for label)" in sentence
        sentence = refused(*line(command, table, "--columns", "path=file", "--where", "well=A1"))
        assert "no column 'well' (for --where), expected one of: file" in sentence

    def test_bad_pairs(self, refused, line, make, command):
        assert "--columns got 'label'" in refused(*line(command, make.cells(), "--columns", "label"))
        assert "--where got '=1'" in refused(*line(command, make.cells(), "--where", "=1"))

    def test_file_that_may_not_be_read(self, refused, line, make, monkeypatch, command):
        locked, opened = make.cells() / "drug" / "7.png", Path.open

        def guarded(path, *arguments, **options):
            if path == locked:  # a right that root, who may run the tests, cannot be denied
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return opened(path, *arguments, **options)

        monkeypatch.setattr(Path, "open", guarded)
        sentence = refused(*line(command, locked.parents[1]))
        assert "7.png cannot be read" in sentence and "Permission denied" in sentence

    def test_unknown_device(self, refused, line, make, command):
        assert "--device got 'tpu'" in refused(*line(command, make.cells(), "--device", "tpu"))


@pytest.mark.parametrize("command", ON_IMAGES)
class TestPixels:
    def test_truncated_image(self, refused, line, make, command):
        folder = make.cells()
        file = folder / "drug" / "7.png"
        file.write_bytes(file.read_bytes()[:-40])
        assert "7.png is truncated" in refused(*line(command, folder))

    def test_nan_pixels(self, refused, line, make, command):
        folder = make.cells(dtype="float32", suffix=".tif")
        make.save("cells/drug/nan.tif", np.full((28, 28), np.nan, dtype=np.float32))
        assert "nan.tif holds NaN or Inf pixels" in refused(*line(command, folder))


def bomb(width, height):
    """A small PNG file that claims to be huge."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("command", ["fit", "explain"])
class TestFits:
    def test_one_class(self, refused, line, make, command):
        assert "Got 1 class (only)" in refused(*line(command, make.cells(classes=("only",))))

    def test_no_labels(self, refused, line, make, command):
        assert "have no labels" in refused(*line(command, make.flat()))

    def test_too_few_images(self, refused, line, make, command):
        assert "8 images, a" in (sentence := refused(*line(command, make.cells(count=4))))
        assert "needs at least 40" in sentence

    def test_output_folder_with_something_else(self, refused, line, make, tmp_path, command):
        file = tmp_path / "out" / ("model/mine.txt" if command == "explain" else "mine.txt")
        file.parent.mkdir(parents=True)
        file.write_text("keep")
        assert "is not empty (it holds mine.txt)" in refused(*line(command, make.cells()))

    def test_output_folder_that_is_a_file(self, refused, line, make, tmp_path, command):
        (tmp_path / "out").write_text("a file")
        assert "out is a file" in refused(*line(command, make.cells()))


class TestFitOptions:
    def test_unknown_or_impossible_settings(self, refused, make, tmp_path):
        base = ("fit", make.cells(), "--out", tmp_path / "out")
        assert "unknown field latent" in refused(*base, "--set", "latent=3")
        assert "latents='many'" in refused(*base, "--set", "latents=many")
        assert "--set got 'latents'" in refused(*base, "--set", "latents")
        assert "Invalid value for '--steps'" in refused(*base, "--steps", "0")
        assert "nowhere.yaml cannot be read" in refused(*base, "--config", tmp_path / "nowhere.yaml")
        (tmp_path / "odd.yaml").write_text("just text")
        assert "odd.yaml holds no fields" in refused(*base, "--config", tmp_path / "odd.yaml")

    def test_start_that_is_no_model_or_has_another_network(self, refused, make, tmp_path, model_folder):
        base = ("fit", make.cells(), "--out", tmp_path / "out")
        assert "--from" in refused(*base, "--from", tmp_path)
        assert "expected the same network" in refused(*base, "--from", model_folder, "--set", "latents=8")


class TestAttributes:
    @pytest.fixture
    def base(self, make, tmp_path):
        return ("attributes", make.cells(), "--out", tmp_path / "out")

    def test_no_model(self, refused, base, tmp_path):
        sentence = refused(*base, "--model", tmp_path / "nowhere", "--target", "drug")
        assert "nowhere does not exist: make one with diffex fit" in sentence

    def test_unknown_target(self, refused, base, model_folder):
        sentence = refused(*base, "--model", model_folder, "--target", "placebo")
        assert "--target got 'placebo', expected one of the classes DMSO, drug" in sentence

    def test_one_class(self, refused, make, tmp_path, model_folder):
        only = make.cells("only", classes=("drug",), count=30)
        sentence = refused(
            "attributes", only, "--model", model_folder, "--target", "drug", "--out", tmp_path / "out"
        )
        assert "Got 1 class (drug), expected at least 2: add images of another class" in sentence

    def test_failed_gates(self, refused, base, failed_model):
        assert "failed 1 of 1 gates" in refused(*base, "--model", failed_model, "--target", "drug")

    def test_images_of_another_form(self, refused, make, tmp_path, model_folder):
        folder = make.cells(dtype="uint16", suffix=".tif")
        sentence = refused(
            "attributes", folder, "--model", model_folder, "--target", "drug", "--out", tmp_path / "out"
        )
        assert "grey of 28x28 px in [0, 65535]" in sentence

    def test_too_few_images(self, refused, make, tmp_path, model_folder):
        folder = make.cells(count=4)
        sentence = refused(
            "attributes", folder, "--model", model_folder, "--target", "drug", "--out", tmp_path / "out"
        )
        assert "Got 8 images, the statistics need at least 24" in sentence

    def test_model_of_another_schema(self, refused, base, model_folder, tmp_path):
        copy = tmp_path / "old"
        copy.mkdir()
        record = json.loads((model_folder / "model.json").read_text())
        (copy / "model.json").write_text(json.dumps(record | {"schema": 99}))
        assert "schema 99" in refused(*base, "--model", copy, "--target", "drug")

    def test_output_folder_that_holds_another_run(self, refused, make, model_folder, run_folder):
        sentence = refused(
            "attributes", make.cells(), "--model", model_folder, "--target", "DMSO", "--out", run_folder
        )
        assert "holds another run (attributes of target 'drug'" in sentence


class TestDemo:
    def test_output_folder_with_something_else(self, refused, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine.txt").write_text("keep")
        assert "is not empty (it holds mine.txt)" in refused("demo", "--out", tmp_path / "out")


class TestBenchmark:
    def test_unknown_suite_and_row(self, refused, tmp_path):
        out = ("--out", tmp_path / "out")
        assert "'truthiness'" in refused("benchmark", "truthiness", *out)
        assert "'A99'" in refused("benchmark", "attributes", "--only", "A2,A99", *out)


class TestExplain:
    def test_unknown_target(self, refused, line, make):
        assert "--target got 'x', expected one of the classes DMSO, drug" in refused(
            *line("explain", make.cells(), "--target", "x")
        )

    def test_output_folder_that_holds_another_run(self, refused, make, run_folder):
        sentence = refused("explain", make.cells(), "--target", "DMSO", "--out", run_folder)
        assert "holds another run (attributes of target 'drug'" in sentence


class TestEdit:
    def test_unknown_concept_and_strength(self, refused, line, make):
        folder = make.cells(count=2)
        assert "--concept got 'x'" in refused(*line("edit", folder, "--concept", "x"))
        assert "--strength got nan" in refused(*line("edit", folder, "--strength", "nan"))

    def test_run_that_is_missing_or_of_another_schema(self, refused, make, tmp_path, run_folder):
        folder = make.cells(count=2)
        rest = ("--concept", "latent:0", "--out", tmp_path / "out")
        assert "is no finished run" in refused("edit", folder, "--run", tmp_path, *rest)
        head = run_folder / "explanation.json"
        head.write_text(head.read_text().replace('"schema": 1', '"schema": 7'))
        assert "explanation.json is of schema 7" in refused("edit", folder, "--run", run_folder, *rest)

    def test_model_that_is_gone_or_another(self, refused, line, make, run_folder, model_folder, failed_model):
        folder, head = make.cells(count=2), run_folder / "explanation.json"
        text = head.read_text()
        head.write_text(text.replace(str(model_folder), "gone"))
        assert "was gone, which is not there" in refused(*line("edit", folder))
        hashed = json.loads(text)["model"]["state_hash"]
        head.write_text(text.replace(hashed, "0" * 32))
        assert "its weights differ" in refused(*line("edit", folder))

    def test_output_folder_with_something_else(self, refused, line, make, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine.txt").write_text("keep")
        assert "is not empty (it holds mine.txt)" in refused(*line("edit", make.cells(count=2)))

    def test_names_that_would_fall_together(self, refused, line, make):
        folder = make.cells(count=2)
        make.save("cells/drug/0.tif", np.ones((28, 28), dtype=np.uint8))
        assert "drug/0.png and drug/0.tif would be written to the same file" in refused(*line("edit", folder))


class TestCounterfactual:
    @pytest.fixture
    def base(self, make, tmp_path, model_folder):
        make.cells(count=2)
        return ("counterfactual", "--model", model_folder, "--out", tmp_path / "out", "--target")

    def test_images_that_are_none_or_repeated(self, refused, base, tmp_path):
        image = tmp_path / "cells/drug/0.png"
        assert "nowhere.png is missing" in refused(*base, "drug", tmp_path / "nowhere.png")
        assert "is given twice" in refused(*base, "drug", image, image)
        image.write_bytes(image.read_bytes()[:-40])
        assert "0.png is truncated" in refused(*base, "drug", image)

    def test_images_of_another_form(self, refused, base, make):
        deep = make.save("deep.tif", np.full((28, 28), 300, dtype=np.uint16))
        assert "deep.tif holds uint16 pixels from 300 to 300" in refused(*base, "drug", deep)
        large = make.save("large.png", np.ones((40, 40), dtype=np.uint8))
        assert "grey of 40x40 px" in refused(*base, "drug", large)

    def test_unknown_target(self, refused, base, tmp_path):
        assert "--target got 'x'" in refused(*base, "x", tmp_path / "cells/drug/0.png")

    def test_failed_gates(self, refused, base, tmp_path, failed_model):
        image = tmp_path / "cells/drug/0.png"
        assert "failed 1 of 1 gates" in refused(*base, "drug", image, "--model", failed_model)

    def test_output_folder_with_something_else(self, refused, base, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine.txt").write_text("keep")
        sentence = refused(*base, "drug", tmp_path / "cells/drug/0.png")
        assert "is not empty (it holds mine.txt)" in sentence


class TestReport:
    def test_runs_that_are_none(self, refused, tmp_path):
        assert "is no finished run" in refused("report", tmp_path / "nowhere")

    def test_run_of_another_schema_is_named_and_the_rest_is_shown(self, cli, tmp_path, run_folder):
        head = run_folder / "explanation.json"
        head.write_text(head.read_text().replace('"schema": 1', '"schema": 7'))
        done = cli("report", run_folder, "--out", tmp_path / "report.html")
        assert done.code == 0
        assert "explanation.json is of schema 7, expected 1" in done.err
        assert "explanation.json is of schema 7, expected 1" in (tmp_path / "report.html").read_text()

    def test_output_that_is_no_html(self, refused, tmp_path, run_folder):
        assert "ends in .html" in refused("report", run_folder, "--out", tmp_path / "precious.csv")


class TestDisk:
    def test_parent_that_is_a_file(self, refused, make, tmp_path, run_folder):
        (tmp_path / "file").write_text("a file")
        sentence = refused(
            "edit", make.cells(count=2), "--run", run_folder, "--concept", "latent:0",
            "--out", tmp_path / "file" / "out",
        )  # fmt: skip
        assert "Cannot write" in sentence

    def test_full_disk_while_writing(self, cli, make, tmp_path, run_folder, monkeypatch):
        def full(*_, **__):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("diffex.base.files.tempfile.mkstemp", full)
        done = cli("report", run_folder, "--out", tmp_path / "report.html")
        assert (done.code, "No space left on device" in done.sentence) == (2, True)
        assert not (tmp_path / "report.html").exists()

    @pytest.mark.parametrize("command", ["fit", "attributes", "edit"])
    def test_full_disk_before_the_first_file(self, cli, line, make, tmp_path, monkeypatch, command):
        def full(*_, **__):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        smallest = ("--images", "24", "--concepts", "10") if command == "attributes" else ()
        asked = line(command, make.cells(), *smallest)
        before = {path for path in tmp_path.rglob("*") if path.is_file()}
        monkeypatch.setattr("diffex.base.files.tempfile.mkstemp", full)
        done = cli(*asked)
        assert (done.code, "Traceback" in done.err) == (2, False), done
        assert done.sentence.startswith("Cannot write ") and "No space left on device" in done.sentence
        assert {path for path in tmp_path.rglob("*") if path.is_file()} == before

    def test_full_disk_anywhere_else(self, cli, make, monkeypatch):
        def full(*_, **__):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

        monkeypatch.setattr("diffex.images.open_images", full)
        done = cli("doctor", make.cells(count=2))
        assert done.code == 2
        assert done.sentence.startswith("The disk is full (writing somewhere): free some space")


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("fit",), "Missing argument 'IMAGES'"),
            (("fit", "cells"), "Missing option '--out'"),
            (("fit", "cells", "--nope"), "No such option"),
            (("attributes", "cells", "--out", "o", "--target", "t"), "Missing option '--model'"),
            (("attributes", "cells", "--images", "3"), "Invalid value for '--images'"),
            (("doctor", "cells", "--seed", "-1"), "Invalid value for '--seed'"),
            (("report",), "Missing argument 'RUN...'"),
            (("nothing",), "No such command 'nothing'"),
        ],
    )
    def test_wrong_usage_is_one_sentence(self, refused, arguments, said):
        assert said in refused(*arguments)


def test_names_of_any_script_are_fine(cli, make):
    folder = make.cells(count=3)
    make.save("cells/drug/细胞 é '\";$(rm) 1.png", np.full((28, 28), 9, dtype=np.uint8))
    assert cli("doctor", folder).code == 0
