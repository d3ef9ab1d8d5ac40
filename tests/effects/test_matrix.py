from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from diffex.base.ledger import CostLedger
from diffex.classifiers import Classifier
from diffex.classifiers.margins import margins
from diffex.concepts import Concept
from diffex.editors import Inversion
from diffex.effects.matrix import Judge, effect_matrix, margin_of
from diffex.effects.search import attfind, greedy_coverage

CLASSES = ("round", "long", "dead")


@dataclass(frozen=True)
class Painter:
    """An editor that brightens one channel; every rendering is written down."""

    evaluations: int = 3
    rendered: list[int] = field(default_factory=list)

    def invert(self, x, ids):
        return Inversion(ids, x.mean((2, 3)), x)

    def null(self, inversion):
        self.rendered.append(len(inversion))
        return inversion.noise.clone()

    def edit(self, inversion, concept, strength):
        self.rendered.append(len(inversion))
        return inversion.noise + strength * concept.direction.view(1, -1, 1, 1)


CONCEPTS = [
    Concept(f"latent:{k}", "latent", str(k), torch.tensor(v))
    for k, v in enumerate([[8.0, 0.0], [0.0, 4.0], [0.0, 0.0], [-2.0, 6.0]])
]


def size_of(change):
    return change.square().mean((1, 2, 3)).sqrt()


@pytest.fixture
def classifier():
    """Three classes of two channels' means, trained on pixels in [-1, 1]."""
    net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(2, 3))
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([[20.0, 0.0], [0.0, 20.0], [-10.0, -10.0]]))
        net[2].bias.zero_()
    return Classifier.wrap(
        net, class_names=CLASSES, size=28, channels=2, value_range=(-1.0, 1.0), mean=0.0, std=1.0
    )


@pytest.fixture
def judge(classifier):
    return Judge(classifier, (0.0, 255.0), CostLedger())


@pytest.fixture
def inversion():
    g = torch.Generator().manual_seed(0)
    x = 127 + 20 * torch.randn(7, 2, 1, 1, generator=g) + 10 * torch.randn(7, 2, 28, 28, generator=g)
    return Painter().invert(x, tuple("abcdefg"))


def test_evaluations_counted_are_those_made(judge, inversion):
    editor = Painter()
    matrix = effect_matrix(editor, judge, inversion, CONCEPTS, size_of, batch=3)
    renders = 7 * (2 * len(CONCEPTS) + 1)
    assert sum(editor.rendered) == renders
    assert judge.ledger.nfe == {"null": 7 * 3, "matrix": 7 * 2 * 4 * 3}
    assert sum(judge.ledger.nfe.values()) == renders * editor.evaluations
    assert judge.ledger.classifier_calls == renders
    assert matrix.ids == inversion.ids
    assert matrix.concepts == tuple(c.id for c in CONCEPTS)


def test_matrix_does_not_depend_on_the_batch(judge, inversion):
    one, many = (effect_matrix(Painter(), judge, inversion, CONCEPTS, size_of, batch=b) for b in (1, 64))
    np.testing.assert_allclose(one.edits, many.edits, atol=1e-5)
    np.testing.assert_allclose(one.sizes, many.sizes, rtol=1e-5)


def test_one_matrix_answers_for_every_class(judge, inversion):
    matrix = effect_matrix(Painter(), judge, inversion, CONCEPTS, size_of)
    null, up = margins(torch.from_numpy(matrix.null)), margins(torch.from_numpy(matrix.edits[:, 1, 0]))
    for target in range(3):
        np.testing.assert_allclose(matrix.effects(target)[:, 1, 0], (up - null)[:, target], atol=1e-9)
    assert matrix.effects(0)[:, 0, 0].min() > 0 > matrix.effects(0)[:, 0, 1].max()
    assert matrix.effects(1)[:, 1, 0].min() > 0


def test_a_concept_that_does_nothing_has_no_effect_at_all(judge, inversion):
    matrix = effect_matrix(Painter(), judge, inversion, CONCEPTS, size_of)
    assert (matrix.effects(2)[:, 2] == 0).all()
    assert (matrix.sizes[2] == 0).all()


def test_sizes_are_those_of_the_pictures(judge, inversion):
    matrix = effect_matrix(Painter(), judge, inversion, CONCEPTS, size_of, batch=2)
    expected = [size_of(c.direction.view(1, 2, 1, 1).expand(1, 2, 28, 28)).item() for c in CONCEPTS]
    np.testing.assert_allclose(matrix.sizes, np.stack([expected, expected], axis=1), rtol=1e-4)


def test_flips_count_where_the_null_edit_is_not_the_target(judge, inversion):
    matrix = effect_matrix(Painter(), judge, inversion, CONCEPTS, size_of)
    assert matrix.flips(0).shape == (7, 4, 2)
    assert (matrix.eligible(0) == (matrix.null.argmax(1) != 0)).all()
    assert 0 < matrix.eligible(0).sum() < 7


def test_margins_of_any_shape(judge):
    logits = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    expected = logits[..., 1] - np.log(np.exp(np.delete(logits, 1, axis=-1)).sum(-1))
    np.testing.assert_allclose(margin_of(logits, 1), expected)


def test_search_on_the_matrix_equals_search_on_fresh_renders(judge, inversion):
    """Nothing is rendered again, and nothing would differ if it were."""
    matrix = effect_matrix(Painter(), judge, inversion, CONCEPTS, size_of)
    cached = matrix.effects(1)
    used = judge.ledger.classifier_calls
    found = attfind(cached, most=9, threshold=0.5)
    needed = -margin_of(matrix.null, 1)
    covered = greedy_coverage(cached.reshape(7, -1), needed, most=9)
    assert judge.ledger.classifier_calls == used

    def fresh(row, concept, sign):
        one = inversion.rows(row, row + 1)
        editor = Painter()
        before, after = (judge.logits(x) for x in (editor.null(one), editor.edit(one, concept, sign)))
        return (margin_of(after, 1) - margin_of(before, 1)).item()

    again = np.array([[[fresh(i, c, s) for s in (1, -1)] for c in CONCEPTS] for i in range(7)])
    np.testing.assert_allclose(cached, again, atol=1e-4)
    assert [(f.concept, f.sign, f.explained) for f in attfind(again, most=9, threshold=0.5)] == [
        (f.concept, f.sign, f.explained) for f in found
    ]
    assert greedy_coverage(again.reshape(7, -1), needed, most=9) == covered
    assert 1 <= len(found) <= len(CONCEPTS)
