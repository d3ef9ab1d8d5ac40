from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from diffex.base.errors import InputError
from diffex.concepts import SOURCES, Concept, image_cosines, merge_duplicates, propose_concepts


def concept(name, kind, *numbers):
    return Concept(f"{kind}:{name}", kind, name, torch.tensor(numbers))


def test_near_duplicates_in_image_space_are_merged():
    first = concept("a", "morphology", 1.0, 2.0)
    again = concept("b", "latent", 1.01, 2.02)
    other = concept("c", "latent", 2.0, -1.0)
    opposite = concept("d", "latent", -1.0, -2.0)
    kept = merge_duplicates([first, again, other, opposite], np.eye(2))
    assert [c.id for c in kept] == ["morphology:a", "latent:c"]
    assert kept[0].merged == ("latent:b", "latent:d")
    assert kept[1].merged == ()


def test_what_looks_alike_is_decided_by_the_pictures():
    """Two codes that differ only where no pixel changes are one concept."""
    pair = [concept("a", "latent", 1.0, 0.0), concept("b", "latent", 1.0, 5.0)]
    assert len(merge_duplicates(pair, np.eye(2))) == 2
    assert len(merge_duplicates(pair, np.diag([1.0, 1e-6]))) == 1


def test_random_directions_neither_merge_nor_stand_for_others():
    pool = [
        concept("1", "random", 1.0, 0.0),
        concept("0", "latent", 1.0, 0.0),
        concept("2", "random", 1.0, 0.0),
    ]
    kept = merge_duplicates(pool, np.eye(2))
    assert [c.id for c in kept] == ["random:1", "latent:0", "random:2"]
    assert not any(c.merged for c in kept)


def test_image_cosines_follow_the_metric():
    pool = [concept("a", "latent", 1.0, 0.0), concept("b", "latent", 1.0, 1.0)]
    np.testing.assert_allclose(image_cosines(pool, np.diag([1.0, 3.0])), [[1, 0.5], [0.5, 1]], atol=1e-7)


def test_pool_fills_to_the_count_and_follows_the_order(make_evidence):
    pool = propose_concepts(make_evidence(), 40)
    assert len(pool) == 40
    counts = Counter(c.kind for c in pool)
    assert set(counts) == set(SOURCES)
    assert counts["random"] == 8
    assert list(counts) == list(SOURCES), "priority, random directions last"
    assert len({c.id for c in pool}) == 40


def test_the_null_has_its_random_directions_in_the_smallest_pool(make_evidence):
    """Both signs of them calibrate the null, which needs 8 rendered effects."""
    for kinds in (tuple(SOURCES), ("latent",), ("random",)):
        pool = propose_concepts(make_evidence(), 10, kinds)
        assert sum(c.kind == "random" for c in pool) >= 4
        assert len(pool) <= 10


def test_random_directions_are_asked_for_in_any_case(make_evidence):
    pool = propose_concepts(make_evidence(), 20, ("mean_difference",))
    assert Counter(c.kind for c in pool) == {"mean_difference": 1, "random": 4}


@pytest.mark.parametrize(("count", "kinds"), [(9, ("latent",)), (20, ("latent", "astrology"))])
def test_impossible_pools_are_refused(make_evidence, count, kinds):
    with pytest.raises(
        InputError, match=f"concepts got {count} of kinds .*expected at least 10 of morphology"
    ):
        propose_concepts(make_evidence(), count, kinds)


def test_concept_survives_its_dictionary():
    made = replace(concept("a", "latent", 1.0, 2.0), parent="latent:z", merged=("latent:b",))
    again = Concept.from_dict(made.as_dict(), made.direction)
    assert again.as_dict() == made.as_dict()
    assert made.scaled(2.0).direction.tolist() == [2.0, 4.0]
    assert made.scaled(2.0).merged == ("latent:b",)
