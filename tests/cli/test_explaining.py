"""``diffex explain`` end to end: attributes, rules beside them, and one report of both."""

import json

import pytest
import torch

from diffex.classifiers import Classifier, export_classifier
from diffex.cli.explaining import _show_demo
from diffex.evaluation.demo import Finding
from diffex.explainers import config, significance
from diffex.explainers.rules import config as rule_config
from diffex.explainers.rules import explain
from diffex.generators import GeneratorConfig, presets
from diffex.runs import read_run

FORMULA = "The rule in place of the network"


class FewAttributes(config.AttributeConfig):
    images: int = 24
    concepts: int = 10
    verify_images: int = 12
    verify_depth: int = 1


class ShortRules(rule_config.RuleConfig):
    engines: tuple[str, ...] = ("library",)
    images: int = 24
    verify_images: int = 12
    halves: int = 0
    nodes: int = 5


@pytest.fixture
def command(make, tmp_path, monkeypatch):
    """Of a classifier that looks at the mean, and sizes that take seconds."""
    monkeypatch.setattr(config, "AttributeConfig", FewAttributes)
    monkeypatch.setattr(rule_config, "RuleConfig", ShortRules)
    monkeypatch.setattr(explain, "_PATH_STEPS", 10)
    small = GeneratorConfig(latents=4, widths=(16, 16), steps=1, depth=2)
    monkeypatch.setattr(presets, "resolve_config", lambda *_: small)
    monkeypatch.setattr(significance, "NULL_DIRECTIONS", 8)
    net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(1, 2))
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([[-20.0], [20.0]]))
        net[2].bias.copy_(torch.tensor([3.9, -3.9]))
    card = {"size": 28, "channels": 1, "value_range": (0, 1), "mean": 0, "std": 1}
    wrapped = Classifier.wrap(net, class_names=["DMSO", "drug"], **card)
    export_classifier(wrapped, tmp_path / "net.pt2")
    rest = ("--classifier", tmp_path / "net.pt2", "--force", "--out")
    return lambda count: ("explain", make.cells(count=count), *rest, tmp_path / "out")


def test_rules_are_sought_too_and_one_report_shows_both(cli, command, tmp_path):
    done = cli(*command(90), "--json")
    assert done.code == 0, done
    result, out = json.loads(done.out), tmp_path / "out"
    rules = read_run(out / "rules")
    assert rules.summary["method"] == "rules" and rules.summary["target"] == "drug"
    assert rules.summary["model"] == read_run(out).summary["model"]
    assert result["rules"]["run"] == str(out / "rules")
    assert result["rules"]["answer"] == rules.summary["answer"]
    page = (out / "report.html").read_text()
    assert FORMULA in page and '<math display="block">' in page
    for words in ("2 runs side by side", "1: drug (attributes)", "2: drug (rules)"):
        assert words in page


def test_where_there_can_be_no_rules_it_says_so_and_goes_on(cli, command, tmp_path):
    arguments = command(24)
    done = cli(*arguments)
    assert done.code == 0, done
    said = [line for line in done.out.splitlines() if line.startswith("No rules: ")]
    assert len(said) == 1 and "add images." in said[0]
    page = (tmp_path / "out" / "report.html").read_text()
    assert FORMULA not in page and "runs side by side" not in page
    assert not (tmp_path / "out" / "rules").exists()
    again = json.loads(cli(*arguments, "--json").out)  # the same command again
    assert again["rules"] == {"refused": said[0]}


def test_a_folder_of_rules_that_holds_something_else_is_refused(refused, make, run_folder):
    (run_folder / "rules").mkdir()
    (run_folder / "rules" / "mine.txt").write_text("keep")
    sentence = refused("explain", make.cells(), "--target", "drug", "--out", run_folder)
    assert "rules is not empty (it holds mine.txt)" in sentence


def test_the_demo_prints_the_ranking_and_what_was_found(run_folder, capsys):
    explanation = read_run(run_folder)
    findings = (Finding("cell_area", "cell grows", 1, 0.9), Finding("debris", "", 0, 0.0))
    _show_demo("shortcut", explanation, findings, run_folder / "report.html")
    said = capsys.readouterr().out
    assert repr(explanation) in said and "+0.50 [+0.50, +0.50]" in said
    assert "1 of 2 planted factors were found." in said
