"""The editor of phrases: its contract, exactness of its inversion, what it refuses."""

from dataclasses import replace

import pytest
import torch

from diffex.base.errors import InputError
from diffex.base.noise import noise_for
from diffex.editors.text import TextEditor, _carried
from diffex.generators.text.scaling import from_unit, to_unit
from diffex.testing import check_editor

IDS = ("a", "b", "c")
RANGE = (0.0, 255.0)


@pytest.fixture(scope="module")
def editor(text_model):
    return TextEditor(text_model, RANGE, steps=4)


@pytest.fixture(scope="module")
def pixels():
    return (120 + 40 * noise_for(IDS, (3, 32, 32), "test")).clamp(0, 255)


def test_it_keeps_the_contract(editor, pixels):
    check_editor(editor, pixels, IDS, editor.concept("size/large", "large nucleus"))
    assert (editor.evaluations, editor.inversion_evaluations) == (8, 4)


def test_a_concept_names_its_phrase_and_parent(editor):
    concept = editor.concept("size/large", "large nucleus", parent="size")
    assert (concept.kind, concept.name, concept.parent) == ("text", "large nucleus", "size")
    assert editor.concept("a", "large nucleus", "big one").name == "big one"
    assert not editor.concept("nothing", "").direction.any()


def test_with_an_opposite_a_negative_strength_leads_towards_that(editor, pixels):
    inversion, large = editor.invert(pixels, IDS), editor.concept("size/large", "large nucleus")
    pair, small = replace(large, opposite=True), replace(large, direction=-large.direction)
    less = editor.edit(inversion, pair, -1.0)
    assert torch.equal(less, editor.edit(inversion, small, 1.0))
    assert torch.equal(editor.edit(inversion, pair, 1.0), editor.edit(inversion, large, 1.0))
    assert not torch.allclose(less, editor.edit(inversion, large, -1.0), atol=0.01)


def test_the_null_edit_is_the_image_and_without_the_residual_the_autoencoders(editor, pixels, text_model):
    inversion = editor.invert(pixels, IDS)
    torch.testing.assert_close(editor.null(inversion), pixels, rtol=0, atol=0.01)
    again = from_unit(text_model.decode(text_model.encode(to_unit(pixels, RANGE))), RANGE)
    plain = editor.null(replace(inversion, residual=None))
    torch.testing.assert_close(plain, again, rtol=0, atol=0.01)


def test_without_guidance_all_steps_lead_back_to_the_latents(text_model, pixels):
    """A phrase of weight zero is rendered through all steps: what each step missed is added again."""
    editor = TextEditor(text_model, RANGE, steps=4, guidance=0.0)
    inversion = editor.invert(pixels, IDS)
    led = editor.edit(inversion, editor.concept("size/large", "large nucleus"), 1.0)
    assert float((led - editor.null(inversion)).abs().max()) < 1e-4 * 255


def test_a_saved_concept_edits_alike(editor, pixels):
    inversion = editor.invert(pixels, IDS)
    concept = editor.concept("size/large", "large nucleus")
    again = type(concept).from_dict(concept.as_dict(), concept.direction)
    assert torch.equal(editor.edit(inversion, concept, 1.0), editor.edit(inversion, again, 1.0))


def test_a_gain_is_so_much_more_guidance(editor, pixels):
    inversion = editor.invert(pixels, IDS)
    concept = editor.concept("size/large", "large nucleus")
    doubled = editor.edit(inversion, replace(concept, gain=2.0), 0.5)
    assert torch.equal(doubled, editor.edit(inversion, concept, 1.0))


def test_edits_lead_from_the_reference(text_model, pixels):
    words = ("large nucleus", "small cell")
    editor = TextEditor(text_model, RANGE, steps=4, reference=words)
    check_editor(editor, pixels, IDS, editor.concept("size/large", "large nucleus"))
    large, small = (editor.concept(word, word).direction for word in words)
    torch.testing.assert_close(large, -small, rtol=0, atol=1e-5)


def test_what_was_edited_away_is_not_put_back_with_the_residual():
    noise = noise_for(IDS, (1, 32, 32), "test")
    missed = noise.clone()
    missed[:, :, 16, 16] = 30.0  # an organelle that the autoencoder misses
    change = torch.zeros_like(missed)
    assert torch.equal(_carried(missed, change), missed)
    change[:, :, 10:22, 10:22] = 20.0
    carried = _carried(missed, change)
    assert torch.equal(carried[..., :5], missed[..., :5])
    assert float(carried[:, :, 16, 16].max()) < 3.0
    assert float(carried[:, :, 12:15, 12:15].std() / missed[:, :, 12:15, 12:15].std()) > 0.8


def test_joint_edits_of_one_are_that_edit_and_order_does_not_matter(editor, pixels):
    inversion = editor.invert(pixels, IDS)
    a, b = editor.concept("a", "large nucleus"), editor.concept("b", "small cell")
    alone = editor.edit(inversion, a, 1.0)
    assert torch.equal(editor.edit_jointly(inversion, [(a, 1.0), (b, 0.0)]), alone)
    both = editor.edit_jointly(inversion, [(a, 1.0), (b, -0.5)])
    torch.testing.assert_close(editor.edit_jointly(inversion, [(b, -0.5), (a, 1.0)]), both, rtol=0, atol=0.05)
    assert float((both - alone).abs().max()) > 0.5


def test_images_of_another_size_are_resized_there_and_back(text_model, editor, pixels):
    other = TextEditor(text_model, RANGE, steps=4, size=(20, 24))
    small = pixels[:, :, :20, :24]
    check_editor(other, small, IDS, editor.concept("size/large", "large nucleus"))


def test_noise_hangs_on_id_and_seed(text_model, pixels, editor):
    first, other = editor.invert(pixels, IDS), TextEditor(text_model, RANGE, steps=4, seed=1)
    assert torch.equal(first.codes, other.invert(pixels, IDS).codes)
    assert not torch.equal(first.noise, other.invert(pixels, IDS).noise)


def test_images_of_another_form_and_long_phrases_are_refused(editor):
    with pytest.raises(InputError, match="images of 3 x 16 x 16, expected 3 x 32 x 32"):
        editor.invert(torch.zeros(2, 3, 16, 16), ("a", "b"))
    with pytest.raises(InputError, match="images of 1 x 32 x 32, expected 3"):
        editor.invert(torch.zeros(2, 1, 32, 32), ("a", "b"))
    with pytest.raises(InputError, match="shorten it"):
        editor.concept("long", "large nucleus " * 8)
