from dataclasses import replace

import pandas as pd
import pytest
import torch

from diffex.base.errors import InputError
from diffex.explainers.explainer import AttributeExplainer
from diffex.testing import check_explainer


def test_attribute_explainer_keeps_the_contract(tiny, fitting_cells, model_folder, tmp_path):
    explainer = AttributeExplainer(
        "treated", folder=model_folder, generator=tiny.GENERATOR,
        config=tiny.config(images=24, concepts=10), device="cpu",
    )  # fmt: skip
    check_explainer(explainer, fitting_cells, tmp_path / "saved")


def test_an_explainer_says_what_is_missing(model_folder, new_cells, tmp_path):
    explainer = AttributeExplainer("treated", device="cpu")
    with pytest.raises(InputError, match="call fit, or from_pretrained, first"):
        explainer.explain(new_cells)
    with pytest.raises(InputError, match="fitted explainer"):
        explainer.save_pretrained(tmp_path / "saved")
    opened = AttributeExplainer.from_pretrained(model_folder, "treated", device="cpu")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    with pytest.raises(InputError, match="empty folder"):
        opened.save_pretrained(tmp_path / "full")


class Echo:
    """An explainer that gives back one explanation; `config` is what it gets wrong."""

    def __init__(self, target, config, model, explanation):
        self.target, self.config, self.device = target, config, "cpu"
        self.model_, self.explanation, self.times = model, explanation, 0

    def fit(self, images, classifier=None):
        return None if self.config == "fit gives nothing" else self

    def explain(self, images):
        self.times += 1
        if self.config == "alters the classifier":
            with torch.no_grad():
                next(self.model_.classifier.module.parameters()).add_(1e-3 * (1.5 - self.times))
        if self.config == "explains nothing":
            return replace(self.explanation, effects=pd.DataFrame(columns=["concept"]))
        if self.config == "forgets directions":
            return replace(self.explanation, directions={})
        drift = self.times if self.config == "drifts" else 0
        drift += self.config == "loses on saving" and isinstance(self, Reopened)
        effects = self.explanation.effects
        return replace(self.explanation, effects=effects.assign(effect=effects["effect"] + drift))

    def save_pretrained(self, folder):
        KEPT[str(folder)] = (self.model_, self.explanation)
        return folder

    @classmethod
    def from_pretrained(cls, folder, target, *, classifier=None, config=None, device="auto"):
        return Reopened(target, config, *KEPT[str(folder)])


class Reopened(Echo):
    pass


KEPT = {}


def test_contract_passes_an_honest_explainer(new_cells, model, explained, tmp_path):
    check_explainer(Echo("treated", "", model, explained), new_cells, tmp_path)


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        ("fit gives nothing", "fit returned something else"),
        ("explains nothing", "table of effects is empty"),
        ("forgets directions", "has no direction"),
        ("drifts", "explaining twice changed an effect"),
        ("loses on saving", "saving and opening changed an effect"),
        ("alters the classifier", "state hash changed"),
    ],
)
def test_contract_finds(new_cells, model, explained, tmp_path, defect, said):
    weights = {k: v.clone() for k, v in model.classifier.module.state_dict().items()}
    try:
        with pytest.raises(AssertionError, match=said):
            check_explainer(Echo("treated", defect, model, explained), new_cells, tmp_path)
    finally:
        model.classifier.module.load_state_dict(weights)


def test_contract_wants_the_target_asked_for(new_cells, model, explained, tmp_path):
    with pytest.raises(AssertionError, match="is of 'treated', expected 'control'"):
        check_explainer(Echo("control", "", model, explained), new_cells, tmp_path)
