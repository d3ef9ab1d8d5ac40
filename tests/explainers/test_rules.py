"""The rule method end to end, on a tiny model."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from diffex import RuleExplainer
from diffex.app.listing import list_cells, orders_of
from diffex.app.questions import CellsQuestion
from diffex.base.errors import ClassifierError, FolderError, GateError, InputError
from diffex.base.ledger import CostLedger
from diffex.classifiers import Classifier
from diffex.editors import LatentEditor
from diffex.effects.matrix import margin_of
from diffex.explainers.claims import require_free_run
from diffex.explainers.rules import explain, learnt, seeing
from diffex.explainers.rules.attack_run import move_factors, require_both_sides
from diffex.explainers.rules.config import RuleConfig
from diffex.explainers.rules.directions import map_factors
from diffex.explainers.rules.explain import explain_rules
from diffex.explainers.rules.factors import latent_factors, measured_factors, pixel_reader
from diffex.explainers.rules.flips import smallest_flips
from diffex.explainers.rules.yardstick import find_yardstick
from diffex.generators.tcvae import fitting
from diffex.report import render_report
from diffex.rules.expression import symbol
from diffex.rules.factors import Factor, Factors
from diffex.rules.rule import Rule
from diffex.rules.rule_set import RuleSet
from diffex.runs import read_run, write_run

SMALL = {
    "target": "treated", "engines": ("library",), "images": 24, "verify_images": 12, "shown": 2,
    "halves": 2, "most_factors": 2, "nodes": 12, "force": True,
}  # fmt: skip


def config(**more):
    return RuleConfig(**SMALL | more)


@pytest.fixture(scope="session", autouse=True)
def short_path():
    """Sparse networks are beside the point here, and take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explain, "_PATH_STEPS", 10)
        yield


@pytest.fixture(scope="session")
def many_cells(tiny):
    """More than there are measurements, also after a third is set aside."""
    return tiny.cells(260, seed=2)


@pytest.fixture(scope="session")
def ruled(many_cells, model):
    return explain_rules(many_cells, model, config())


@pytest.fixture
def folder(ruled, tmp_path):
    return write_run(ruled, tmp_path / "run")


def test_it_says_what_it_did(ruled):
    assert ruled.summary["method"] == "rules"
    assert ruled.summary["target"] == ruled.rules["target"] == "treated"
    said, tested, edited = ruled.summary["answer"]
    rules = RuleSet.from_dict(ruled.rules)
    assert f"this is above 0: {rules.of('treated').expression} (" in said
    assert f"On {ruled.rules['fidelity']['images']} held-out images" in tested
    assert "correlation" in edited
    assert ruled.config["engines"] == ["library"]


def test_rules_read_measurements_in_their_units(ruled, many_cells):
    known = {m.name: m for m in measured_factors(many_cells.subset(range(4))).meanings}
    for factor in RuleSet.from_dict(ruled.rules).rules[0].factors:
        assert known[factor.name] == factor
    assert set(ruled.rules["codes_r2"]) <= set(known)


def test_fidelity_is_on_images_that_no_search_has_seen(ruled, many_cells, model):
    """A rule is worse at agreeing with noise than with the classifier, and as good as it says."""
    tested = ruled.rules["fidelity"]
    assert 24 <= tested["images"] < len(many_cells) / 2
    rules = RuleSet.from_dict(ruled.rules)
    factors = measured_factors(many_cells)
    logits = np.concatenate([model.classifier.logits(x, many_cells.value_range).numpy()
                             for _, x in many_cells.batches(64)])  # fmt: skip
    agree = (rules.margins(factors).argmax(axis=1) == logits.argmax(axis=1)).mean()
    assert agree == pytest.approx(tested["agreement"][0], abs=0.12)
    assert margin_of(logits, 1).std() > 0


def test_what_it_cost_is_counted(ruled):
    nfe, seconds = ruled.cost["nfe"], ruled.cost["seconds"]
    assert nfe["interventions"] >= 0
    assert {"rules", "factors", "interventions", "matrix"} <= set(seconds)
    assert ruled.cost["nfe_total"] == sum(nfe.values())
    assert ruled.cost["classifier_calls"] >= 160


def test_the_factors_of_the_rules_are_edited(ruled):
    kinds = set(ruled.effects["kind"])
    assert kinds == {"factor", "random"}
    edited = {c["id"].partition(":")[2] for c in ruled.concepts if c["kind"] == "factor"}
    assert edited <= set(ruled.rules["codes_r2"])
    assert edited


