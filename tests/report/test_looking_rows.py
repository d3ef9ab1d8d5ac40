"""Row L5 on a small run: what the benchmark says of a report."""

from diffex.evaluation.looking.reports import measure_report, with_many_cells
from diffex.runs import read_run, write_run


def test_size_and_seconds_of_a_report_with_many_cells(tmp_path, explanation):
    run = write_run(explanation, tmp_path / "run")
    many = with_many_cells(run, tmp_path / "many")
    assert len(read_run(many).cells) == 20_000
    rows = measure_report("a run", many, tmp_path / "report.html")
    size, seconds = next(rows), next(rows)
    assert size.value == (tmp_path / "report.html").stat().st_size / 1e6 < 15
    assert seconds.value > 0 and (size.target, seconds.target) == ("<= 15", "<= 20")
