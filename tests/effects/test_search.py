"""Searches on the cached matrix equal searches that compute everything anew, and always end."""

import numpy as np
import pytest
from numpy.typing import NDArray

from diffex.base.errors import InputError
from diffex.effects.search import attfind, best_per_image, greedy_coverage


def _plain_greedy(matrix: NDArray[np.float64], needed: NDArray[np.float64], most: int) -> list[int]:
    chosen: list[int] = []
    covers = (matrix >= needed[:, None])[needed > 0]
    for _ in range(most):
        open_ = ~covers[:, chosen].any(axis=1) if chosen else np.ones(len(covers), dtype=bool)
        gains = covers[open_].sum(axis=0)
        if gains.max(initial=0) == 0:
            break
        chosen.append(int(gains.argmax()))
    return chosen


@pytest.mark.parametrize("seed", range(30))
def test_lazy_greedy_equals_greedy_computed_anew(seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix, needed = random.normal(size=(60, 24)), random.normal(1.0, 1.0, size=60)
    found = greedy_coverage(matrix, needed, most=12)
    assert list(found.rows) == _plain_greedy(matrix, needed, 12)
    assert found.images == (needed > 0).sum()
    assert list(found.covered) == sorted(found.covered)


def test_greedy_ends_when_images_or_rows_run_out() -> None:
    assert greedy_coverage(np.ones((5, 3)), 0.5, most=10).covered == (5,)
    assert greedy_coverage(np.eye(3), 0.5, most=10).rows == (0, 1, 2)
    assert greedy_coverage(-np.ones((5, 3)), 0.5, most=10).rows == ()
    assert greedy_coverage(np.ones((5, 3)), np.zeros(5), most=10).images == 0


def _attfind_anew(matrix: NDArray[np.float64], most: int) -> list[tuple[int, int]]:
    """Follow the published loop, one mean at a time."""
    left, found, threshold = set(range(len(matrix))), [], 0.25
    while len(found) < most and left and len(found) < matrix.shape[1]:
        best, choice = 0.0, None
        for concept in set(range(matrix.shape[1])) - {k for k, _ in found}:
            for side in (0, 1):
                mean = np.mean([matrix[i, concept, side] for i in sorted(left)])
                if mean > best:
                    best, choice = mean, (concept, side)
        if choice is None:
            break
        if best > threshold:
            left -= {i for i in left if matrix[i][choice] >= best}
            found.append(choice)
        threshold = min(threshold - 0.02, best)
    return [(concept, (1, -1)[side]) for concept, side in found]


@pytest.mark.parametrize("seed", range(20))
def test_attfind_equals_the_published_loop(seed: int) -> None:
    matrix = np.random.default_rng(seed).normal(size=(40, 8, 2))
    found = attfind(matrix, most=5)
    assert [(one.concept, one.sign) for one in found] == _attfind_anew(matrix, 5)
    explained = [image for one in found for image in one.explained]
    assert len(explained) == len(set(explained))


def test_attfind_ends_when_images_run_out() -> None:
    assert len(attfind(np.ones((6, 4, 2)), most=4)) == 1


def test_attfind_ends_when_directions_run_out() -> None:
    matrix = np.abs(np.random.default_rng(0).normal(size=(400, 3, 2)))
    assert sorted(one.concept for one in attfind(matrix, most=10)) == [0, 1, 2]


def test_attfind_ends_when_nothing_helps() -> None:
    assert attfind(-np.ones((6, 4, 2)), most=4) == ()
    assert attfind(np.full((6, 4, 2), 0.1), most=4, decay=0.0) == ()
    assert len(attfind(np.full((6, 4, 2), 0.1), most=1)) == 1
    assert attfind(np.ones((0, 4, 2)), most=4) == ()


def test_attfind_uses_each_direction_once_in_either_sign() -> None:
    matrix = np.random.default_rng(1).normal(size=(200, 6, 2))
    concepts = [one.concept for one in attfind(matrix, most=6)]
    assert len(concepts) == len(set(concepts))


def test_order_of_concepts_does_not_matter() -> None:
    random = np.random.default_rng(2)
    matrix, order = random.normal(size=(50, 7, 2)), random.permutation(7)
    found, shuffled = attfind(matrix, 5), attfind(matrix[:, order], 5)
    assert [one.concept for one in found] == [int(order[one.concept]) for one in shuffled]


def test_best_per_image() -> None:
    matrix = np.zeros((2, 3, 2))
    matrix[0, 2, 1], matrix[1, 1, 0] = 5.0, 4.0
    concept, sign, effect = best_per_image(matrix, np.ones((3, 2), dtype=bool))
    assert (concept.tolist(), sign.tolist(), effect.tolist()) == ([2, 1], [-1, 1], [5.0, 4.0])


def test_best_per_image_is_chosen_among_rows_that_were_rendered() -> None:
    matrix = np.zeros((2, 3, 2))
    matrix[0, 2, 1], matrix[1, 1, 0], matrix[:, 0] = 5.0, 4.0, [[np.nan, 9.0], [9.0, np.nan]]
    among = np.array([[False, False], [True, False], [False, True]])
    concept, sign, effect = best_per_image(matrix, among)
    assert (concept.tolist(), sign.tolist(), effect.tolist()) == ([2, 1], [-1, 1], [5.0, 4.0])
    with pytest.raises(InputError, match="NaN"):
        best_per_image(matrix, np.ones((3, 2), dtype=bool))
    with pytest.raises(InputError, match="among got no row"):
        best_per_image(matrix, np.zeros((3, 2), dtype=bool))


def test_refuses_what_it_cannot_use() -> None:
    with pytest.raises(InputError):
        attfind(np.ones((5, 4)), most=2)
    with pytest.raises(InputError):
        attfind(np.ones((5, 4, 2)), most=2, decay=-1.0)
    with pytest.raises(InputError):
        greedy_coverage(np.ones((5, 3)), np.ones(4), most=2)


def _attfind_as_released(
    matrix: NDArray[np.float64], most: int, batch: int, passes: int = 500
) -> list[tuple[int, int]] | None:
    """Follow the released code, which decides inside the loop over batches; None where it would never end."""
    left, found, threshold = list(range(len(matrix))), [], 0.25
    for _ in range(passes):
        if len(found) >= most:
            return found
        best, choice = 0.0, None
        for start in range(0, len(left), batch):
            rows = left[start : start + batch]
            for concept in set(range(matrix.shape[1])) - {k for k, _ in found}:
                for side in (0, 1):
                    mean = matrix[rows, concept, side].mean()
                    if mean > best:
                        best, choice = mean, (concept, side)
        if left and best > threshold:
            found.append((choice[0], (1, -1)[choice[1]]))
            left = [i for i in left if matrix[i][choice] < best]
        threshold = min(threshold - 0.02, best)
    return None


def test_the_released_attfind_never_ends_where_ours_does() -> None:
    assert _attfind_as_released(np.ones((6, 4, 2)), most=4, batch=6) is None, "no images are left"
    assert len(attfind(np.ones((6, 4, 2)), most=4)) == 1
    matrix = np.abs(np.random.default_rng(0).normal(size=(400, 3, 2)))
    with pytest.raises(TypeError):  # no directions are left: it selects nothing and indexes with it
        _attfind_as_released(matrix, most=10, batch=400)
    assert len(attfind(matrix, most=10)) == 3


def test_the_released_ranking_hangs_on_the_batch_size_and_ours_does_not() -> None:
    matrix = np.random.default_rng(1).normal(0.3, 1.0, size=(40, 8, 2))
    whole = _attfind_as_released(matrix, most=3, batch=40)
    assert whole == [(one.concept, one.sign) for one in attfind(matrix, most=3)]
    assert whole != _attfind_as_released(matrix, most=3, batch=7)