def test_cells_in_dispute_are_listed_and_shown(ruled, many_cells, folder):
    told, pictures = ruled.rules["disagreements"], ruled.examples["disagreements"]
    assert told["images"] == ruled.rules["fidelity"]["images"]
    assert told["count"] == round((1 - ruled.rules["fidelity"]["agreement"][0]) * told["images"])
    assert len(told["cells"]) == len(pictures) == min(8, told["count"]) > 0
    places = [many_cells.ids.index(cell["id"]) for cell in told["cells"]]
    np.testing.assert_array_equal(pictures, many_cells.read(places).numpy())
    assert all(cell["classifier"] != cell["rule"] for cell in told["cells"])
    render_report(folder)
    page = (folder / "report.html").read_text().split("Where rule and network disagree")[1]
    assert page.index("<img") < page.index(told["cells"][0]["id"])


def test_what_the_rule_says_stands_beside_every_cell(ruled, many_cells):
    rules, factors = RuleSet.from_dict(ruled.rules), measured_factors(many_cells)
    said = rules.margins(factors)[[many_cells.ids.index(name) for name in ruled.cells["id"]]]
    columns = [f"rule_{name}" for name in rules.class_names]
    np.testing.assert_allclose(ruled.cells[columns].to_numpy(), said, atol=1e-6)
    listed = list_cells(ruled, CellsQuestion(order="disputed"), None)
    logits = ruled.cells[[f"logit_{name}" for name in rules.class_names]].to_numpy()
    margins = np.stack([margin_of(logits, k) for k in range(2)], axis=1)
    own = margins.argmax(1)
    gap = np.take_along_axis(margins - said, own[:, None], 1)[:, 0]
    assert listed.entries[0].name == ruled.cells["id"][gap.argmax()]


def test_only_a_rule_can_be_disputed(ruled):
    assert "disputed" in orders_of(ruled)
    assert "disputed" not in orders_of(replace(ruled, rules=None))


def test_the_run_folder_gives_it_back(ruled, folder):
    again = read_run(folder)
    assert (folder / "rules.json").exists()
    assert RuleSet.from_dict(again.rules) == RuleSet.from_dict(ruled.rules)
    assert again.rules["fidelity"]["agreement"] == list(ruled.rules["fidelity"]["agreement"])
    assert again.summary == ruled.summary
    assert write_run(again, folder) == folder


def test_damaged_rules_are_refused(folder):
    (folder / "rules.json").write_text("{}")
    with pytest.raises(FolderError, match=r"rules.json is damaged \(it lacks class_names\)"):
        read_run(folder)


def test_the_report_shows_the_formula(folder, ruled):
    render_report(folder)
    page = (folder / "report.html").read_text()
    assert "The rule in place of the network" in page
    assert '<math display="block">' in page
    assert "Says what the classifier says" in page
    for factor in RuleSet.from_dict(ruled.rules).rules[0].factors:
        assert re.search(rf"<mi>{factor.name}</mi>", page)
    assert "nan" not in page.split("The rule in place")[1].split("</section>")[0]


def test_runs_of_other_methods_have_no_formula_panel(explained, tmp_path):
    folder = write_run(explained, tmp_path / "run")
    render_report(folder)
    assert "The rule in place of the network" not in (folder / "report.html").read_text()
    assert read_run(folder).rules is None


def test_runs_of_another_method_are_not_overwritten(ruled, explained, folder, model):
    require_free_run(folder, "treated", model.state_hash(), "rules")
    with pytest.raises(FolderError, match="holds another run \\(rules of target 'treated'"):
        require_free_run(folder, "treated", model.state_hash(), "attributes")
    before = (folder / "explanation.json").read_bytes()
    with pytest.raises(FolderError, match="already holds another run \\(rules of target 'treated'"):
        write_run(explained, folder)
    assert (folder / "explanation.json").read_bytes() == before
    assert (folder / "rules.json").exists()


def test_the_first_class_gets_the_rule_with_its_sign_turned(many_cells, model, ruled):
    before = model.classifier.state_hash()
    other = explain_rules(many_cells, model, config(target="control"))
    assert model.classifier.state_hash() == before
    assert other.rules["target"] == "control"
    plain, turned = RuleSet.from_dict(ruled.rules), RuleSet.from_dict(other.rules)
    assert plain == turned, "the classifier and the seed are the same"
    assert f"above 0: {turned.of('control').expression} (" in other.summary["answer"][0]
    a, b = ruled.rules["interventions"], other.rules["interventions"]
    np.testing.assert_allclose(a["correlation"], b["correlation"], atol=1e-6)


