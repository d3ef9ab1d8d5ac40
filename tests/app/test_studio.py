"""What the worker computes, in this process."""

import io
import queue
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from diffex.app.answers import edit_answer
from diffex.app.questions import EditQuestion
from diffex.app.sliders import sliders_of
from diffex.app.studio import Studio
from diffex.app.worker import Worker
from diffex.base.errors import ClassifierError, FolderError, InputError

SIZE = 28


def ask(strengths=(0.0, 0.0), cell="run-0", page="one", number=0, **more):
    return EditQuestion(page=page, number=number, cell=cell, strengths=strengths, **more)


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, format="PNG")
    return file.getvalue()


def test_sliders_are_ranked_signed_and_bounded(explanation):
    first, second = sliders_of(explanation)
    assert (first.concept, first.sign, first.low, first.high) == ("latent:0", -1, -0.5, 1.5)
    assert first.significant and "looks real to 1.5" in first.note
    assert (second.concept, second.low, second.high) == ("latent:1", -1.0, 1.0)
    assert not second.significant and "not tested" in second.note


@pytest.mark.parametrize("cell", ["run-0", "run-5"])
def test_a_slider_changes_picture_and_logit(studio, cell):
    still, moved = studio.edit([ask(cell=cell), ask((1.0, 0.0), cell=cell)], 2)
    assert still.edit.pixels == pytest.approx(still.null.pixels, abs=1e-3)
    assert still.edit.logits == pytest.approx(still.null.logits, abs=1e-4)
    assert np.abs(moved.edit.pixels - moved.null.pixels).mean() > 0.5
    assert np.abs(moved.edit.logits - moved.null.logits).max() > 1e-3


def test_the_null_edit_of_a_cell_with_a_picture_is_the_cell(studio, explanation):
    edited = studio.edit([ask()], 2)[0]
    assert edited.null.pixels == pytest.approx(explanation.examples["original"][0], abs=0.01)


def test_sliders_add_up_as_the_library_does(studio, explanation):
    edited = studio.edit([ask((0.5, -0.5), cell="run-5")], 2)[0]
    codes = torch.tensor(explanation.cells.filter(like="code_").iloc[[5]].to_numpy(), dtype=torch.float32)
    both = -0.5 * explanation.directions["latent:0"] - 0.5 * explanation.directions["latent:1"]
    from diffex.base.noise import noise_for

    noise = noise_for((explanation.cells["id"][5],), (1, SIZE, SIZE), "edit", 0)
    expected = studio.model.generator.decode(codes + both, noise, 2)
    assert edited.edit.pixels == pytest.approx(expected[0].clamp(0, 255).numpy(), abs=0.05)


def test_strengths_beyond_a_slider_are_cut(studio):
    far, limit = studio.edit([ask((100.0, 0.0)), ask((1.5, 0.0))], 2)
    assert far.edit.pixels == pytest.approx(limit.edit.pixels, abs=1e-3)


def test_what_one_page_sees_does_not_depend_on_others(studio):
    together = studio.edit([ask((1.0, 0.0)), ask((0.0, 1.0), cell="run-7")], 2)
    for question, both in zip((ask((1.0, 0.0)), ask((0.0, 1.0), cell="run-7")), together, strict=True):
        alone = studio.edit([question], 2)[0]
        assert both.edit.pixels == pytest.approx(alone.edit.pixels, abs=0.02)


def test_an_answer_has_pictures_numbers_and_measurements(studio):
    edited = studio.edit([ask((1.0, 0.0))], 2)[0]
    answer = edit_answer(studio, edited, None)
    assert all(source.startswith("data:image/png;base64,") for source in answer["pictures"].values())
    assert len(answer["classes"]) == 2 and sum(one["target"] for one in answer["classes"]) == 1
    assert answer["measured"][0]["words"].endswith("area")
    assert edit_answer(studio, edited, 0)["pictures"]["edit"] and edit_answer(studio, edited, 99)


