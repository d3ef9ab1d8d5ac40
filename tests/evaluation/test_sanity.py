import numpy as np
import pytest
import torch

from diffex.base.errors import FolderError, InputError
from diffex.classifiers import Classifier
from diffex.concepts.sources.making import make
from diffex.evaluation.sanity import agreement, check_sanity, shuffled


@pytest.fixture(scope="module")
def found(cells, model):
    directions = 3 * np.random.default_rng(0).standard_normal((12, model.generator.latents))
    return agreement(cells, model, make("axis", directions), 1, steps=2)


def test_every_robbed_classifier_has_a_row(found):
    assert found.table["kind"].tolist() == ["cascade"] * 3 + ["random"] * 3 + ["permuted"]
    assert found.table["agreement"].between(0, 1).all()
    assert found.table["classifier"].is_unique


def test_verdict_follows_from_those_that_know_nothing(found):
    empty = found.table.loc[found.table["kind"] != "cascade", "agreement"].mean()
    assert found.depends is bool(empty < 0.5)
    assert ("do not trust" in found.sentence) is not found.depends
    assert set(found.as_dict()) == {"table", "depends", "sentence"}


def test_shuffled_weights_are_the_same_numbers_and_the_classifier_is_left_alone(classifier):
    voice = classifier(0)
    before = voice.state_hash()
    last, every = shuffled(voice, 0.25, 0), shuffled(voice, 1.0, 0)
    assert voice.state_hash() == before != every.state_hash()
    own, moved = (dict(one.module.named_parameters()) for one in (voice, last))
    changed = [name for name in own if not torch.equal(own[name], moved[name])]
    assert "head.weight" in changed
    assert not any(name.startswith("features.0") for name in changed)
    first, second = (values["head.weight"].flatten().sort().values for values in (own, moved))
    assert torch.equal(first, second)


def test_function_cannot_be_shuffled(classifier):
    plain = Classifier(lambda x: x.mean(dim=(2, 3))[:, :2], classifier(0).card, differentiable=False)
    with pytest.raises(InputError, match="no weights to shuffle"):
        shuffled(plain, 1.0, 0)


def test_missing_run_is_one_sentence(cells, tmp_path):
    with pytest.raises(FolderError, match="nowhere"):
        check_sanity(cells, tmp_path / "nowhere", torch.device("cpu"))
