"""K8: does the smallest joint change flip an image, and does it leave alone what does not matter."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch

from diffex.base.files import load_tensors, save_tensors
from diffex.base.progress import progress
from diffex.classifiers import Classifier
from diffex.effects.arrays import BoolArray, FloatArray, IntArray
from diffex.effects.intervals import wilson
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.demo import SHIPPED_RULES, TARGET, shipped_model
from diffex.evaluation.rows import Measured
from diffex.evaluation.sets import planted
from diffex.evaluation.truth.scores import over_classifiers
from diffex.evaluation.truth.subjects import Subjects, subjects
from diffex.explainers.counterfactual import find_counterfactuals
from diffex.generators import logits_of
from diffex.generators.model import Model
from diffex.images import Images
from diffex.images.planted_factors import FACTORS

_TOGETHER = 5
_READS = 0.98
"""Mean R2 that the oracle must have."""


@final
@dataclass(frozen=True, eq=False)
class Flips:
    """What the counterfactuals of one classifier are.

    Parameters
    ----------
    flipped : ndarray of bool, shape (n,)
        Whether the classifier says the target.
    null_flipped : ndarray of bool, shape (n,)
        Whether the null edit alone does that.
    moves : ndarray, shape (n, 12)
        Change of every factor from null edit to counterfactual, as the oracle reads it, in s.d.
    """

    flipped: BoolArray
    null_flipped: BoolArray
    moves: FloatArray

    def identity(self, factors: BoolArray, rows: IntArray) -> float:
        """1 minus the mean size of the change of some factors on some images; NaN without factors."""
        if not factors.any():
            return float("nan")
        return 1 - float(np.abs(self.moves[rows][:, factors]).mean())


def measure_flips(bench: Bench) -> Iterator[Measured]:
    """Measure K8 with ``diffex.counterfactual`` on the shipped classifiers.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Flip rate and identity.
    """
    made = subjects(bench, 0)
    count = bench.size(10, 2)
    found = {name: flips_of(bench, made, name, count) for name in SHIPPED_RULES}
    flipped = np.concatenate([one.flipped for one in found.values()])
    value = wilson(int(flipped.sum()), len(flipped))
    alone = sum(int(one.null_flipped.sum()) for one in found.values())
    note = f"{len(flipped)} images of {len(found)} classifiers; null edits flip {alone} of them"
    note += f"; the generator misses a gate for: {', '.join(made.ungated) or 'none'}"
    yield Measured("K8", "flip rate of the smallest joint change", value[0], ">= 0.95", *value[1:], note=note)
    yield _identity_row(bench, made, found, count)


def _identity_row(bench: Bench, made: Subjects, found: Mapping[str, Flips], count: int) -> Measured:
    def score(name: str, rows: IntArray) -> float:
        return found[name].identity(made.null(name), rows)

    value = over_classifiers(list(found), score, count, bench.seed)
    read = float(made.oracle.r2.mean())
    each = "; ".join(_told(name, found[name], made) for name in found)
    note = f"oracle R2 {read:.3f} (smallest {made.oracle.r2.min():.2f}), wanted {_READS}; {each}"
    what = "identity of factors with no true effect, from null edit to counterfactual"
    return Measured("K8", what, value[0], ">= 0.9", *value[1:], note=note, holds=read >= _READS)


def _told(name: str, found: Flips, made: Subjects) -> str:
    null = made.null(name)
    if not null.any():
        return f"{name}: no factor is without effect"
    sizes = np.where(null, np.abs(found.moves).mean(axis=0), 0)
    most = int(sizes.argmax())
    value = found.identity(null, np.arange(len(found.moves)))
    return f"{name} {value:.2f} ({null.sum()} factors, most moved {FACTORS[most]} by {sizes[most]:.2f} s.d.)"


def flips_of(bench: Bench, made: Subjects, name: str, count: int) -> Flips:
    """Find counterfactuals of one shipped classifier; cached every few images.

    Parameters
    ----------
    bench : Bench
        Seed, stages.
    made : Subjects
        Oracle and target.
    name : str
        Of the rule.
    count : int
        Images at most; none is of the target class.

    Returns
    -------
    Flips
        Of all of them.
    """
    model = shipped_model(name, bench.device)
    pool, reader = planted(bench.size(120, 12), 17_000 + bench.seed), made.oracle.reader
    cells = unlike(pool, model, made.target)
    hashes = [pool.fingerprint(), model.state_hash(), model.classifier.state_hash(), reader.state_hash()]
    folder = bench.stage(f"flips-{name}", [*hashes, code_hash(RUN_ROOMS)])
    count = min(count, len(cells))
    ends = {start: min(start + _TOGETHER, count) for start in range(0, count, _TOGETHER)}
    paths = [folder / f"{start}-{end}.safetensors" for start, end in ends.items()]
    for path, (start, end) in progress(
        zip(paths, ends.items(), strict=True), f"counterfactuals, {name}", len(paths)
    ):
        keep_counterfactuals(path, cells.subset(np.arange(start, end)), model, reader)
    parts = [load_tensors(path) for path in paths]
    kept = {key: torch.cat([part[key] for part in parts]).double().numpy() for key in parts[0]}
    moves = made.oracle.corrected(kept["reads"] - kept["null_reads"])
    return Flips(kept["flipped"] > 0, kept["null_flipped"] > 0, moves)


def unlike(cells: Images, model: Model, target: int) -> Images:
    """Take the cells that the classifier does not call the target.

    Parameters
    ----------
    cells : Images
        To choose from.
    model : Model
        With the classifier.
    target : int
        Index of the class.

    Returns
    -------
    Images
        In their order.
    """
    said = logits_of(model.classifier, cells.read(), cells.value_range).argmax(axis=1)
    return cells.subset(np.flatnonzero(said != target))


def keep_counterfactuals(path: Path, cells: Images, model: Model, reader: Classifier) -> None:
    """Find the counterfactuals of some cells, ask classifier and oracle, and keep the answers; once.

    Parameters
    ----------
    path : Path
        Gets, by cell, ``flipped`` and ``null_flipped``, and what is read off both pictures.
    cells : Images
        Of the model's form.
    model : Model
        Generator and classifier.
    reader : Classifier
        Reads factors.
    """
    if path.exists():
        return
    found = find_counterfactuals(cells, model, TARGET, None)
    columns = {
        "flipped": found.table["flipped"].to_numpy(dtype=np.float64),
        "null_flipped": (found.table["margin_null"] > 0).to_numpy(dtype=np.float64),
        "reads": logits_of(reader, found.moved, cells.value_range),
        "null_reads": logits_of(reader, found.null, cells.value_range),
    }
    save_tensors(path, {key: torch.from_numpy(np.ascontiguousarray(one)) for key, one in columns.items()})
