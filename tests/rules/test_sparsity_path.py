"""The path tells, on other images, what each network keeps."""

import numpy as np
import pandas as pd
import pytest

from diffex.base.errors import InputError
from diffex.rules.hard_concrete import fit_hard_concrete
from diffex.rules.rigl import fit_rigl
from diffex.rules.sparsity_path import COLUMNS, sparsity_path


def table(seed: int, outputs: int = 2) -> tuple[np.ndarray, np.ndarray]:
    z = np.random.default_rng(seed).normal(size=(400, 12))
    logits = np.stack([z[:, 1] + np.tanh(2 * z[:, 4]), z[:, 4] - z[:, 7] ** 2], axis=1)
    return 100 + 20 * z, logits[:, :outputs]


@pytest.fixture(scope="module")
def path() -> pd.DataFrame:
    return sparsity_path(
        *table(0), *table(9), densities=(0.01, 0.5), penalties=(2.0, 0.01), seed=0, steps=900
    )


def test_a_row_per_setting_in_order(path):
    assert tuple(path.columns) == COLUMNS
    assert path["method"].tolist() == ["rigl", "rigl", "hard_concrete", "hard_concrete"]
    assert path["setting"].tolist() == [0.01, 0.5, 2.0, 0.01]


def test_more_is_kept_where_more_is_allowed(path):
    few, many = path.iloc[[0, 2]], path.iloc[[1, 3]]
    for column in ("factors", "connections", "r2", "agreement"):
        assert (few[column].to_numpy() < many[column].to_numpy()).all(), column
    assert (many["r2"] > 0.85).all() and (many["agreement"] > 0.9).all()
    assert few["factors"].tolist()[1] == 0 and abs(few["r2"].tolist()[1]) < 0.1


@pytest.mark.parametrize("outputs", [1, 2])
def test_scores_are_those_of_the_networks(outputs):
    x, logits = table(0, outputs)
    x_test, truth = table(9, outputs)
    found = sparsity_path(x, logits, x_test, truth, densities=[0.1], penalties=[0.1], seed=2, steps=60)
    networks = (
        fit_rigl(x, logits, 0.1, seed=2, steps=60),
        fit_hard_concrete(x, logits, 0.1, seed=2, steps=60),
    )
    for row, network in zip(found.itertuples(), networks, strict=True):
        predicted = network.predict(x_test)
        r2 = [
            1 - ((t - p) ** 2).sum() / ((t - t.mean()) ** 2).sum()
            for t, p in zip(truth.T, predicted.T, strict=True)
        ]
        same = (
            predicted.argmax(1) == truth.argmax(1)
            if outputs == 2
            else (predicted > 0)[:, 0] == (truth > 0)[:, 0]
        )
        assert row.r2 == pytest.approx(np.mean(r2)) and row.agreement == pytest.approx(same.mean())
        assert (row.factors, row.connections) == (len(network.factors), network.connections)


def test_no_settings_no_rows():
    assert sparsity_path(*table(0), *table(9), densities=(), penalties=(), seed=0).shape == (0, 6)


def test_refuses_what_it_cannot_use():
    def run(*tables: np.ndarray) -> pd.DataFrame:
        return sparsity_path(*tables, densities=(), penalties=(), seed=0)

    x, logits = table(0)
    with pytest.raises(InputError, match="expected 22 or more"):
        run(x[:20], logits[:20], x, logits)
    with pytest.raises(InputError, match="constant output"):
        run(x, logits * [1, 0], x, logits)
    with pytest.raises(InputError, match="NaN or infinite"):
        run(x, logits, np.full_like(x, np.inf), logits)
    with pytest.raises(InputError, match="logits got 399 images"):
        run(x, logits[1:], x, logits)
    with pytest.raises(InputError, match=r"expected \(t, 12\) and \(t, 2\)"):
        run(x, logits, x[:, 1:], logits)
    with pytest.raises(InputError, match="logits_test got a constant output"):
        run(x, logits, x[:1], logits[:1])
