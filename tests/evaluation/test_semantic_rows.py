"""S7's pixel measurements tell the classes apart, and phrases a person would name are in its trees."""

import numpy as np
import pytest
import torch

from diffex.evaluation.semantics.real import CASES, darkness, sleeves
from diffex.evaluation.sets import BCCD, FASHION
from diffex.images import sample


def test_sleeves_are_what_lies_beside_the_body():
    x = torch.zeros(2, 1, 28, 28)
    x[:, :, 4:24, 9:19] = 1.0
    x[1, :, 6:22, 2:6] = 1.0
    short, long = sleeves(x)
    assert short == 0.0
    assert long > 0.2


def test_a_purple_middle_is_dark():
    x = torch.ones(2, 3, 64, 64)
    x[1, :2, 20:44, 20:44] = 0.2
    pale, purple = darkness(x)
    assert pale == 0.0
    assert purple > 0.3


@pytest.mark.parametrize("name", [BCCD, FASHION])
def test_the_pixel_measurement_tells_the_target_from_the_others(name, data_set):
    case = CASES[name]
    images = case.open(data_set(name), "test")
    values, own = case.pixel(images.read()), images.labels == images.class_names.index(case.target)
    ranks = values.argsort().argsort()
    auroc = (ranks[own].sum() - own.sum() * (own.sum() - 1) / 2) / (own.sum() * (~own).sum())
    assert auroc > 0.75


@pytest.mark.parametrize("name", [BCCD, FASHION])
def test_phrases_that_a_person_would_name_are_said_of_some_images(name, data_set):
    case = CASES[name]
    images = case.open(data_set(name), "test")
    some = sample(images, 40, 0)
    tree = case.tree(some)
    phrases = {node.phrase for node in tree.phrases()}
    assert set(case.named) & phrases
    said = case.captions(some, tree)
    assert len(said) == 40
    assert np.mean([bool(set(case.named) & set(one)) for one in said]) > 0.1
