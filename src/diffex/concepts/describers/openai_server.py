"""A describer that asks any server which speaks OpenAI's protocol. The only importer of openai."""

import base64
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final
from urllib.parse import urlsplit

from diffex.base.errors import InputError, MissingPartError
from diffex.concepts.describers.answers import clean
from diffex.concepts.describers.dialogue import Dialogue, Question, Reply
from diffex.concepts.describers.pictures import Pictures
from diffex.concepts.describers.two_stages import ask_for_tree
from diffex.concepts.tree import ConceptTree
from diffex.images.images import Images

if TYPE_CHECKING:
    from openai import APIError, OpenAI

_KEY = "OPENAI_API_KEY"
_OPENAI = "https://api.openai.com/v1"
_MOST_IMAGES = 32
_LONGEST_WAIT_S = 60.0
_TEMPERATURE = 0.2
_log = logging.getLogger("diffex")


@final
class OpenAIDescriber:
    """Propose phrases by asking a vision-language model on a server.

    The key is read from the environment, ``OPENAI_API_KEY``, whenever something is asked; it is kept nowhere.

    Parameters
    ----------
    model : str
        Name of the model on the server.
    base_url : str, optional
        For example ``"http://localhost:8000/v1"``; default ``OPENAI_BASE_URL`` of the environment, else
        OpenAI's own.
    cache : Path, optional
        Folder of answers by content (prompt, pictures, model); a second run asks nothing. None keeps none.
    max_images : int, default 32
        At most so many images are shown.
    timeout_s : float, default 120
        Seconds without a byte from the server after which a call is given up.
    delays_s : tuple of float, default (1, 4, 15)
        Seconds before each further try after 429, 5xx, a time-out or a lost connection. Where the server says
        how long to wait, up to a minute, that counts if it is longer.

    Raises
    ------
    InputError
        If the address is none, or holds a password.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        *,
        cache: Path | None = None,
        max_images: int = _MOST_IMAGES,
        timeout_s: float = 120.0,
        delays_s: tuple[float, ...] = (1.0, 4.0, 15.0),
    ) -> None:
        self.base_url = base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI
        _check_address(self.base_url)
        self.model, self.max_images = model, max_images
        self.timeout_s, self.delays_s = timeout_s, delays_s
        self._refused: set[str] = set()  # options that the server does not know
        self._dialogue = Dialogue(f"{model} at {self.base_url}", self._ask, cache)

    @property
    def transcript(self) -> Sequence[Mapping[str, Any]]:
        """Every prompt and answer, without key and pictures."""
        return tuple(self._dialogue.transcript)

    @property
    def tokens(self) -> int:
        """Tokens that the server counted; answers from the cache cost none."""
        return self._dialogue.tokens

    def describe(self, images: Images, domain: str | None = None) -> ConceptTree:
        """Show some images and ask for a tree, in two stages.

        Parameters
        ----------
        images : Images
            At most `max_images` of them, evenly spaced over the classes, are sent to the server.
        domain : str, optional
            What they show, for example ``"blood cells"``.

        Returns
        -------
        ConceptTree
            Categories as groups, items and their kinds as phrases.

        Raises
        ------
        InputError
            If the server cannot be reached, refuses, or gives no usable answer.
        MissingPartError
            If openai is not installed.
        """
        return ask_for_tree(self._dialogue, Pictures(images, self.max_images), domain)

    def _ask(self, question: Question) -> Reply:
        openai = _module()
        waits = list(self.delays_s)
        with self._client() as client:
            while True:
                try:
                    return self._once(client, question)
                except openai.BadRequestError as error:
                    self._leave_out(error)
                except openai.APIError as error:
                    if not waits or not _passing(error):
                        raise self._sentence(error) from None  # the original may quote the key
                    self._wait(waits.pop(0), error)

    def _once(self, client: "OpenAI", question: Question) -> Reply:
        options: dict[str, Any] = {
            "temperature": _TEMPERATURE,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": question.stage, "strict": True, "schema": question.schema},
            },
        }
        kept = {name: value for name, value in options.items() if name not in self._refused}
        message: Any = {"role": "user", "content": _content(question)}
        try:
            completion = client.chat.completions.create(model=self.model, messages=[message], **kept)
        except (ValueError, RecursionError):  # a body that is no JSON, though it says so
            return Reply("")
        return _reply(completion)

    def _leave_out(self, error: "APIError") -> None:
        """Do without the options that the server complains of; without both where it names none."""
        left = {"temperature", "response_format"} - self._refused
        if not left:
            raise self._sentence(error) from None
        self._refused |= {name for name in left if name in str(error)} or left

    def _wait(self, seconds: float, error: "APIError") -> None:
        asked = _retry_after(error)
        _log.warning("Describer %s: %s; trying again.", self.model, type(error).__name__)
        time.sleep(max(seconds, min(asked, _LONGEST_WAIT_S)))

    def _client(self) -> "OpenAI":
        key = _key()
        if not key and self.base_url == _OPENAI:
            raise InputError(f"{_KEY} is not set, expected a key for {_OPENAI}: set it, or give a base URL.")
        client: OpenAI = _module().OpenAI(
            api_key=key or "none", base_url=self.base_url, timeout=self.timeout_s, max_retries=0
        )
        return client

    def _sentence(self, error: "APIError") -> InputError:
        status = getattr(error, "status_code", None)
        said = f"answered {status}" if status else "cannot be reached in time"
        advice = {401: f"set {_KEY}", 403: f"set {_KEY}", 404: "check the model's name and the base URL"}
        return InputError(
            f"Describer {self._dialogue.model} {said} ({_without_key(clean(error.message, 200))}): "
            f"{advice.get(status or 0, 'try again later')}, or use --describer offline."
        )


def _module() -> Any:
    try:
        import openai
    except ImportError as error:
        raise MissingPartError("openai is not installed: pip install 'diffex[describe]'.") from error
    return openai


def _check_address(base_url: str) -> None:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"base_url got {base_url!r}, expected for example http://localhost:8000/v1.")
    if parts.username or parts.password:
        raise InputError(f"base_url for {parts.hostname} holds a user or password: put the key into {_KEY}.")


def _content(question: Question) -> list[dict[str, Any]]:
    urls = [f"data:image/png;base64,{base64.b64encode(png).decode()}" for png in question.pngs]
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"type": "text", "text": question.prompt}, *pictures]


def _reply(completion: Any) -> Reply:
    """Read an answer; servers differ, and what has another form counts as an empty answer."""
    try:
        text = completion.choices[0].message.content
        tokens = completion.usage.total_tokens if completion.usage else 0
    except (AttributeError, IndexError, TypeError):
        return Reply("")
    text = _without_key(text) if isinstance(text, str) else ""
    return Reply(text.encode("utf-8", "replace").decode("utf-8"), tokens if isinstance(tokens, int) else 0)


def _key() -> str:
    return os.environ.get(_KEY, "").strip()


def _without_key(text: str) -> str:
    key = _key()
    return text.replace(key, "***") if key else text


def _passing(error: "APIError") -> bool:
    status = getattr(error, "status_code", None)
    return status is None or status in (408, 409, 429) or status >= 500


def _retry_after(error: "APIError") -> float:
    response = getattr(error, "response", None)
    value = response.headers.get("retry-after", "") if response is not None else ""
    return float(value) if value.isascii() and value.isdigit() else 0.0
