"""What our explanation calls beside attributes: measured quantities that a classifier follows."""

import numpy as np
import torch
from torch import Tensor

from diffex.editors import LatentEditor
from diffex.effects.arrays import FloatArray, IntArray
from diffex.effects.drivers import Drivers, drivers
from diffex.effects.matrix import margin_of
from diffex.effects.multiplicity import benjamini_hochberg
from diffex.evaluation.bench import Bench
from diffex.evaluation.semantics.found_factors import Called
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.subjects import Subjects
from diffex.explainers.driving import Moves, in_spreads, random_moves
from diffex.explainers.naming import measure_like
from diffex.generators import logits_of
from diffex.images import Images
from diffex.images.planted_factors import FACTORS
from diffex.measurements import nucleus_channel

_Q = 0.05
_READ = 24  # cells in which the oracle reads what moving one quantity moves


def driver_calls(bench: Bench, made: Subjects, pool: Pool) -> dict[str, Called]:
    """Find the quantities that every classifier follows, as ``diffex attributes`` does.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.
    made : Subjects
        Classifiers, generator, oracle.
    pool : Pool
        Its cells, and the covariance of codes.

    Returns
    -------
    dict of str to Called
        By classifier: of every significant quantity, what moving it alone changes by the oracle.
    """
    editor, cells = LatentEditor(made.generator, "fresh", 1, bench.seed), pool.cells
    inversion = editor.invert(cells.read(), cells.ids)
    moves = random_moves(len(cells), pool.covariance, bench.seed)
    plain = editor.null(inversion)
    edits = editor.render(inversion.take(moves.rows.tolist()), moves.moved(inversion.codes))
    spread = _measured(cells, cells.read(), np.arange(len(cells))).std(axis=0)
    before = _measured(cells, plain, np.arange(len(cells)))[moves.rows]
    changes = in_spreads(_measured(cells, edits, moves.rows) - before, spread)
    found = {}
    for name, voice in made.voices.items():
        logits = (logits_of(voice, x, cells.value_range) for x in (plain, edits))
        first, last = (margin_of(one, made.target) for one in logits)
        found[name] = drivers(moves.white, changes, last - first[moves.rows])
    read = _factors(made, editor, pool, moves, next(iter(found.values())))
    return {name: _called(one, read) for name, one in found.items()}


def _measured(cells: Images, x: Tensor, rows: IntArray) -> FloatArray:
    channel = nucleus_channel(cells.channel_names)
    assert channel is not None
    return measure_like(cells, x, rows, channel).to_numpy()


def _factors(made: Subjects, editor: LatentEditor, pool: Pool, moves: Moves, held: Drivers) -> FloatArray:
    """Mean change of every factor, ``(p, 12)``, when one quantity moves and the others are held.

    Quantities are chosen without a classifier, so that they are the same for all.
    """
    some = pool.cells.subset(np.arange(min(_READ, len(pool.cells))))
    inversion = editor.invert(some.read(), some.ids)

    def levels(codes: Tensor) -> FloatArray:
        return logits_of(made.oracle.reader, editor.render(inversion, codes), some.value_range)

    plain = levels(inversion.codes)
    shifts = torch.from_numpy(held.moves @ moves.axes.T).to(inversion.codes)
    read = [made.oracle.corrected(levels(inversion.codes + s) - plain).mean(axis=0) for s in shifts]
    return np.array(read).reshape(len(read), len(FACTORS))


def _called(found: Drivers, read: FloatArray) -> Called:
    sure = benjamini_hochberg(found.p) <= _Q
    return Called(read[sure], found.effect[sure])
