import json
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest
import tifffile
from PIL import Image

import diffex
from diffex.cli import app
from diffex.images import open_images

COMMANDS = {
    "demo", "explain", "crop", "doctor", "fit", "attributes", "rules", "semantics",
    "counterfactual", "edit", "responders", "score", "report", "app", "benchmark",
}  # fmt: skip
COMMON = ("--json", "--seed", "--device", "--debug")


def test_commands_are_those_that_exist():
    assert {command.callback.__name__ for command in app.registered_commands} == COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_has_an_example_and_the_common_options(cli, command):
    done = cli(command, "--help")
    assert done.code == 0
    assert f"Example: diffex {command}" in done.out
    assert all(option in done.out for option in COMMON)


@pytest.mark.parametrize(
    "command", ["explain", "doctor", "fit", "attributes", "rules", "semantics", "edit", "responders", "score"]
)
def test_commands_on_images_take_tables(cli, command):
    text = cli(command, "--help").out
    assert all(option in text for option in ("--columns", "--where", "--pixel-size", "--channels"))


def test_help_and_no_command_show_all_in_order_of_use(cli):
    for arguments in ((), ("--help",)):
        done = cli(*arguments)
        assert done.code == 0
        listed = [line.split()[0] for line in done.out.split("Commands:")[1].strip().splitlines()]
        assert (set(listed), listed[:3]) == (COMMANDS, ["demo", "explain", "crop"])


def test_help_is_quick_and_imports_nothing_heavy():
    code = "import sys; from diffex.cli import run; run(['fit', '--help']); print('torch' in sys.modules)"
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert done.stdout.splitlines()[-1] == "False"
    assert min(seconds) < 1


def test_reader_that_leaves_early_is_no_error():
    code = "import sys; from diffex.cli import main; sys.argv = ['diffex', '--help']; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as done:
        done.stdout.close()
        assert done.stderr.read() == b""
    assert done.returncode == 0


def test_doctor_says_what_differs_and_writes_nothing(cli, make, tmp_path):
    folder = make.cells()
    before = sorted(tmp_path.rglob("*"))
    done = cli("doctor", folder)
    assert done.code == 0
    assert "DMSO 24, drug 24" in done.out
    assert "WARNING: There are 48 images, fewer than 200" in done.out
    assert sorted(tmp_path.rglob("*")) == before


def test_doctor_json_and_folder(cli, make, tmp_path, classifier_folder):
    out = tmp_path / "checkup"
    arguments = ("doctor", make.cells(), "--classifier", classifier_folder, "--json", "--out", out)
    done = cli(*arguments)
    assert done.code == 0, done
    result = json.loads(done.out)
    assert result["counts"] == {"DMSO": 24, "drug": 24}
    assert sum(result["agreement"]["predicted"].values()) == 48
    assert {"words", "difference", "low", "high"} <= set(result["differences"][0])
    assert json.loads((out / "checkup.json").read_text()) == result
    with Image.open(out / "cells.png") as sheet:
        assert sheet.size[0] > 10 * 28
    assert cli(*arguments).code == 0  # the same command again


def test_doctor_of_unlabelled_images_takes_the_predictions(cli, make, classifier_folder):
    done = cli("doctor", make.flat(), "--classifier", classifier_folder, "--json")
    result = json.loads(done.out)
    assert result["agreement"]["balanced_accuracy"] is None
    assert any("own predictions" in problem["sentence"] for problem in result["problems"])


def test_doctor_narrows_a_table(cli, make):
    folder = make.cells()
    rows = [f"cells/{c}/{i}.png,{c},w{i % 8},{i % 2}" for c in ("DMSO", "drug") for i in range(24)]
    table = folder.parent / "cells.csv"
    table.write_text("\n".join(["file,treatment,well,half", *rows]))
    columns = "path=file,label=treatment,group=well"
    done = cli(
        "doctor", table, "--columns", columns, "--where", "half=0", "--where", "well=w0,w2,w4", "--json"
    )
    result = json.loads(done.out)
    assert (result["counts"], result["groups"]) == ({"DMSO": 9, "drug": 9}, 3)


def test_edit_writes_edits_and_null_edits_under_the_images_own_names(cli, make, tmp_path, run_folder):
    folder, out = make.cells(count=3), tmp_path / "edited"
    arguments = (
        "edit",
        folder,
        "--run",
        run_folder,
        "--concept",
        "latent:0",
        "--strength",
        "-1",
        "--out",
        out,
    )
    done = cli(*arguments, "--json")
    assert done.code == 0, done
    names = {path.relative_to(folder) for path in folder.rglob("*.png")}
    for part in ("edit", "null"):
        assert {path.relative_to(out / part) for path in (out / part).rglob("*.png")} == names
        assert open_images(out / part).dtype == "uint8"
    result = json.loads(done.out)
    assert [row["file"] for row in result["edits"]] == [row["id"] for row in result["edits"]]
    assert (out / "edits.csv").exists()
    assert cli(*arguments).code == 0  # the same command again


