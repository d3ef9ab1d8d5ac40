"""S6: how many of the factors that move a classifier does an explanation name, ours and peers'."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from diffex.base.files import load_tensors, save_tensors, write_json
from diffex.base.ledger import CostLedger
from diffex.classifiers.margins import probabilities
from diffex.concepts import Concept
from diffex.editors import LatentEditor
from diffex.effects.arrays import SIGNS, FloatArray, IntArray
from diffex.effects.matrix import Judge, effect_matrix, margin_of
from diffex.effects.search import Found
from diffex.effects.strengths import calibrate
from diffex.evaluation.attributes.chorus import chorus
from diffex.evaluation.bench import RUN_ROOMS, Bench, code_hash
from diffex.evaluation.demo import SHIPPED_RULES
from diffex.evaluation.peers.attfind import repaired_attfind
from diffex.evaluation.peers.stylex_training import TrainedStylex
from diffex.evaluation.pictures import save_grid
from diffex.evaluation.resampling import bootstrap, bootstrap_mean
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.semantics.found_factors import Called, coverage, sign_tested
from diffex.evaluation.semantics.gan_peer import (
    STEPS,
    Fidelity,
    Moved,
    both_fidelities,
    heard_by,
    moved,
    shipped_cpu_seconds,
    style_moves,
    trained_peer,
)
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
_RULES = ("every coordinate whose sign test passes", "AttFind's ten")
_WHAT = "coverage of active factors"
_MOST = 10
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
    called = {OURS: {name: our_calls(pool, name, made.target, bench.seed) for name in made.voices}}
    ours = scored(called[OURS], made)
    yield _our_row(ours, called[OURS], made, bench.seed)
    for label, theirs in _saliency_scores(bench, made).items():
        yield from against(ours, label, theirs, "signs are not asked for", bench.seed)
    some = pool.cells.subset(np.arange(bench.size(24, 6)))
    called |= peer_calls(_LATENTS, latent_moves(bench, made, pool, some), made)
    trained = trained_peer(bench, made)
    called |= peer_calls(GAN, style_moves(bench, made, trained, some), made)
    _write(bench, made, called)
    for label in [one for one in called if one != OURS]:
        note = f"{_mean_calls(called[label]):.0f} edits called"
        yield from against(ours, label, scored(called[label], made), note, bench.seed)
    for rule in _RULES:
        yield _ratio_row(ours, f"{GAN}, {rule}", scored(called[f"{GAN}, {rule}"], made), bench.seed)
    peer, own = both_fidelities(bench, made, trained, pool)
    _picture(bench, pool.cells, peer, own)
    yield from _fidelity_rows(peer, own)
    yield _cost_row(made, trained, pool.cells)


def latent_moves(bench: Bench, made: Subjects, pool: Pool, cells: Images) -> Moved:
    """Move every latent of the autoencoder by the common size, both ways; cached.

    Parameters
    ----------
    bench : Bench
        Seed, stages, size of the run: a quick one takes a few latents.
    made : Subjects
        Generator, classifiers, oracle.
    pool : Pool
        Gives metric and common size.
    cells : Images
        To be edited.

    Returns
    -------
    Moved
        By latent and sign.
    """
    generator = made.generator
    axes = torch.eye(generator.latents)[: bench.size(generator.latents, 6)]
    concepts = [Concept(f"latent:{k}", "latent", f"latent {k}", axis) for k, axis in enumerate(axes)]
    voices = {name: voice.state_hash() for name, voice in made.voices.items()}
    content = [voices, generator.state_hash(), made.oracle.reader.state_hash(), cells.fingerprint()]
    path = bench.stage("latents", [*content, len(axes), bench.seed, code_hash(RUN_ROOMS)])
    together, columns = chorus(heard_by(made), cells.value_range)
    if not (path / "outputs.safetensors").exists():
        ledger, editor = CostLedger(), LatentEditor(generator, "fresh", 1, bench.seed)
        inversion = editor.invert(cells.read(), cells.ids)
        few = inversion.rows(0, min(8, len(cells)))
        scaled = calibrate(concepts, editor, few, pool.metric, pool.size, ledger)
        judge = Judge(together, cells.value_range, ledger)
        matrix = effect_matrix(editor, judge, inversion, scaled, generator.pixels.size)
        outputs = {"plain": torch.from_numpy(matrix.null), "edits": torch.from_numpy(matrix.edits)}
        save_tensors(path / "outputs.safetensors", outputs)
    kept = load_tensors(path / "outputs.safetensors")
    return moved(made, kept["plain"].numpy(), kept["edits"].numpy(), columns)


def our_calls(pool: Pool, name: str, target: int, seed: int) -> Called:
    """List what our explanation of one classifier calls: all its significant attributes.

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


def peer_calls(label: str, moves: Moved, made: Subjects) -> dict[str, dict[str, Called]]:
    """List what a search of single coordinates calls of every classifier, by either rule.

    Parameters
    ----------
    label : str
        Whose coordinates.
    moves : Moved
        What their edits did.
    made : Subjects
        Classifiers.

    Returns
    -------
    dict of str to dict of str to Called
        By label and rule, then by classifier: all that a sign test lets through, and AttFind's ten.
    """
    calls = dict(zip(_RULES, (_tested, _searched), strict=True))
    return {
        f"{label}, {rule}": {name: call(moves, name, made.target) for name in made.voices}
        for rule, call in calls.items()
    }


def scored(called: Mapping[str, Called], made: Subjects) -> FloatArray:
    """Give the coverage of every classifier's active factors, ``(classifiers,)``."""
    return np.array(
        [coverage(one.signs(), made.truth.effects(name), made.active(name)) for name, one in called.items()]
    )


def _tested(one: Moved, name: str, target: int) -> Called:
    before = margin_of(one.plain[name], target)[:, None, None]
    effects = (margin_of(one.logits[name], target) - before).reshape(len(before), -1)
    kept = sign_tested(effects)
    changes = one.factors.mean(axis=0).reshape(-1, len(FACTORS))
    return Called(changes[kept], effects.mean(axis=0)[kept])


def _searched(one: Moved, name: str, target: int) -> Called:
    shifts = _chances(one.logits[name]) - _chances(one.plain[name])[:, None, None]
    found: tuple[Found, ...] = repaired_attfind(shifts, target, _MOST)
    places = [(k.concept, SIGNS.index(k.sign)) for k in found]
    changes = [one.factors[:, concept, side].mean(axis=0) for concept, side in places]
    return Called(np.array(changes).reshape(-1, len(FACTORS)), np.array([k.effect for k in found]))


def _chances(logits: FloatArray) -> FloatArray:
    flat = torch.from_numpy(np.ascontiguousarray(logits)).reshape(-1, logits.shape[-1])
    return np.asarray(probabilities(flat).numpy().reshape(logits.shape))


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
    value, note = bootstrap_mean(ours, seed), f"{_mean_calls(called):.0f} attributes called; {found}"
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
