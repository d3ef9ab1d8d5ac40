import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import diffex
from diffex.base.errors import FolderError, InputError
from diffex.explainers.claims import request_about
from diffex.explainers.magnification import magnification
from diffex.explainers.responders.batches import find_batches
from diffex.explainers.responders.config import ResponderConfig
from diffex.explainers.responders.curves import answer_curves
from diffex.explainers.responders.design import read_design
from diffex.explainers.responders.populations import Populations, find_populations
from diffex.explainers.responders.scoring import CLASSIFIER, Scored, Value
from diffex.explainers.responders.showing import shown_cells
from diffex.explainers.responders.wording import sentences
from diffex.images import PlantedCells, images_from_arrays
from diffex.images.planted_factors import CHANNEL_NAMES, FACTORS
from diffex.responses.scores import ScoreAxes
from diffex.runs import read_run

DOSES = (0.0, 1.0, 2.0, 4.0, 8.0)
WELLS, CELLS = 3, 9


def series(share=1.0, wells=WELLS, **more):
    """Planted cells of 32 px whose cytoplasm brightens with the dose, in a share of the cells."""
    planted = PlantedCells(32)
    by_well = np.repeat(DOSES, [wells] * len(DOSES))
    doses = np.repeat(by_well, CELLS * WELLS // wells)
    names = np.repeat(np.arange(len(by_well)), CELLS * WELLS // wells)
    factors = planted.sample_factors(len(doses), seed=8)
    answers = np.random.default_rng(1).random(len(doses)) < share
    factors[:, FACTORS.index("cytoplasm_intensity")] += 4 * answers * doses**2 / (doses**2 + 4)
    seeds = np.arange(len(doses))
    table = pd.DataFrame({"dose": doses, "plate": names % 2, "note": ["a" if d else "=b" for d in doses]})
    fields = {
        "value_range": (0.0, 255.0),
        "channel_names": CHANNEL_NAMES,
        "ids": [f"{k}.png" for k in range(len(doses))],
        "groups": np.array([f"w{name:02d}" for name in names]),
        "masks": np.asarray(planted.nucleus_masks(factors, seeds)),
        "table": table,
        "pixel_size_um": planted.pixel_size_um,
    }
    return images_from_arrays(255 * planted.render(factors, seeds).numpy(), **fields | more)


@pytest.fixture(scope="module")
def dosed():
    return series()


@pytest.fixture(scope="module")
def run(explained, tmp_path_factory):
    return explained.save(tmp_path_factory.mktemp("explained") / "run")


@pytest.fixture(scope="module")
def answer(dosed, run, tiny):
    return diffex.responders(dosed, run, device=tiny.CPU, dose="dose", repeats=20)


def test_everything_is_answered_side_by_side(answer, dosed):
    assert answer.answers["kind"].unique().tolist() == ["attribute", "classifier", "measurement"]
    assert len(answer.doses) == len(answer.answers) * len(DOSES)
    assert set(answer.doses["condition"]) == {"control", "1", "2", "4", "8"}
    score = answer.answers.set_index("name").loc[CLASSIFIER]
    assert score["trend"] > 0.8
    assert score["lowest"] in DOSES[1:]
    assert 0.5 < score["ec50"] < 8
    assert answer.doses["over"].eq("wells").all()
    assert len(answer.scores) == len(dosed)


def test_what_answers_first_is_said_in_plain_words(answer):
    first = answer.head["first"]
    lowest = answer.answers.set_index("name")["lowest"]
    assert lowest[first] == lowest.min()
    assert answer.summary[0] == "135 cells of 15 wells: 27 controls (dose 0) against 4 doses in column dose."
    assert answer.summary[1].startswith("First to answer: ")
    assert repr(answer).splitlines() == list(answer.summary)
    assert "failed a gate" in answer.warnings[0]


def test_it_shows_itself_in_a_notebook(answer):
    html = answer._repr_html_()
    assert html.count("<svg") == len(answer.answers)
    assert "answers first" in html
    assert "<script" not in html


def test_plates_and_wells_are_looked_at(answer):
    assert [one["batch"] for one in answer.head["confounds"]] == ["plate", "well"]


def test_another_run_of_the_same_model_is_another_question(explained, dosed):
    def asked(run):
        return request_about("responders", run, dosed, ResponderConfig())

    later = replace(explained, summary=explained.summary | {"created": "later"})
    assert asked(explained) == asked(explained) != asked(later)


def test_saved_tables_can_be_read_and_hold_no_formula(answer, tmp_path):
    out = answer.save(tmp_path / "out")
    scores = pd.read_parquet(out / "scores.parquet")
    assert scores["dose (table)"].tolist() == scores["dose"].tolist()  # the images' own columns are kept
    assert scores["condition"].nunique() == len(DOSES)
    assert len(pd.read_csv(out / "doses.csv")) == len(answer.doses)
    kept = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert kept["summary"] == list(answer.summary)
    assert (out / "summary.txt").read_text(encoding="utf-8").startswith(answer.summary[0])
    answer.save(out)  # the same request again
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FolderError, match=r"not empty \(it holds thesis.txt\)"):
        answer.save(tmp_path / "taken")


def test_anndata_file_is_read_back(answer, tmp_path):
    anndata = pytest.importorskip("anndata", reason="the extra anndata is not installed")
    answer.save(tmp_path / "out")
    cells = anndata.read_h5ad(tmp_path / "out" / "cells.h5ad")
    assert cells.obs_names.tolist() == answer.scores["id"].tolist()
    assert cells.obs["note"].tolist() == answer.scores["note"].tolist()
    assert cells.obs["condition"].astype(str).tolist() == answer.scores["condition"].tolist()
    names = cells.uns["diffex"]["score_names"].tolist()
    assert np.array_equal(cells.obsm["scores"], answer.scores[names].to_numpy())
    read_off = cells.X.astype(np.float64) @ cells.varm["scores"]
    away = (read_off - cells.obsm["scores"])[cells.obs["condition"].astype(str) != "control"]
    assert np.allclose(away - away[0], 0, atol=1e-4)
    assert cells.uns["diffex"]["answers"]["name"].astype(str).tolist() == answer.answers["name"].tolist()
    assert json.loads(cells.uns["diffex"]["summary"]) == list(answer.summary)


def test_one_well_per_dose_works_and_says_so(run, tiny):
    found = diffex.responders(series(wells=1), run, device=tiny.CPU, dose="dose", top=1, repeats=20)
    assert "One well of each condition: no interval over wells is possible there" in " ".join(found.warnings)
    assert "tested over cells" in " ".join(found.warnings)
    assert found.doses["over"].eq("cells").all()


def test_few_controls_are_refused_before_any_cell_is_read(run, tiny):
    table = pd.DataFrame({"dose": [0, 2]})
    images = images_from_arrays(np.zeros((2, 1, 28, 28)), value_range=(0, 1), table=table)
    with pytest.raises(InputError, match="Scores got 1 control cells, expected 20"):
        diffex.responders(images, run, device=tiny.CPU, dose="dose")


def test_another_magnification_is_said(run, tiny, dosed):
    assert not [one for one in magnification(read_run(run), dosed) if one]
    (said,) = magnification(read_run(run), replace(dosed, pixel_size_um=2 * dosed.pixel_size_um))
    assert "the model sees cells 0.5 times as large as those it knows" in said


def test_one_treated_class_is_compared_with_the_other(run, tiny, dosed):
    treated = np.flatnonzero(dosed.table["dose"].isin([0, 8]))
    some = dosed.subset(treated)
    labels = (some.table["dose"] > 0).to_numpy(dtype=np.int64)
    images = images_from_arrays(
        some.read().numpy(), value_range=(0.0, 255.0), channel_names=CHANNEL_NAMES, labels=labels,
        class_names=("control", "treated"), groups=some.groups, masks=np.asarray(some.read_masks()),
        pixel_size_um=some.pixel_size_um,
    )  # fmt: skip
    found = diffex.responders(images, run, device=tiny.CPU, top=1, repeats=20)
    assert set(found.doses["condition"]) == {"control", "treated"}
    assert "ec50" not in found.answers
    assert found.answers.set_index("name").loc[CLASSIFIER, "lowest_p"] < 0.05
    assert (found.doses["verdict"].notna() == (found.doses["condition"] == "treated")).iloc[:4].all()


class TestDesign:
    """What each cell got; no model is needed."""

    @staticmethod
    def images(**columns):
        table = pd.DataFrame(columns)
        return images_from_arrays(np.zeros((len(table), 1, 28, 28)), value_range=(0, 1), table=table)

    @staticmethod
    def read(images, **options):
        return read_design(images, diffex.ResponderConfig(**options), "drug")

    def test_controls_may_have_no_dose(self):
        images = self.images(dose=["", "none", "2.50", "10"], kind=["c", "p", "x", "x"])
        design = self.read(images, dose="dose", control="kind=c", positive="kind=p")
        assert design.conditions.tolist() == ["control", "positive", "2.5", "10"]
        assert design.doses[[0, 2, 3]].tolist() == [0, 2.5, 10]
        assert design.treated == ("2.5", "10")

    def test_numbers_match_as_numbers(self):
        design = self.read(self.images(dose=[0.0, 3.0], c=[1.0, 2.0]), dose="dose", control="c=1")
        assert design.control.tolist() == [True, False]

    def test_a_treated_class_may_be_called_positive(self):
        images = images_from_arrays(
            np.zeros((4, 1, 28, 28)), value_range=(0, 1), labels=np.array([0, 0, 1, 1]),
            class_names=("negative", "positive"),
        )  # fmt: skip
        design = read_design(images, diffex.ResponderConfig(), "positive")
        assert design.conditions.tolist() == ["control", "control", "positive cells", "positive cells"]
        assert design.treated == ("positive cells",)
        assert not design.positive.any()

    def test_doses_that_are_no_numbers(self):
        with pytest.raises(InputError, match=r"Column dose holds 'high' \(1 of 2 cells\)"):
            self.read(self.images(dose=["0", "high"]), dose="dose")

    def test_cells_without_a_dose(self):
        with pytest.raises(InputError, match=r"Column dose holds nothing \(1 of 3 cells\)"):
            self.read(self.images(dose=[0, None, 2.0]), dose="dose")

    def test_nothing_but_controls(self):
        with pytest.raises(InputError, match=r"are 2 cells and the others 0, .*: give treated cells too"):
            self.read(self.images(dose=[0, 0]), dose="dose")

    def test_a_well_of_two_doses_is_refused_before_any_cell_is_read(self):
        images = self.images(dose=[0, 2, 2, 0], w=list("abab"), kind=list("xxyy"))
        with pytest.raises(InputError, match="Well a has cells of dose 0 and 2"):
            self.read(images, dose="dose", group="w")
        assert self.read(images, dose="dose", group="w", positive="kind=y").positive.sum() == 2

    def test_no_control(self):
        with pytest.raises(InputError, match=r"Controls \(dose 0\) are 0 cells and the others 2"):
            self.read(self.images(dose=[1, 2]), dose="dose")

    def test_unknown_column(self):
        with pytest.raises(InputError, match=r"--dose got 'does', expected a column of the images \(dose\)"):
            self.read(self.images(dose=[0, 2]), dose="does")

    def test_control_that_is_true_of_no_cell(self):
        with pytest.raises(InputError, match="--control dose=7 is true of no cell, column dose holds 0, 2"):
            self.read(self.images(dose=[0, 2]), dose="dose", control="dose=7")

    def test_controls_that_leave_out_cells_of_dose_0(self):
        with pytest.raises(InputError, match="Column dose is 0 for 1 cells that --control k=a leaves out"):
            self.read(self.images(dose=[0, 0, 2], k=list("abb")), dose="dose", control="k=a")

    def test_empty_wells(self):
        with pytest.raises(InputError, match="Column w is empty for 1 of 2 cells"):
            self.read(self.images(dose=[0, 2], w=["A", None]), dose="dose", group="w")

    def test_without_labels_or_doses(self):
        with pytest.raises(InputError, match="The images have no labels"):
            self.read(self.images(dose=[0, 2]))


class TestKnownValues:
    """Values made up so that the answer is known; no model is needed."""

    CONFIG = ResponderConfig(dose="dose", group="well", repeats=20)

    @classmethod
    def made(cls, *, plate=0.0):
        """An attribute that moves in 9 of 20 cells at dose 4, a score that moves in none."""
        random = np.random.default_rng(0)
        doses, wells = np.repeat([0.0, 1, 4], 120), np.arange(360) // 20
        answers = (doses == 4) & (np.arange(360) % 20 < 9)
        attribute = random.normal(size=360) + 7 * answers + plate * (wells % 2)
        score = random.normal(size=360)
        table = pd.DataFrame({"dose": doses, "well": wells, "Metadata_Plate": wells % 2})
        images = images_from_arrays(np.zeros((360, 1, 28, 28)), value_range=(0, 1), table=table)
        values = (Value("a", "attribute", "grows", "sd"), Value(CLASSIFIER, "classifier", "margin", "logits"))
        both = pd.DataFrame({"a": attribute, CLASSIFIER: score})
        axes = ScoreAxes(("a",), np.zeros(1), np.ones((1, 1)))
        scored = Scored(values, both, np.zeros((360, 1), dtype=np.float32), axes, ())
        return images, scored, read_design(images, cls.CONFIG, "drug"), answers

    def test_the_cells_that_respond_are_listed(self):
        images, scored, design, answers = self.made()
        found = find_populations(scored, design, images.ids, self.CONFIG)
        verdicts = found.table.set_index(["name", "condition"])["verdict"].to_dict()
        assert verdicts == {
            ("a", "1"): "none",
            ("a", "4"): "mixture",
            (CLASSIFIER, "1"): "none",
            (CLASSIFIER, "4"): "none",
        }
        listed = {images.ids.index(name) for name in found.cells["id"]}
        truth = set(np.flatnonzero(answers).tolist())
        assert len(listed & truth) / len(listed | truth) > 0.9
        assert found.cells["probability"].is_monotonic_decreasing
        assert found.probability.loc[design.control].isna().all().all()
        curves = answer_curves(scored, design, 0)
        words = " ".join(sentences(curves, found, (), design))
        assert curves.first == "a"
        assert "First to answer: attribute a (grows), from dose 4 on" in words
        assert f"{CLASSIFIER} never" in words
        assert "By a at 4: Two populations" in words

    def test_responders_are_shown_beside_controls(self):
        images, scored, design, answers = self.made()
        found = find_populations(scored, design, images.ids, self.CONFIG)
        shown = shown_cells(images, scored, found, design)
        rows = [images.ids.index(name) for name in shown["responder_ids"]]
        assert shown["name"] == "a" and len(rows) == 8 and answers[rows].all()
        controls = [images.ids.index(name) for name in shown["control_ids"]]
        assert design.control[controls].all() and scored.table["a"][controls].is_monotonic_increasing
        assert shown["responders"].shape == shown["controls"].shape == (8, 1, 28, 28)
        nobody = replace(found, cells=found.cells.head(0))
        assert shown_cells(images, scored, nobody, design) is None

    def test_a_trend_is_said_where_no_single_dose_departs(self):
        _, scored, design, _ = self.made()
        curves = answer_curves(scored, design, 0)
        found = Populations(*(pd.DataFrame() for _ in range(3)), ())

        def said(p):
            answers = curves.answers.assign(trend=0.6, trend_p=[0.9, p])
            return sentences(replace(curves, answers=answers, first=None), found, (), design)[1]

        assert said(0.03) == "Nothing departs from controls at a false discovery rate of 0.05."
        assert said(0.01).endswith(
            f"0.05 at any single dose, but over all doses {CLASSIFIER} follows dose (trend +0.60, p = 0.02, "
            "Bonferroni over 2 values)."
        )

    def test_too_few_cells_are_not_asked(self):
        images, scored, design, _ = self.made()
        few = np.flatnonzero((design.doses != 1) | (np.arange(360) < 130))
        some = Scored(
            scored.values, scored.table.iloc[few].reset_index(drop=True), scored.codes[few], scored.axes, ()
        )
        design = read_design(images.subset(few), self.CONFIG, "drug")
        found = find_populations(some, design, images.subset(few).ids, self.CONFIG)
        assert set(found.table["condition"]) == {"4"}
        assert found.warnings == ("Fewer than 20 cells of 1: no responders are sought there.",)

    def test_a_plate_effect_is_named(self):
        images, scored, design, _ = self.made(plate=4.0)
        plate, _ = find_batches(images, scored, design, 0)
        assert plate.flagged == ("a",)
        assert "a separates plates" in plate.words


def test_run_without_a_significant_attribute_is_refused(explained, dosed, tmp_path):
    nothing = explained.effects.assign(significant=False)
    folder = type(explained)(**{**vars(explained), "effects": nothing}).save(tmp_path / "run")
    with pytest.raises(InputError, match="no significant attribute"):
        diffex.responders(dosed, folder, dose="dose")