def test_latents_can_be_factors(many_cells, model):
    found = explain_rules(many_cells, model, config(factors="autoencoder", halves=0))
    rule = RuleSet.from_dict(found.rules).rules[0]
    assert found.rules["factor_source"] == "autoencoder"
    assert all(re.fullmatch(r"z\d+", name) for name in rule.names)
    assert all("latent" in factor.words for factor in rule.factors)
    assert rule.stability == {}


def test_latent_factors_are_in_standard_deviations(many_cells, model):
    codes = model.generator.encode(many_cells.read())
    factors = latent_factors(model.generator, codes, measured_factors(many_cells))
    assert factors.names == tuple(f"z{i + 1}" for i in range(codes.shape[1]))
    spread = model.generator.code_cov.diagonal().sqrt().double().numpy()
    np.testing.assert_allclose(factors.values * spread, codes.double().numpy(), rtol=1e-5, atol=1e-6)


SHORT = {
    "latents": 4,
    "beta": 1.0,
    "side": 32,
    "pose": "canonical",
    "steps": 150,
    "batch_size": 16,
    "lr": 4e-3,
}


@pytest.fixture
def short_learning(monkeypatch):
    monkeypatch.setattr(learnt, "_SETTINGS", SHORT)


@pytest.mark.usefixtures("short_learning")
def test_factors_can_be_learnt(many_cells, model, tmp_path, monkeypatch):
    wanted = config(factors="tcvae", halves=0)
    found = explain_rules(many_cells, model, wanted)
    assert found.rules["factor_source"] == "tcvae"
    rules = RuleSet.from_dict(found.rules)
    assert all(re.fullmatch(r"z\d", name) for name in rules.rules[0].names)
    assert all("measurements explain" in factor.words for factor in rules.rules[0].factors)
    names = [str(name) for name in found.examples["factors"]]
    assert set(rules.rules[0].names) == set(names) == set(found.rules["codes_r2"])
    assert found.examples["traversals"].shape == (len(names), 5, *many_cells.read([0]).shape[1:])
    assert np.isfinite(found.rules["interventions"]["correlation"]).all()

    folder = write_run(found, tmp_path / "run")
    render_report(folder)
    page = (folder / "report.html").read_text()
    assert "What the learnt factors look like" in page and f"{names[0]} from low to high" in page

    monkeypatch.setattr(fitting, "train", None)  # a second run finds what the first one learnt
    explainer = RuleExplainer("treated", config=wanted)
    explainer.model_ = model
    assert RuleSet.from_dict(explainer.explain(many_cells).rules) == rules


@pytest.mark.usefixtures("short_learning")
def test_learnt_factors_are_moved_one_at_a_time(many_cells, tmp_path):
    some = many_cells.subset(range(120))
    made = learnt.learn_factors(some, some, measured_factors(some), tmp_path, 0, torch.device("cpu"))
    mean, _ = made.model.posterior(some.read())
    np.testing.assert_allclose(made.factors.values, mean[:, list(made.places)].double().numpy(), atol=1e-6)
    name, other = made.factors.names[-1], "area"
    [(concept, change)] = made.requests([name], [other, name])
    spread = made.factors.values[:, -1].std()
    np.testing.assert_allclose(change, [0.0, spread])
    moved = torch.zeros(made.model.latents)
    moved[made.places[-1]] = spread
    torch.testing.assert_close(concept.direction, moved)
    strip = made.traversals([name])[0]
    steps = [float((strip[i] - strip[2]).abs().mean()) for i in range(5)]
    assert steps[0] > steps[1] > steps[2] == 0 < steps[3] < steps[4]


def test_images_that_teach_no_factor_are_refused(many_cells, tmp_path, monkeypatch):
    some, measured = many_cells.subset(range(60)), Factors((), np.zeros((60, 0)))
    with pytest.raises(InputError, match="Got 60 images to learn factors from, expected at least 100"):
        learnt.learn_factors(some, some, measured, tmp_path, 0, torch.device("cpu"))
    monkeypatch.setattr(learnt, "_SETTINGS", SHORT | {"steps": 1})
    some = many_cells.subset(range(120))
    with pytest.raises(InputError, match="The images teach the VAE no factor"):
        learnt.learn_factors(some, some, measured, tmp_path, 0, torch.device("cpu"))


