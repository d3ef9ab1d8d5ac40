from dataclasses import replace

from diffex.report.drivers import driver_panel
from diffex.report.sheets import sheets


def test_quantities_are_shown_with_what_to_beware_of(explanation):
    panel = driver_panel(explanation)
    assert [row.words for row in panel.rows] == explanation.drivers["words"].tolist()
    assert panel.rows[0].effect == "+3.79" and panel.rows[0].interval == "+2.90 to +4.70"
    assert [row.significant for row in panel.rows] == [True, True, False]
    carried, unmeasured, bent = panel.told
    assert "44" in carried and "512 random changes" in carried
    assert "nothing that is listed" in unmeasured
    assert "38" in bent and "averages" in bent


def test_nothing_to_beware_of_is_not_said(explanation, changed):
    panel = driver_panel(
        changed(summary={"drivers": {"moves": 512, "share": 0.95, "straight": 0.8, "full": False}})
    )
    assert len(panel.told) == 1
    assert driver_panel(changed(summary={"drivers": None})).told == ()


def test_a_short_code_is_said_to_be_short(changed):
    told = driver_panel(
        changed(summary={"drivers": {"moves": 64, "share": 0.3, "straight": 0.8, "full": True}})
    ).told
    assert len(told) == 2 and "too short" in told[1]


def test_runs_without_the_table_have_no_panel(explanation):
    assert driver_panel(replace(explanation, drivers=None)) is None
    assert driver_panel(replace(explanation, drivers=explanation.drivers[:0])) is None
    assert "drivers" not in sheets(replace(explanation, drivers=None), {})
    assert sheets(explanation, {})["drivers"].startswith('"quantity","words","effect"')


def test_the_console_names_what_is_followed(explanation):
    said = repr(explanation).splitlines()[-1]
    assert "mean DNA in the nucleus +3.79, nucleus area -0.61" in said and "ring" not in said
    assert "carry 44%" in said
