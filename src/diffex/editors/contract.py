"""What every editor must keep, checked: for editors of ours and of third parties."""

from collections.abc import Callable

import torch
from torch import Tensor

from diffex.base.hashing import hash_tensors
from diffex.concepts import Concept
from diffex.editors.editor import Editor, Inversion, edits_together

_TINY = 1e-3
_TINY_SHARE = 0.2


def check_editor(
    editor: Editor, x: Tensor, ids: tuple[str, ...], concept: Concept, *, tolerance: float = 1e-3
) -> None:
    """Check that an editor keeps the contract.

    Strength 0 is the null edit, bit for bit; a tiny strength changes little, so that both sides share
    their noise; the two signs differ; an inversion can be used any number of times and is never changed;
    an image's edit depends neither on the other images and edits of its batch nor on their order.

    Parameters
    ----------
    editor : Editor
        What to check.
    x : Tensor, shape (n, c, h, w)
        Grey values, at least 2 different images.
    ids : tuple of str
        Their names.
    concept : Concept
        One that visibly changes the images at strength 1.
    tolerance : float, default 1e-3
        Largest difference between batches, in standard deviations of `x`; 1e-2 where rendering is in bf16.

    Raises
    ------
    AssertionError
        That says what is not kept.
    """
    assert len(x) == len(ids) >= 2, f"got {len(x)} images and {len(ids)} ids, expected at least 2 of each"
    pixels = x.clone()
    inversion = editor.invert(x, ids)
    assert inversion.ids == ids, f"the inversion names its images {inversion.ids}, expected {ids}"
    before = _content(inversion)
    null = editor.null(inversion)
    _check_form(null, x)
    up = _check_signs(editor, inversion, concept, null)
    assert _content(inversion) == before, "an edit changed the inversion: expected it as it was"
    _check_noise(editor, inversion, concept, null, up)
    assert torch.equal(x, pixels), "the editor changed the images it was given: expected them as they were"
    assert editor.evaluations >= 0, f"evaluations are {editor.evaluations}, expected 0 or more"
    _check_batches(editor, x, ids, concept, tolerance * float(x.std()))


def _content(inversion: Inversion) -> str:
    kept = {"codes": inversion.codes, "noise": inversion.noise, "residual": inversion.residual}
    return hash_tensors({k: v for k, v in kept.items() if v is not None})


def _check_form(null: Tensor, x: Tensor) -> None:
    assert null.shape == x.shape, f"the null edit has shape {tuple(null.shape)}, expected {tuple(x.shape)}"
    assert null.dtype == torch.float32, f"the null edit is {null.dtype}, expected torch.float32"
    assert torch.isfinite(null).all(), "the null edit holds NaN or Inf, expected finite grey values"


def _check_signs(editor: Editor, inversion: Inversion, concept: Concept, null: Tensor) -> Tensor:
    zero = editor.edit(inversion, concept, 0.0)
    assert torch.equal(zero, null), (
        f"strength 0 differs from the null edit by up to {_worst(zero, null):.2g}, expected the same bits"
    )
    up, down = editor.edit(inversion, concept, 1.0), editor.edit(inversion, concept, -1.0)
    _check_form(up, null)
    assert _worst(up, null) > 0, "strength 1 changes nothing: give a concept that changes the images"
    apart = float((up - down).abs().mean() / (up - null).abs().mean())
    assert apart > _TINY, "strengths 1 and -1 give the same images, expected opposite changes"
    return up


def _check_noise(editor: Editor, inversion: Inversion, concept: Concept, null: Tensor, up: Tensor) -> None:
    assert torch.equal(editor.null(inversion), null), "the null edit differs after edits: expected the same"
    again = editor.edit(inversion, concept, 1.0)
    assert torch.equal(up, again), "the same edit twice gave different images, expected the same bits"
    tiny = editor.edit(inversion, concept, _TINY)
    share = float((tiny - null).abs().mean() / (up - null).abs().mean())
    assert share <= _TINY_SHARE, (
        f"strength {_TINY:g} changes {share:.0%} of what strength 1 changes, expected next to nothing: "
        "null edit and edit must be rendered with the same noise"
    )


def _check_batches(
    editor: Editor, x: Tensor, ids: tuple[str, ...], concept: Concept, tolerance: float
) -> None:
    def edited(rows: list[int]) -> Tensor:
        index = torch.tensor(rows)
        return editor.edit(editor.invert(x[index], tuple(ids[i] for i in rows)), concept, 1.0)

    def among_others() -> Tensor:
        return edits_together(editor, editor.invert(x, ids), [(concept, -1.0), (concept, 1.0)])[1]

    order = list(range(len(ids)))
    together = edited(order)
    ways: dict[str, Callable[[], Tensor]] = {
        "alone and in a batch": lambda: torch.cat([edited([i]) for i in order]),
        "in another order": lambda: edited(order[::-1]).flip(0),
        "alone and beside other edits": among_others,
    }
    for what, other in ways.items():
        worst = _worst(other(), together)
        assert worst <= tolerance, (
            f"edits of the same images {what} differ by {worst:.2g} grey values, expected {tolerance:.2g}: "
            "noise must depend on the id of an image alone"
        )


def _worst(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())
