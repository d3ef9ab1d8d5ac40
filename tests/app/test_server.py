"""The app as a whole: a server in a thread, its worker in a process."""

import io
import os
import re
import shutil
import signal
import socket

import numpy as np
import pytest
import torch
import uvicorn
from PIL import Image

from diffex.app.answers import edit_answer
from diffex.app.questions import EditQuestion
from diffex.app.serving import require_run, take_port
from diffex.app.studio import Studio
from diffex.base.errors import FolderError
from diffex.cli import run as run_command

HOSTILE = "<script>alert(1)</script>"


def picture(value=90):
    file = io.BytesIO()
    Image.fromarray(np.full((28, 28), value, dtype=np.uint8)).save(file, format="PNG")
    return file.getvalue()


def test_a_slider_changes_picture_and_logit(app):
    still, moved = (app.edit((value, 0), number=i).json() for i, value in enumerate((0, 1)))
    assert still["pictures"]["edit"] != moved["pictures"]["edit"]
    assert still["margin"]["edit"] != moved["margin"]["edit"]
    assert still["margin"]["null"] == moved["margin"]["null"]


def test_an_older_question_is_stale(app):
    assert "margin" in app.edit(page="old", number=5).json()
    assert app.edit(page="old", number=4).json() == {"stale": True}


def test_hostile_names_stay_text(app):
    for path in ("/", "/cells", "/cells?label=%3Cscript%3Ealert(1)%3C/script%3E", "/?cell=run-3"):
        page = app.client.get(path)
        assert page.status_code == 200
        assert HOSTILE not in page.text and "&lt;script&gt;alert(1)" in page.text
        assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path",
    [
        *("/../pyproject.toml", "/..%2f..%2fetc/passwd", "/thumb/..%2f..%2fsecret", "/thumb/run-0%2f.."),
        *("/static/app.js", "/docs", "/openapi.json", "/thumb/run-9999", "/?cell=../x", "/cells?page=0"),
        "/cells?order=__class__",
    ],
)
def test_nothing_else_can_be_reached(app, path):
    assert app.client.get(path).status_code in {404, 422}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"page": "p", "number": 0, "cell": "../x", "strengths": [0, 0]},
        {"page": "p/../p", "number": 0, "cell": "run-0", "strengths": [0, 0]},
        {"page": "p", "number": 0, "cell": "run-0", "strengths": [0]},
        {"page": "p", "number": 0, "cell": "run-0", "strengths": [0] * 100},
        {"page": "p", "number": 0, "cell": "run-0", "strengths": [0, 0], "run": "elsewhere"},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(app, body):
    assert app.post("/edit", body).status_code == 422


def test_good_and_broken_images_are_dropped(app):
    good = app.post("/drop?name=%3Cb%3Emine.png", content=picture())
    assert good.json()["name"] == "<b>mine.png"
    answer = app.edit((1, 0), cell=good.json()["cell"], page="drop").json()
    assert answer["name"] == "<b>mine.png" and answer["pictures"]["original"]
    assert app.client.get(f"/thumb/{good.json()['cell']}").content.startswith(b"\x89PNG")
    broken = app.post("/drop?name=broken.png", content=picture()[:60])
    assert broken.status_code == 422 and "broken.png" in broken.json()["error"]


def test_cells_are_listed_in_order_and_by_page(app, explanation):
    first, last = (app.client.get(f"/cells?page={page}").text for page in (1, 99))
    assert first.count('class="card') == 24 and last.count('class="card') == 6
    assert "page 2 of 2" in last and 'rel="prev"' in last and 'rel="next"' not in last
    for order in ("other", "unsure", "wrong", "unusual"):
        assert app.client.get(f"/cells?order={order}").status_code == 200
    best = explanation.cells[f"logit_{HOSTILE}"].idxmax()
    assert first.index(f'href="/?cell=run-{best}"') == first.index('href="/?cell=run-')
    assert app.client.get("/thumb/run-5").content.startswith(b"\x89PNG")


def test_a_job_tells_its_progress_and_can_be_cancelled(app):
    seen = []

    def cancelled(told):
        seen.append(told.get("job"))
        if told.get("worker") == "ready":
            assert app.post("/job", {"cell": "run-6"}).json()["started"]
            assert "Another job" in app.post("/job", {"cell": "run-0"}).json()["error"]
        if told.get("job") == "progress" and seen.count("progress") == 1:
            assert app.post("/cancel", {}).json() == {"cancelling": True}
        return told.get("job") == "cancelled"

    assert HOSTILE in app.until(cancelled)["name"]
    assert "done" not in seen


def test_a_job_ends_with_the_smallest_change(app):
    def done(told):
        if told.get("worker") == "ready":
            app.post("/job", {"cell": "run-0"})
        return told.get("job") in {"done", "failed"}

    told = app.until(done)
    assert told["job"] == "done"
    assert told["pictures"]["edit"].startswith("data:image/png") and isinstance(told["flipped"], bool)
    assert told["parts"]


def test_a_run_with_damaged_parts_shows_the_rest(run, tmp_path, only_pages):
    broken = shutil.copytree(run, tmp_path / "broken")
    (broken / "concepts.safetensors").write_bytes(b"not tensors")
    (broken / "examples" / "examples.npz").unlink()
    page = only_pages(broken).get("/").text
    assert "Some parts of this run cannot be read" in page and "concepts.safetensors" in page
    assert "no attribute that the app can move" in page
    studio = Studio(broken, torch.device("cpu"))
    assert edit_answer(studio, studio.edit([EditQuestion(page="p", number=0, cell="run-1")], 2)[0], None)
    (broken / "cells.parquet").write_bytes(b"")
    assert "No cells to show" in only_pages(broken).get("/cells").text
    assert len(Studio(broken, torch.device("cpu")).unusual()) == 0


def test_a_killed_worker_is_told_and_started_again(app):
    killed = []

    def ended(told):
        if told.get("worker") == "ready" and not killed:
            killed.append(app.worker_id())
            os.kill(killed[0], signal.SIGKILL)
        return told.get("worker") == "ended"

    assert "SIGKILL" in app.until(ended)["why"]
    assert app.client.get("/").status_code == 200
    app.ready()
    assert "margin" in app.edit(page="after").json()


def test_a_port_in_use_gives_the_next_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with take_port(port) as other:
            assert port < other.getsockname()[1] < port + 50


def test_the_command_says_that_another_port_was_taken(run, monkeypatch, capsys):
    def end_at_once(_, sockets):
        for one in sockets:
            one.close()

    monkeypatch.setattr(uvicorn.Server, "run", end_at_once)
    with take_port(18800) as held:
        port = held.getsockname()[1]
        assert run_command(["app", str(run), "--no-browser", "--port", str(port)]) == 0
    said = re.search(r"Port (\d+) is in use, so (\d+) was taken\.\s+Open (\S+)", capsys.readouterr().out)
    asked, taken, address = said.groups()
    assert int(asked) == port < int(taken) and address.startswith(f"http://127.0.0.1:{taken}/?token=")


@pytest.mark.parametrize("damage", ["absent", "empty", "no head"])
def test_a_folder_that_is_no_run_is_one_sentence(run, tmp_path, capsys, damage):
    folder = tmp_path / "run"
    if damage == "empty":
        folder.mkdir()
    if damage == "no head":
        shutil.copytree(run, folder)
        (folder / "explanation.json").write_text("{")
    with pytest.raises(FolderError):
        require_run(folder)
    assert run_command(["app", str(folder), "--no-browser"]) == 2
    assert "Traceback" not in capsys.readouterr().err