@pytest.fixture(scope="session")
def attacked(many_cells, model):
    pytest.importorskip("art")
    few = {"attacks": True, "attack_images": 16, "attack_queries": 3, "twin_steps": 3, "halves": 0}
    return explain_rules(many_cells, model, config(**few))


def test_rules_are_attacked_beside_the_classifier(attacked, model, tmp_path):
    pixels, moves = attacked.rules["attacks"]["pixels"], attacked.rules["attacks"]["moves"]
    assert [one["name"] for one in pixels["models"]] == ["classifier", "sparse network", "rules"]
    assert pixels["images"] == 16
    assert pixels["grey_levels"] == pytest.approx(255 * pixels["budget"])
    first, *others = pixels["models"]
    assert "transfer" not in first["by_attack"]
    for one in others:
        assert one["kept"][0] <= min(one["by_attack"].values()) + 1e-9
        assert one["kept_more"][0] == pytest.approx(one["kept"][0] - first["kept"][0])
        assert 0 <= one["guide_agrees"] <= 1
    assert first["guide_agrees"] is None
    shown = attacked.examples["attacked"]
    assert np.abs(shown[1:] - shown[0]).max() <= pixels["grey_levels"] + 1e-3
    assert moves[0]["beyond"] <= moves[1]["beyond"]
    for move in moves:
        assert move["agreed"] <= move["images"] and 0.3 < move["accuracy"] <= 1
    assert attacked.cost["seconds"]["attacks"] > 0
    rendered = attacked.cost["nfe"]["attacks"] / LatentEditor(model.generator).evaluations
    assert rendered == 4 * 96 + 3 * 2 * pixels["images"]
    folder = write_run(attacked, tmp_path / "run")
    assert read_run(folder).rules["attacks"] == attacked.rules["attacks"]
    render_report(folder)
    page = (folder / "report.html").read_text()
    assert "accuracy that each model keeps at the same budget" in page and "sparse network" in page


def test_attacks_read_pixels_without_the_masks_that_came_with_them(many_cells):
    some = many_cells.subset(range(6))
    read = pixel_reader(some, 0)(some.read())
    np.testing.assert_array_equal(read.values, measured_factors(replace(some, has_masks=False), 0).values)
    if some.has_masks:
        assert (read.values != measured_factors(some, 0).values).any()


def test_attacks_need_the_target_and_another_class_on_both_sides(many_cells, model):
    seen = seeing.see(many_cells, model, config(), CostLedger())
    require_both_sides(seen, 1, "treated")
    labels = np.where(seen.test, 0, many_cells.labels)
    lacking = replace(seen, images=replace(many_cells, labels=labels))
    with pytest.raises(InputError, match=r"--attacks got \d+ images that test rules, 0 of them 'treated'"):
        require_both_sides(lacking, 1, "treated")
    with pytest.raises(InputError, match=r"--attacks got (\d+) images that test rules, \1 of them 'control'"):
        require_both_sides(lacking, 0, "control")


def stubborn(card, says):
    logits = torch.where(torch.arange(2) == says, 1.0, -1.0)
    return Classifier.wrap(
        lambda x: logits.repeat(len(x), 1), class_names=card.class_names, size=card.size,
        channels=card.channels, value_range=card.value_range, mean=card.mean, std=card.std,
    )  # fmt: skip


def test_a_classifier_that_never_changes_its_mind_follows_no_flip(ruled, many_cells, model):
    """Where it contradicts the rule from the start it does not count as flipped."""
    ledger, rules = CostLedger(), RuleSet.from_dict(ruled.rules)
    seen = seeing.see(many_cells, model, config(), ledger)
    tests, agreed = seen.tests.subset(range(24)), 0
    for says in range(2):
        judged = replace(model, classifier=stubborn(model.classifier.card, says))
        told, _ = move_factors(seen, tests, judged, rules, config(), ledger)
        assert all(one["classifier"] is None or one["classifier"][0] == 0 for one in told)
        agreed += told[0]["agreed"]
    assert agreed == round(told[0]["flipped"] * told[0]["images"]) > 0


def test_attacks_need_labels(many_cells, model):
    pytest.importorskip("art")
    with pytest.raises(InputError, match="--attacks got images without labels"):
        explain_rules(replace(many_cells, labels=None), model, config(attacks=True))