def test_an_unknown_cell_is_refused(studio):
    for cell in ("run-999", "drop-999"):
        with pytest.raises(InputError):
            studio.check(ask(cell=cell))
    with pytest.raises(InputError, match="strengths"):
        studio.check(ask((1.0,)))


@pytest.mark.parametrize("cell", ["../secret", "run-../1", "run--1", "run-1/..", "/etc/passwd", "run-٣"])
def test_a_cell_is_never_a_path(cell):
    with pytest.raises(ValueError, match="cell"):
        ask(cell=cell)


def test_an_image_is_dropped_and_edited(studio):
    name = studio.drop("<b>mine.png", png(np.full((SIZE, SIZE), 90, dtype=np.uint8)))
    still, moved = studio.edit([ask(cell=name), ask((1.0, 0.0), cell=name)], 2)
    assert still.cell.name == "<b>mine.png"
    assert still.null.pixels == pytest.approx(90, abs=0.01)
    assert np.abs(moved.edit.pixels - 90).max() > 1


BOMB = (
    b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 60_000, 60_000, 8, 0, 0, 0, 0) + bytes(4)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"hello", "format"),
        (png(np.zeros((SIZE, SIZE), dtype=np.uint8))[:-20], "cut|truncated|damaged"),
        (png(np.zeros((40, 40), dtype=np.uint8)), "28 x 28"),
        (BOMB, "pixel|bomb"),
        (png(np.zeros((SIZE, SIZE), dtype=np.uint16)), "range"),
        (b"\x80\x04\x95pickled", "format"),
    ],
)
def test_a_broken_image_is_one_sentence_with_its_own_name(studio, content, said):
    with pytest.raises((InputError, ClassifierError), match=said) as error:
        studio.drop("mine\n.png", content)
    assert "dropped.bin" not in str(error.value) and "diffex-" not in str(error.value)


def test_few_dropped_images_are_kept(studio):
    names = [studio.drop(f"{i}.png", png(np.zeros((SIZE, SIZE), dtype=np.uint8))) for i in range(20)]
    with pytest.raises(InputError, match="drop it again"):
        studio.cell(names[0])
    assert studio.cell(names[-1]).name == "19.png"


class Answers(dict):
    def __call__(self, number, content, payload=b""):
        assert number not in self
        self[number] = content | ({"bytes": payload} if payload else {})


def served(studio, *heads):
    waiting, answers = queue.SimpleQueue(), Answers()
    for number, head in enumerate(heads):
        waiting.put((head | {"question": number}, b""))
    waiting.put(None)
    Worker(studio, lambda _: None, answers).serve(waiting)
    return answers


def test_of_one_page_only_the_latest_is_answered(studio):
    questions = [ask(number=1), ask(number=3, full=True), ask(number=2), ask(page="two", number=1)]
    answers = served(studio, *({"do": "edit", "edit": one.model_dump()} for one in questions))
    assert answers[0] == answers[2] == {"stale": True}
    assert answers[1]["depth"] == 3 and answers[3]["depth"] == 2


def test_a_bad_question_does_not_spoil_the_batch(studio):
    questions = [ask(cell="run-999"), ask(page="two")]
    heads = [{"do": "edit", "edit": one.model_dump()} for one in questions]
    answers = served(studio, *heads, {"do": "thumb", "cell": "run-4"}, {"do": "drop", "name": "x"})
    assert "999" not in answers[0]["error"] and "1000" in answers[0]["error"]
    assert "margin" in answers[1] and answers[2]["bytes"].startswith(b"\x89PNG") and "error" in answers[3]


def test_another_model_is_refused(changed, explanation):
    model = explanation.summary["model"] | {"state_hash": "0" * 32}
    folder = changed(summary=explanation.summary | {"model": model})
    with pytest.raises(FolderError, match="not the one"):
        Studio(folder, torch.device("cpu"))
