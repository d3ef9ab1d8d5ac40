"""The running app, asked over this machine's own loopback: it computes, napari shows."""

import base64
import binascii
import itertools
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, final
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np

from napari_diffex.errors import AppError
from napari_diffex.run import Pixels, Run

_HOSTS = ("127.0.0.1", "localhost")
# The first answer waits until the app's worker has opened the model.
_PATIENCE_S = 600.0
_MOST_BYTES = 256 * 1024 * 1024
_WANTED = "the address that diffex app printed, http://127.0.0.1:PORT/?token=..."


@final
@dataclass(frozen=True)
class Slider:
    """One concept that the app can move.

    Parameters
    ----------
    concept : str
        Its id.
    low, high : float
        How far it may go.
    """

    concept: str
    low: float
    high: float


@final
@dataclass(frozen=True, eq=False)
class Answer:
    """A cell before and after an edit.

    Parameters
    ----------
    name : str
        Its id.
    original : ndarray, shape (c, h, w), or None
        Grey values, where the run keeps a picture.
    null, edit : ndarray, shape (c, h, w)
        Rendered again, and rendered with the change.
    margins : (float, float)
        Logit margin of the target, of null edit and edit.
    said : (str, str)
        What the classifier says of both.
    """

    name: str
    original: Pixels | None
    null: Pixels
    edit: Pixels
    margins: tuple[float, float]
    said: tuple[str, str]


@final
class App:
    """A running app, found to be on the run that is shown.

    Parameters
    ----------
    place : str
        Host and port.
    cookie : str
        What the app gave for the token.
    sliders : tuple of Slider
        In the app's order.
    channels : int
        Of the run's pictures.
    """

    def __init__(self, place: str, cookie: str, sliders: tuple[Slider, ...], channels: int) -> None:
        self.place, self.sliders = place, sliders
        self._cookie, self._channels = cookie, channels
        self._page, self._numbers = uuid.uuid4().hex, itertools.count()

    def edit(self, cell: int, strengths: Mapping[str, float]) -> Answer:
        """Edit a cell along several concepts at once, at full depth.

        Parameters
        ----------
        cell : int
            Its position in the run.
        strengths : mapping of str to float
            By concept; what is not named stays as it is.

        Returns
        -------
        Answer
            The cell before and after.

        Raises
        ------
        AppError
            If the app does not answer, refuses, or has no slider for a concept.
        """
        foreign = set(strengths) - {slider.concept for slider in self.sliders}
        if foreign:
            raise AppError(f"The app has no slider for {sorted(foreign)[0]!r}: set its strength to 0.")
        question = {
            "page": self._page,
            "number": next(self._numbers),
            "cell": f"run-{cell}",
            "strengths": [strengths.get(slider.concept, 0.0) for slider in self.sliders],
            "full": True,
            "form": "pixels",
        }
        content, _ = _exchange(self.place, "POST", "/edit", self._cookie, question)
        return _read_answer(content, self._channels)


def connect(address: str, run: Run) -> App:
    """Find the app and make sure that it is on the same run.

    Parameters
    ----------
    address : str
        As the app printed it, with its token.
    run : Run
        What is shown.

    Returns
    -------
    App
        Ready to be asked.

    Raises
    ------
    AppError
        If the address is none of this machine, the app is not there or refuses, or is on another run.
    """
    place, token = _parse(address)
    _, given = _exchange(place, "GET", f"/?token={quote(token)}", "")
    cookie = (given or "").partition(";")[0]
    about, _ = _exchange(place, "GET", "/about", cookie)
    try:
        sliders = tuple(
            Slider(str(one["concept"]), float(one["low"]), float(one["high"])) for one in about["sliders"]
        )
        identity = {key: str(about[key]) for key in run.identity}
        cells = int(about["cells"])
    except (KeyError, TypeError, ValueError) as error:
        raise AppError(f"What answers at {place} is of another version: update diffex and plugin.") from error
    if identity != run.identity or cells != len(run.cells):
        raise AppError(f"The app at {place} is on another run: start diffex app {run.folder}")
    return App(place, cookie, sliders, len(run.channel_names))


def _parse(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AppError(f"This is no address, expected {_WANTED}") from error
    token = parse_qs(parts.query).get("token", [""])[0]
    if parts.scheme != "http" or port is None or not token:
        raise AppError(f"This is not {_WANTED}")
    if host not in _HOSTS:
        raise AppError(f"The app runs on this machine only, got an address at {host}: paste {_WANTED}")
    return f"{host}:{port}", token


def _exchange(
    place: str, method: str, path: str, cookie: str, question: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], str | None]:
    """Ask once; no proxy is asked and no redirection followed, so the token stays on this machine."""
    headers = {"Cookie": cookie, "Origin": f"http://{place}", "Content-Type": "application/json"}
    body = None if question is None else json.dumps(question, allow_nan=False)
    connection = HTTPConnection(place, timeout=_PATIENCE_S)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read(_MOST_BYTES)
    except TimeoutError as error:
        raise AppError(f"The app at {place} took more than {_PATIENCE_S:.0f} s: is it busy?") from error
    except (OSError, HTTPException) as error:
        raise AppError(
            f"No app answers at {place}: start diffex app RUN and paste the address it prints."
        ) from error
    finally:
        connection.close()
    if response.status != 200:
        raise AppError(f"The app at {place} refused: {_why(content)}")
    is_json = response.getheader("Content-Type", "").startswith("application/json")
    return _object(content, place) if is_json else {}, response.getheader("Set-Cookie")


def _object(content: bytes, place: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise AppError(f"What answers at {place} is no app of diffex: paste {_WANTED}") from error
    return value if isinstance(value, dict) else {}


def _why(content: bytes) -> str:
    """Take the app's own sentence; it is text or JSON."""
    text = content.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except ValueError:
        return text[:500]
    told = value.get("error") if isinstance(value, dict) else None
    return told if isinstance(told, str) else "it does not understand this plugin; update both."


def _read_answer(content: Mapping[str, Any], channels: int) -> Answer:
    if content.get("stale"):
        raise AppError("A later question came before this one: ask again.")
    try:
        pixels, margin, said = content["pixels"], content["margin"], content["said"]
        original = pixels["original"]
        return Answer(
            name=str(content["name"]),
            original=None if original is None else _pixels(original, channels),
            null=_pixels(pixels["null"], channels),
            edit=_pixels(pixels["edit"], channels),
            margins=(float(margin["null"]), float(margin["edit"])),
            said=(str(said[0]), str(said[1])),
        )
    except (KeyError, IndexError, TypeError, ValueError, binascii.Error) as error:
        raise AppError("The app's answer cannot be read: update diffex and plugin.") from error


def _pixels(given: Mapping[str, Any], channels: int) -> Pixels:
    shape: Sequence[int] = given["shape"]
    if len(shape) != 3 or shape[0] != channels:
        raise ValueError(shape)
    values = np.frombuffer(base64.b64decode(given["float32"], validate=True), dtype="<f4")
    return values.reshape(shape).astype(np.float32)
