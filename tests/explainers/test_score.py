"""Scoring the run's own images gives the run's own numbers."""

import numpy as np
import pytest

from diffex.explainers.scores.score import score


@pytest.fixture(scope="module")
def scored(explained, new_cells, model_folder, tmp_path_factory):
    run = explained.save(tmp_path_factory.mktemp("scored") / "run")
    kept = set(explained.cells["id"])
    images = new_cells.subset([k for k, name in enumerate(new_cells.ids) if name in kept])
    return score(images, run, run.with_name("out"), effects=True)


def test_scores_are_those_of_the_run(scored, explained):
    ours, theirs = scored.table(), explained.cells
    assert ours["id"].tolist() == theirs["id"].tolist()
    both = [
        name for name in theirs.columns if name.startswith(("score_", "code_", "logit_")) and name in ours
    ]
    assert any(name.startswith("score_") for name in both)
    np.testing.assert_allclose(ours[both], theirs[both], rtol=1e-3, atol=1e-4)
    assert ours["label"].tolist() == theirs["label"].tolist()


def test_effects_follow_renders(scored, explained):
    """As far as a tiny model lets them; what is said is what is measured."""
    one = scored.head["effects"][0]
    ours = scored.table()[f"effect_{one['concept']}"].to_numpy()
    assert np.isfinite(ours).all() and one["cells"] == 48 and one["slope"] > 0
    theirs = explained.cells[f"effect_{one['concept']}"]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.5
    assert f"correlation {one['correlation']:.2f}" in " ".join(scored.summary)
