import json

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def table(make):
    """Forty control cells and forty of dose 5, eight wells."""
    folder = make.cells(count=40)
    rows = [
        {"path": f"{name}/{k}.png", "dose": dose, "well": f"{name}{k % 4}", "word": f"about {dose}"}
        for name, dose in (("DMSO", 0), ("drug", 5))
        for k in range(40)
    ]
    pd.DataFrame(rows).to_csv(folder / "cells.csv", index=False)
    return folder / "cells.csv"


@pytest.fixture
def line(table, run_folder, tmp_path):
    def build(*more, images=table):
        return (
            "responders", images, "--columns", "path=path,group=well", "--run", run_folder,
            "--out", tmp_path / "answer", "--repeats", 20, *more,
        )  # fmt: skip

    return build


def test_everything_is_written_and_said(cli, line, tmp_path):
    done = cli(*line("--dose", "dose", "--json"))
    assert done.code == 0, done
    result = json.loads(done.out)
    assert {row["kind"] for row in result["answers"]} == {"attribute", "classifier", "measurement"}
    files = {path.name for path in (tmp_path / "answer").iterdir()} - {"cells.h5ad"}
    assert files == {
        "answers.csv", "doses.csv", "request.json", "responders.csv", "responders.html", "scores.parquet",
        "summary.json", "summary.txt",
    }  # fmt: skip
    page = (tmp_path / "answer" / "responders.html").read_text(encoding="utf-8")
    page = page.replace('src="data:image/png', "")  # cells, where they are shown
    assert page.count("<svg") == len(result["answers"])
    assert all(f"<b>{row['name']}</b>" in page for row in result["answers"])
    assert not any(mark in page for mark in ("http://", "https://", "src=", "url(", "<script"))


def test_folders_of_two_classes_need_no_column(cli, make, run_folder, tmp_path):
    out = tmp_path / "answer"
    done = cli("responders", make.cells(count=30), "--run", run_folder, "--out", out, "--repeats", 20)
    assert done.code == 0, done
    assert "60 cells: 30 controls (DMSO) against drug." in done.out
    assert "Mind: No wells are known (--group)" in done.out


def test_doses_that_are_no_numbers(refused, line):
    assert "Column word holds 'about 0' (80 of 80 cells)" in refused(*line("--dose", "word"))


def test_unknown_columns(refused, line):
    assert "--dose got 'nM', expected a column of the images" in refused(*line("--dose", "nM"))
    assert "--group got 'plate'" in refused(*line("--dose", "dose", "--group", "plate"))


def test_no_control(refused, line):
    said = refused(*line("--dose", "dose", "--where", "dose=5"))
    assert "Controls (dose 0) are 0 cells" in said
    assert "--control dose=7 is true of no cell" in refused(*line("--dose", "dose", "--control", "dose=7"))


def test_fewer_controls_than_a_score_needs(refused, line, table):
    rows = pd.read_csv(table)
    rows[(rows["dose"] > 0) | (rows.index < 9)].to_csv(table, index=False)
    assert "Scores got 9 control cells, expected 20" in refused(*line("--dose", "dose"))


def test_absent_files(refused, line, table):
    pd.concat([pd.read_csv(table), pd.DataFrame([{"path": "gone.png", "dose": 5}])]).to_csv(
        table, index=False
    )
    assert "gone.png" in refused(*line("--dose", "dose", "--where", "dose=0,5", "--columns", "path=path"))


def test_images_of_other_channels(refused, make, run_folder, tmp_path):
    for name in ("DMSO", "drug"):
        pixels = np.random.default_rng(0).integers(0, 255, (28, 28, 3), dtype=np.uint8)
        for k in range(20):
            make.save(f"rgb/{name}/{k}.png", pixels)
    said = refused("responders", make.root / "rgb", "--run", run_folder, "--out", tmp_path / "o")
    assert "expects grey of 28x28 px" in said


def test_another_request_into_the_same_folder(cli, line, refused):
    assert cli(*line("--dose", "dose")).code == 0
    assert "holds the result of another command" in refused(*line("--dose", "dose", "--seed", 3))


def test_no_run(refused, line, tmp_path):
    said = refused("responders", tmp_path / "cells", "--run", tmp_path / "none", "--out", tmp_path / "o")
    assert str(tmp_path / "none") in said
