"""``diffex counterfactual --run RUN``: what is found is kept in the run, and told by its report."""

import json

from diffex.runs import read_run, salvage_run


def test_the_run_keeps_it_and_its_report_tells(cli, make, model_folder, run_folder, tmp_path):
    image = make.cells(count=2) / "DMSO/0.png"
    base = ("counterfactual", image, "--model", model_folder, "--target", "drug")
    before = {path: path.read_bytes() for path in run_folder.rglob("*") if path.is_file()}
    assert cli(*base, "--out", tmp_path / "alone").code == 0
    assert not (run_folder / "counterfactuals").exists()
    done = cli(*base, "--run", run_folder, "--out", tmp_path / "why")
    assert done.code == 0, done
    assert all(path.read_bytes() == content for path, content in before.items())
    (kept,) = salvage_run(run_folder).counterfactuals
    (row,) = json.loads((tmp_path / "why/counterfactuals.json").read_text())
    assert (kept.told.id, kept.told.flipped) == (row["id"], row["flipped"])
    assert cli("report", run_folder).code == 0
    assert "Why this cell" in (run_folder / "report.html").read_text(encoding="utf-8")


def test_a_run_of_another_model_is_refused(refused, make, model_folder, run_folder, tmp_path):
    head = run_folder / "explanation.json"
    summary = read_run(run_folder).summary
    head.write_text(json.dumps(summary | {"model": {**summary["model"], "state_hash": "other"}}))
    image = make.cells(count=2) / "DMSO/0.png"
    rest = ("--run", run_folder, "--target", "drug", "--out", tmp_path / "out")
    assert "a run of another model" in refused("counterfactual", image, "--model", model_folder, *rest)
