"""The napari plugin asks the real app: a server in a thread, its worker in a process."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import torch
from napari_diffex.client import connect
from napari_diffex.errors import AppError
from napari_diffex.run import read_run

from diffex.app.questions import EditQuestion
from diffex.app.sliders import sliders_of


@pytest.fixture(scope="module")
def shown(run):
    return read_run(run)


@pytest.fixture(scope="module")
def found(app, shown):
    return connect(app.address, shown)


def test_what_the_app_tells_of_its_run(app, explanation, found):
    about = app.client.get("/about").json()
    assert about["target"] == explanation.summary["target"] and about["cells"] == len(explanation.cells)
    known = [(one.concept, one.low, one.high) for one in sliders_of(explanation)]
    assert [(one.concept, one.low, one.high) for one in found.sliders] == known


def test_nobody_is_told_without_the_token(app):
    import httpx2

    with httpx2.Client(base_url=f"http://127.0.0.1:{app.port}") as stranger:
        for path in ("/about", "/about?token=wrong"):
            answer = stranger.get(path)
            assert answer.status_code == 403 and "target" not in answer.text
    assert app.client.get("/about", headers={"origin": "http://evil.example"}).status_code == 403
    assert app.client.get("/about", headers={"host": "evil.example"}).status_code == 403
    assert app.client.get("/about", headers={"sec-fetch-site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("cell", [0, 5])
def test_an_edit_comes_as_the_grey_values_that_the_library_renders(found, studio, cell):
    answer = found.edit(cell, {"latent:0": 1.0, "latent:1": -0.5})
    question = EditQuestion(page="p", number=0, cell=f"run-{cell}", strengths=(1.0, -0.5))
    expected = studio.edit([question], studio.depths["full"])[0]
    assert answer.edit == pytest.approx(expected.edit.pixels, abs=0.05)
    assert answer.null == pytest.approx(expected.null.pixels, abs=0.05)
    assert np.abs(answer.edit - answer.null).max() > 1
    assert answer.name == expected.cell.name and len(answer.said) == 2
    assert (answer.original is None) == (cell == 5)
    change = answer.margins[1] - answer.margins[0]
    both = torch.tensor(np.stack([expected.null.logits, expected.edit.logits]))
    margins = both[:, studio.target] - both[:, 1 - studio.target]
    assert change == pytest.approx(float(margins[1] - margins[0]), abs=1e-3)


def test_an_answer_in_pixels_has_no_pictures(app):
    answer = app.edit((1, 0), page="pixels", form="pixels").json()
    assert "pictures" not in answer and answer["pixels"]["edit"]["shape"] == [1, 28, 28]
    assert app.edit((1, 0), page="pixels", number=1, form="files").status_code == 422


def test_a_cell_that_is_not_there_and_a_foreign_concept_are_one_sentence(found):
    with pytest.raises(AppError, match="has 30 cells"):
        found.edit(999, {})
    with pytest.raises(AppError, match="no slider for 'latent:9'"):
        found.edit(0, {"latent:9": 1.0})


def test_a_wrong_token_is_said(app, shown):
    with pytest.raises(AppError, match="refused: Open the address that diffex app printed"):
        connect(app.address.replace("token=", "token=x"), shown)


def test_an_app_on_another_run_is_said(app, changed, explanation):
    other = changed(summary={**explanation.summary, "created": "2026-02-02T00:00:00+00:00"})
    with pytest.raises(AppError, match=r"another run: start diffex app .*changed"):
        connect(app.address, read_run(other))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "This is not the address"),
        ("http://127.0.0.1:8765/", "This is not the address"),
        ("http://127.0.0.1/?token=a", "This is not the address"),
        ("https://127.0.0.1:8765/?token=a", "This is not the address"),
        ("http://127.0.0.1:x/?token=a", "no address"),
        ("http://evil.example:8765/?token=a", "this machine only"),
        ("http://127.0.0.1.evil.example:8765/?token=a", "this machine only"),
    ],
)
def test_an_address_that_is_none_is_said_and_never_asked(shown, address, said):
    with pytest.raises(AppError, match=said):
        connect(address, shown)


def test_an_app_that_is_not_there_is_said(shown):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(AppError, match=f"No app answers at 127.0.0.1:{port}: start diffex app RUN"):
        connect(f"http://127.0.0.1:{port}/?token=a", shown)


class _Stranger(BaseHTTPRequestHandler):
    """Some other server: it answers all with the same page, or sends elsewhere."""

    seen: list[str] = []  # noqa: RUF012 - a class is what the server wants

    def do_GET(self):
        self.seen.append(self.path)
        elsewhere = self.path.startswith("/?token=move")
        self.send_response(302 if elsewhere else 200)
        self.send_header("location", "/elsewhere")
        self.send_header("content-type", "text/html" if "json" not in self.seen[0] else "application/json")
        self.end_headers()
        self.wfile.write(b"" if elsewhere else b"<!doctype html>")

    def log_message(self, *_):
        """Say nothing."""


@pytest.mark.parametrize(
    ("token", "said"), [("a", "another version"), ("move", "refused"), ("json", "no app of diffex")]
)
def test_another_server_is_said_and_redirections_are_not_followed(shown, token, said):
    with HTTPServer(("127.0.0.1", 0), _Stranger) as server:
        _Stranger.seen.clear()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with pytest.raises(AppError, match=said):
            connect(f"http://127.0.0.1:{server.server_port}/?token={token}", shown)
        server.shutdown()
        thread.join(5)
    assert "/elsewhere" not in _Stranger.seen