@pytest.mark.parametrize("beyond", [0.0, 1.0])
def test_the_least_move_of_factors_flips_a_rule(beyond):
    """Of a linear rule over codes themselves it is the projection onto the boundary."""
    random = np.random.default_rng(0)
    codes = random.normal(size=(400, 4))
    factors = Factors((Factor("a", "a"), Factor("b", "b")), codes[:, :2] * [2.0, 5.0])
    a, b = symbol("a"), symbol("b")
    rule = Rule("x", 1.0 * a - 0.4 * b + 0.3, factors.meanings)
    covariance = np.cov(codes.T)
    known = map_factors(codes, covariance, factors)
    found = smallest_flips(rule, factors.rows(range(50)), torch.from_numpy(codes[:50]), known, beyond)
    assert found.flips.all()
    margin = 2 * codes[:50, 0] - 2 * codes[:50, 1] + 0.3
    moves = found.codes.numpy()
    after = margin + moves @ known.forward @ [1.0, -0.4]
    np.testing.assert_allclose(np.sign(margin) * after, -beyond, atol=1e-3)
    slope = np.array([2.0, -2.0, 0.0, 0.0])
    shortest = (np.abs(margin) + beyond) / np.sqrt(slope @ covariance @ slope)
    length = np.sqrt(np.einsum("ni,ij,nj->n", moves, np.linalg.inv(covariance), moves))
    np.testing.assert_allclose(length, shortest, rtol=0.1)  # the map is a ridge's: it shrinks a little


def test_a_yardstick_is_the_quantity_that_tells_the_class():
    random = np.random.default_rng(1)
    is_class = np.arange(200) % 2 == 0
    values = np.stack([random.normal(size=200), np.where(is_class, -3, 3) + random.normal(size=200)], axis=1)
    measured = Factors((Factor("noise", "noise"), Factor("ratio", "ratio")), values)
    found = find_yardstick(measured, is_class)
    assert found.factor.name == "ratio" and not found.above and found.accuracy > 0.99
    assert (found.tells(measured) == is_class).mean() > 0.99
    assert find_yardstick(measured, is_class, "noise").accuracy < 0.7


def test_a_rule_that_reads_nothing_is_refused(many_cells, model, monkeypatch):
    """Where no factor tells what the classifier says."""
    real = seeing.measured_factors

    def unrelated(*arguments):
        factors = real(*arguments)
        return replace(factors, values=np.random.default_rng(0).normal(size=factors.values.shape))

    monkeypatch.setattr(seeing, "measured_factors", unrelated)
    with pytest.raises(InputError, match=r"No formula of at most 5 nodes .* does better for treated"):
        explain_rules(many_cells, model, config(nodes=5, halves=0))


@pytest.mark.parametrize("seed", range(3))
def test_a_direction_moves_its_factor_and_holds_the_others(seed):
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(8, 8))
    codes = random.normal(size=(600, 8)) @ mixing
    law = random.normal(size=(8, 3))
    values = codes @ law * [1.0, 50.0, 1e-3] + [0, 100, 1]
    factors = Factors(tuple(Factor(n, n) for n in "abc"), values)
    found = map_factors(codes, np.cov(codes.T), factors)
    assert (found.r2 > 0.99).all()
    moved = found.backward @ law * [1.0, 50.0, 1e-3]
    relative = moved / values.std(axis=0) * values.std(axis=0)[:, None]  # in standard deviations
    np.testing.assert_allclose(relative, np.eye(3), atol=0.1)


def test_gates_images_and_targets_are_checked(tiny, many_cells, model):
    with pytest.raises(GateError):
        explain_rules(many_cells, model, config(force=False))
    with pytest.raises(InputError, match="--target got 'x'"):
        explain_rules(many_cells, model, config(target="x"))
    dim = tiny.cells(24, seed=3, value_range=(0.0, 65535.0))
    with pytest.raises(ClassifierError, match=r"in \[0, 65535\]"):
        explain_rules(dim, model, config())
    with pytest.raises(InputError, match=r"Got 40 images, of which .* may test the rules"):
        explain_rules(many_cells.subset(range(40)), model, config())


@pytest.mark.parametrize(
    "wrong", [{"engines": ()}, {"engines": ("gplearn",)}, {"factors": "pixels"}, {"nodes": 1}, {"more": 1}]
)
def test_wrong_configurations_are_refused(wrong):
    with pytest.raises(ValidationError):
        config(**wrong)