def test_edits_keep_what_a_tiff_says_and_maps_hold_the_change(cli, make, tmp_path, run_folder):
    folder, out = make.cells(count=2, suffix=".ome.tif"), tmp_path / "edited"
    given = ("--concept", "latent:0", "--strength", "1", "--pixel-size", "0.5")
    assert cli("edit", folder, "--run", run_folder, *given, "--out", out).code == 0
    edit, null, change = (open_images(out / part) for part in ("edit", "null", "map"))
    assert edit.ids == null.ids == change.ids == open_images(folder).ids
    assert {one.pixel_size_um for one in (edit, null, change)} == {0.5}
    assert (edit.dtype, change.dtype) == ("uint8", "float32")
    assert (edit.read() - null.read() - change.read()).abs().max() <= 1  # both were rounded
    assert change.read().min() < 0


def test_counterfactual_json_tells_the_results(cli, make, tmp_path, run_folder, model_folder):
    image = make.cells(count=1) / "DMSO" / "0.png"
    rest = ("--target", "drug", "--run", run_folder, "--out", tmp_path / "why", "--json")
    done = cli("counterfactual", image, "--model", model_folder, *rest)
    assert done.code == 0, done
    (one,) = json.loads(done.out)["results"]
    assert {"id", "flipped", "size", "distance", "margin_null", "changes"} <= set(one)
    assert set(one["logits_null"]) == set(one["logits_counterfactual"]) == {"DMSO", "drug"}
    assert {"parts", "rest"} == set(one["shares"])
    assert json.loads((tmp_path / "why" / "counterfactuals.json").read_text()) == [one]


def test_edit_at_strength_0_is_the_null_edit_and_beyond_the_manifold_is_said(cli, make, tmp_path, run_folder):
    arguments = ("edit", make.cells(count=2), "--run", run_folder, "--concept", "latent:0")
    done = cli(*arguments, "--strength", "0", "--out", tmp_path / "zero", "--json")
    assert all(row["edit"] == row["null"] for row in json.loads(done.out)["edits"])
    done = cli(*arguments, "--strength", "9", "--out", tmp_path / "far")
    assert "Strength 9 is beyond 1, the largest" in done.out


def test_edit_finds_the_model_inside_a_run_that_was_moved(cli, make, tmp_path, run_folder, model_folder):
    head = run_folder / "explanation.json"
    head.write_text(head.read_text().replace(str(model_folder), "gone"))
    (run_folder / "model").symlink_to(model_folder, target_is_directory=True)
    done = cli(
        "edit", make.cells(count=2), "--run", run_folder, "--concept", "latent:0", "--out", tmp_path / "o"
    )
    assert done.code == 0, done


def test_report_of_a_run(cli, tmp_path, run_folder):
    done = cli("report", run_folder, "--out", tmp_path / "looked.html", "--json")
    assert done.code == 0, done
    assert json.loads(done.out)["report"] == str(tmp_path / "looked.html")
    assert "<html" in (tmp_path / "looked.html").read_text()


def test_16_bit_and_float_images_are_examined(cli, make):
    for dtype, span in (("uint16", "[0, 65535]"), ("float32", "[0, 1]")):
        done = cli("doctor", make.cells(dtype, dtype=dtype, suffix=".tif"))
        assert (done.code, f"{dtype} in {span}" in done.out) == (0, True), done


def test_edits_of_16_bit_images_would_keep_their_depth(make, tmp_path):
    images = open_images(make.cells(count=2, dtype="uint16", suffix=".tif"))
    written = diffex.images.write_image(tmp_path / "a.tif", images.read([0])[0], "uint16", images.value_range)
    np.testing.assert_array_equal(tifffile.imread(written)[0], images.read([0])[0, 0].numpy())


def test_face_is_lazy_and_complete():
    assert {"open_images", "fit_model", "explain_attributes", "report", "testing"} <= set(dir(diffex))
    assert diffex.open_images is open_images
    assert diffex.report is diffex.report  # importing the room of that name must not hide it
    assert callable(diffex.report)
    assert callable(diffex.testing.check_classifier)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        diffex.nothing  # noqa: B018


def test_interruption_says_that_the_command_goes_on(cli, make, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("diffex.images.open_images", interrupt)
    done = cli("doctor", make.cells(count=2))
    assert (done.code, done.sentence) == (130, "Interrupted: the same command goes on from where it was.")


def test_unexpected_errors_are_one_sentence_unless_debug(cli, make, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("diffex.images.open_images", fail)
    done = cli("doctor", make.cells(count=2))
    assert (done.code, len(done.err.strip().splitlines())) == (1, 1)
    assert "--debug shows where" in done.err
    assert "Traceback" in cli("doctor", make.cells(count=2), "--debug").err


def test_version_is_that_of_the_package(cli):
    try:
        expected = version("diffex")
    except PackageNotFoundError:
        pytest.skip("diffex is not installed (pip install -e .): it has no version")
    assert cli("--version").out == f"diffex {expected}\n"
