"""S6: how many of the factors that move a classifier does an explanation name, ours and peers'."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from diffex.base.files import load_tensors, save_tensors, write_json
from diffex.base.ledger import CostLedger
from diffex.classifiers.margins import probabilities
from diffex.concepts import Concept
from diffex.editors import LatentEditor
from diffex.effects.arrays import SIGNS, FloatArray
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
_TESTED, _SEARCHED = "every coordinate whose sign test passes", "AttFind's ten"
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
        What the GAN peer is worth; coverage of ours and of peers; paired differences.
    """
    made = subjects(bench, bench.size(GRADED, 1))
    pool = rendered_pool(bench, made, {})
    trained = trained_peer(bench, made)
    theirs, own = both_fidelities(bench, made, trained, pool)
    _picture(bench, pool.cells, theirs, own)
    yield from _fidelity_rows(theirs, own)
    yield _cost_row(made, trained, pool.cells)
    some = pool.cells.subset(np.arange(bench.size(24, 6)))
    moves = {GAN: style_moves(bench, made, trained, some), _LATENTS: latent_moves(bench, made, pool, some)}
    called = {name: called_by(bench, made, pool, moves, name) for name in made.voices}
    scores = {
        label: [coverage(called[n][label].signs(), made.truth.effects(n), made.active(n)) for n in called]
        for label in next(iter(called.values()))
    }
    scores |= _saliency_scores(bench, made)
    _write(bench, made, called)
    counts = {
        k: float(np.mean([len(one[k].effects) for one in called.values()]))
        for k in scores
        if k in called["linear"]
    }
    yield from coverage_rows({k: np.array(v) for k, v in scores.items()}, counts, made, bench.seed)


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


def called_by(
    bench: Bench, made: Subjects, pool: Pool, moves: Mapping[str, Moved], name: str
) -> dict[str, Called]:
    """List what every explainer that edits calls of one classifier.

    Parameters
    ----------
    bench : Bench
        Its seed.
    made : Subjects
        Classifiers.
    pool : Pool
        What ours chooses from.
    moves : mapping of str to Moved
        Of the peers, by generator.
    name : str
        Of the classifier.

    Returns
    -------
    dict of str to Called
        Ours: all significant rows. Peers: ten by AttFind as published, and all that a sign test lets through.
    """
    ours = explanation(pool, name, made.target, bench.seed)
    edits = edits_of(pool, name, made.target, ours.columns)
    found = {OURS: Called(edits.factors.mean(axis=0), ours.weights)}
    for label, one in moves.items():
        found[f"{label}, {_TESTED}"] = _tested(one, name, made.target)
        found[f"{label}, {_SEARCHED}"] = _searched(one, name, made.target)
    return found


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


def _saliency_scores(bench: Bench, made: Subjects) -> dict[str, list[float]]:
    cells = mapped_cells(bench)
    labels = ("Grad-CAM, all factors of a named region", "Grad-CAM, one factor of a named region")
    pairs = []
    for name, voice in made.voices.items():
        named = named_compartments(both_maps(voice, cells), cells)
        pairs.append(region_coverage(named, made.active(name)))
    return {label: [pair[k] for pair in pairs] for k, label in enumerate(labels)}


def coverage_rows(
    scores: Mapping[str, FloatArray], counts: Mapping[str, float], made: Subjects, seed: int
) -> Iterator[Measured]:
    """Give coverage, differences and the ratio to the GAN peer, resampling classifiers.

    Parameters
    ----------
    scores : mapping of str to ndarray of shape (classifiers,)
        By explainer, ours among them.
    counts : mapping of str to float
        Edits called, mean over classifiers.
    made : Subjects
        Names the classifiers.
    seed : int
        Of the bootstrap.

    Yields
    ------
    Measured
        Ours first.
    """
    ours, what = scores[OURS], "coverage of active factors"
    value = bootstrap_mean(ours, seed)
    note = "; ".join(
        f"{name} {score * made.active(name).sum():.0f}/{made.active(name).sum()}"
        for name, score in zip(made.voices, ours, strict=True)
    )
    note = f"{counts[OURS]:.0f} attributes called; {note}"
    yield Measured("S6", f"{what}: ours", value[0], ">= 0.9", *value[1:], note=note)
    for peer, theirs in scores.items():
        if peer == OURS:
            continue
        value = bootstrap_mean(theirs, seed)
        note = f"{counts[peer]:.0f} edits called" if peer in counts else "signs are not asked for"
        yield Measured("S6", f"{what}: {peer}", value[0], REPORTED, *value[1:], note=note)
        value = bootstrap_mean(ours - theirs, seed)
        yield Measured("S6", f"{what}: ours minus {peer}", value[0], "> 0", *value[1:],
                       note=f"paired, {len(ours)} classifiers", holds=value[1] > 0)  # fmt: skip
    for rule in (_TESTED, _SEARCHED):
        theirs = scores[f"{GAN}, {rule}"]

        def ratio(rows: "np.ndarray[tuple[int], np.dtype[np.int64]]", theirs: FloatArray = theirs) -> float:
            return float(ours[rows].sum() / max(theirs[rows].sum(), 1e-9))

        value = bootstrap(len(ours), ratio, seed)
        yield Measured("S6", f"{what}: ours over {GAN}, {rule}", value[0], REPORTED, *value[1:])


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
            "named": {label: one.signs() for label, one in found.items()},
            "called": {label: len(one.effects) for label, one in found.items()},
        }
        for name, found in called.items()
    }
    write_json(bench.figure("coverage.json"), table)
