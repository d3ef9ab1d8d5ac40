"""S6: how many of the factors that move a classifier does an explanation name, ours and peers'."""

from collections.abc import Iterator, Mapping

import numpy as np

from diffex.base.files import write_json
from diffex.effects.arrays import FloatArray, IntArray
from diffex.evaluation.bench import Bench
from diffex.evaluation.demo import SHIPPED_RULES
from diffex.evaluation.peers.stylex_training import TrainedStylex
from diffex.evaluation.pictures import save_grid
from diffex.evaluation.resampling import bootstrap, bootstrap_mean
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.semantics.driver_calls import driver_calls
from diffex.evaluation.semantics.found_factors import Called, coverage, rightness
from diffex.evaluation.semantics.gan_peer import (
    STEPS,
    Fidelity,
    both_fidelities,
    shipped_cpu_seconds,
    trained_peer,
)
from diffex.evaluation.semantics.moves import latent_moves, style_moves
from diffex.evaluation.semantics.peer_calls import RULES, peer_calls, pool_calls
from diffex.evaluation.semantics.regions import both_maps, named_compartments, region_coverage
from diffex.evaluation.truth.explainers import OURS, explanation
from diffex.evaluation.truth.mapping import mapped_cells
from diffex.evaluation.truth.pool import Pool
from diffex.evaluation.truth.recovered import edits_of
from diffex.evaluation.truth.rendering import rendered_pool
from diffex.evaluation.truth.subjects import Subjects, subjects
from diffex.images import Images
from diffex.images.planted_factors import FACTORS

GRADED = 6
"""Classifiers of graded rules beside the four shipped ones."""

GAN = "StylEx"
_LATENTS = "latents of the autoencoder"
_EVEN = f"our concepts, {RULES[0]}"
_ATTRIBUTES, _QUANTITIES = "our attributes alone", "our measured drivers alone"
_WHAT = "coverage of active factors"
_SHOWN = 6


def measure_coverage(bench: Bench) -> Iterator[Measured]:
    """Measure S6.

    Parameters
    ----------
    bench : Bench
        Seed, size of the run.

    Yields
    ------
    Measured
        Coverage of ours and of peers, with paired differences; what the GAN peer is worth.
    """
    made = subjects(bench, bench.size(GRADED, 1))
    pool = rendered_pool(bench, made, {})
    attributes = {name: our_calls(pool, name, made.target, bench.seed) for name in made.voices}
    quantities = driver_calls(bench, made, pool)
    called = {OURS: {name: one.beside(quantities[name]) for name, one in attributes.items()}}
    called[_EVEN] = {name: pool_calls(pool, name, made.target) for name in made.voices}
    ours = scored(called[OURS], made)
    yield _our_row(ours, called[OURS], made, bench.seed)
    yield _right_row(OURS, called[OURS], made, bench.seed)
    for label, part in ((_ATTRIBUTES, attributes), (_QUANTITIES, quantities)):
        yield from _part_rows(label, part, made, bench.seed)
    for label, theirs in _saliency_scores(bench, made).items():
        yield from against(ours, label, theirs, "signs are not asked for", bench.seed)
    some = pool.cells.subset(np.arange(bench.size(24, 6)))
    called |= peer_calls(_LATENTS, latent_moves(bench, made, pool, some), made)
    trained = trained_peer(bench, made)
    called |= peer_calls(GAN, style_moves(bench, made, trained, some), made)
    _write(bench, made, called)
    for label in [one for one in called if one not in {OURS, _EVEN}]:
        note = f"{_mean_calls(called[label]):.0f} edits called"
        yield from against(ours, label, scored(called[label], made), note, bench.seed)
        yield _right_row(label, called[label], made, bench.seed)
    yield from _even_rows(called, made, bench.seed)
    for rule in RULES:
        yield _ratio_row(ours, f"{GAN}, {rule}", scored(called[f"{GAN}, {rule}"], made), bench.seed)
    peer, own = both_fidelities(bench, made, trained, pool)
    _picture(bench, pool.cells, peer, own)
    yield from _fidelity_rows(peer, own)
    yield _cost_row(made, trained, pool.cells)


def our_calls(pool: Pool, name: str, target: int, seed: int) -> Called:
    """List the attributes that our explanation of one classifier calls: all that are significant.

    Parameters
    ----------
    pool : Pool
        What it chooses from.
    name : str
        Of the classifier.
    target : int
        Index of the class.
    seed : int
        Of the halves and the null.

    Returns
    -------
    Called
        One sign of each attribute.
    """
    ours = explanation(pool, name, target, seed)
    changes = edits_of(pool, name, target, ours.columns).factors.mean(axis=0)
    return Called(changes, ours.weights)


def _part_rows(label: str, called: Mapping[str, Called], made: Subjects, seed: int) -> Iterator[Measured]:
    """Tell what attributes and quantities name by themselves."""
    value, note = bootstrap_mean(scored(called, made), seed), f"{_mean_calls(called):.0f} called"
    yield Measured("S6", f"{_WHAT}: {label}", value[0], REPORTED, *value[1:], note=note)
    yield _right_row(label, called, made, seed)


def scored(called: Mapping[str, Called], made: Subjects) -> FloatArray:
    """Give the coverage of every classifier's active factors.

    Parameters
    ----------
    called : mapping of str to Called
        By classifier.
    made : Subjects
        Which factors are active, and their true effects.

    Returns
    -------
    ndarray, shape (classifiers,)
        0 to 1.
    """
    return np.array(
        [coverage(one.signs(), made.truth.effects(name), made.active(name)) for name, one in called.items()]
    )


def _even_rows(called: Mapping[str, Mapping[str, Called]], made: Subjects, seed: int) -> Iterator[Measured]:
    """Compare concepts with coordinates at one rule, the peers' own."""
    ours = scored(called[_EVEN], made)
    value, note = bootstrap_mean(ours, seed), f"{_mean_calls(called[_EVEN]):.0f} edits called"
    yield Measured("S6", f"{_WHAT}: {_EVEN}", value[0], REPORTED, *value[1:], note=note)
    yield _right_row(_EVEN, called[_EVEN], made, seed)
    for label in (_LATENTS, GAN):
        value = bootstrap_mean(ours - scored(called[f"{label}, {RULES[0]}"], made), seed)
        what = f"{_WHAT}: our concepts minus {label}, both by sign tests"
        yield Measured("S6", what, value[0], REPORTED, *value[1:])


def _right_row(label: str, called: Mapping[str, Called], made: Subjects, seed: int) -> Measured:
    """What coverage does not tell: a method that calls everything covers everything."""
    found = [
        rightness(one.signs(), made.truth.effects(name), made.active(name), made.null(name))
        for name, one in called.items()
    ]
    kept = np.array(found)[np.isfinite(found)]
    value = bootstrap_mean(kept, seed) if len(kept) else (float("nan"),) * 3
    what = f"share of named factors that matter, with their sign: {label}"
    return Measured("S6", what, value[0], REPORTED, *value[1:], note=f"{len(kept)} classifiers")


def _saliency_scores(bench: Bench, made: Subjects) -> dict[str, FloatArray]:
    cells = mapped_cells(bench)
    labels = ("Grad-CAM, all factors of a named region", "Grad-CAM, one factor of a named region")
    pairs = [
        region_coverage(named_compartments(both_maps(voice, cells), cells), made.active(name))
        for name, voice in made.voices.items()
    ]
    return dict(zip(labels, np.array(pairs).T, strict=True))


def _mean_calls(called: Mapping[str, Called]) -> float:
    return float(np.mean([len(one.effects) for one in called.values()]))


def _our_row(ours: FloatArray, called: Mapping[str, Called], made: Subjects, seed: int) -> Measured:
    active = {name: int(made.active(name).sum()) for name in called}
    each = zip(active.items(), ours, strict=True)
    found = "; ".join(f"{name} {score * count:.0f} of {count}" for (name, count), score in each)
    value, note = bootstrap_mean(ours, seed), f"{_mean_calls(called):.0f} called; {found}"
    return Measured("S6", f"{_WHAT}: ours", value[0], ">= 0.9", *value[1:], note=note)


def against(ours: FloatArray, label: str, theirs: FloatArray, note: str, seed: int) -> Iterator[Measured]:
    """Give a peer's coverage, and ours minus it, resampling classifiers.

    Parameters
    ----------
    ours, theirs : ndarray, shape (classifiers,)
        Of the same classifiers.
    label : str
        Of the peer.
    note : str
        Of the peer's own row.
    seed : int
        Of the bootstrap.

    Yields
    ------
    Measured
        Two rows.
    """
    value = bootstrap_mean(theirs, seed)
    yield Measured("S6", f"{_WHAT}: {label}", value[0], REPORTED, *value[1:], note=note)
    value, note = bootstrap_mean(ours - theirs, seed), f"paired, {len(ours)} classifiers"
    what = f"{_WHAT}: ours minus {label}"
    yield Measured("S6", what, value[0], "> 0", *value[1:], note=note, holds=value[1] > 0)


def _ratio_row(ours: FloatArray, label: str, theirs: FloatArray, seed: int) -> Measured:
    def ratio(rows: IntArray) -> float:
        return float(ours[rows].sum() / max(theirs[rows].sum(), 1e-9))

    value = bootstrap(len(ours), ratio, seed)
    return Measured("S6", f"{_WHAT}: ours over {label}", value[0], REPORTED, *value[1:])


def _fidelity_rows(theirs: Fidelity, own: Fidelity) -> Iterator[Measured]:
    for what, name in (
        ("root mean square error, channels in units of their spread, median image", "error"),
        ("reconstructions with the class of the image", "agreement"),
        ("rank correlation of the margin on image and reconstruction", "correlation"),
    ):
        note = f"ours, one step from fresh noise as searched: {getattr(own, name):.3f}"
        yield Measured("S6", f"{GAN}: {what}", getattr(theirs, name), REPORTED, note=note)


def _cost_row(made: Subjects, trained: TrainedStylex, cells: Images) -> Measured:
    shipped = shipped_cpu_seconds(made, [made.voices[name] for name in SHIPPED_RULES], cells)
    note = (
        f"{trained.cpu_seconds:.0f} s over {shipped:.0f} s, estimated from three steps; {STEPS} steps of 32"
    )
    value = trained.cpu_seconds / shipped
    return Measured("S6", f"{GAN}: CPU-seconds of its training as a share of ours", value, ">= 1", note=note)


def _picture(bench: Bench, cells: Images, theirs: Fidelity, own: Fidelity) -> None:
    """Save a few cells, the peer's reconstruction, and ours."""
    columns = [cells.read(), theirs.shown, own.shown]
    shown = np.stack([np.asarray(one[:_SHOWN].numpy(), dtype=np.float32) for one in columns], axis=1)
    save_grid(shown, bench.figure("stylex_reconstructions.png"))


def _write(bench: Bench, made: Subjects, called: Mapping[str, Mapping[str, Called]]) -> None:
    """Keep what was named beside the figures."""
    table = {
        name: {
            "factors": list(FACTORS),
            "true": made.truth.effects(name),
            "active": made.active(name),
            "named": {label: found[name].signs() for label, found in called.items()},
            "called": {label: len(found[name].effects) for label, found in called.items()},
        }
        for name in made.voices
    }
    write_json(bench.figure("coverage.json"), table)
