"""Asking a model until the answer can be used, and never twice for the same."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, final

from diffex.base.errors import FolderError, InputError
from diffex.base.files import read_json, write_json
from diffex.base.hashing import hash_value
from diffex.concepts.describers.answers import LONGEST_ANSWER, AnswerError, clean

T = TypeVar("T")
_TRIES = 3


@final
@dataclass(frozen=True)
class Question:
    """What is asked.

    Parameters
    ----------
    stage : str
        ``"propose"`` or ``"expand"``.
    prompt : str
        The text.
    schema : mapping
        JSON schema of the answer.
    pngs : tuple of bytes
        Pictures that go with it.
    """

    stage: str
    prompt: str
    schema: Mapping[str, Any]
    pngs: tuple[bytes, ...] = ()


@final
@dataclass(frozen=True)
class Reply:
    """What came back.

    Parameters
    ----------
    text : str
        The answer as it came.
    tokens : int
        Tokens of question and answer together; 0 where unknown.
    """

    text: str
    tokens: int = 0


@final
@dataclass
class Dialogue:
    """All questions to one model, with their answers.

    Parameters
    ----------
    model : str
        Its name: part of the cache's key and of error messages.
    ask : callable
        Puts a question to the model.
    cache : Path, optional
        Folder of answers that could be used, by content; None keeps none.
    transcript : list of dict
        Grows with every answer: stage, prompt, model, count and hash of the pictures, answer, tokens, whether
        it came from the cache, and what was wrong with it.
    """

    model: str
    ask: Callable[[Question], Reply]
    cache: Path | None = None
    transcript: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Tokens paid for; answers from the cache cost none."""
        return sum(int(turn["tokens"]) for turn in self.transcript)

    def answer(self, question: Question, parse: Callable[[str], T]) -> T:
        """Ask, at most 3 times, until the answer can be used.

        Parameters
        ----------
        question : Question
            What to ask.
        parse : callable
            Reads the answer; raises `AnswerError` where it cannot be used.

        Returns
        -------
        object
            What `parse` gives.

        Raises
        ------
        InputError
            If no answer could be used.
        """
        cached = self._cached(question)
        if cached is not None:
            with suppress(AnswerError):  # edited since; asked again below
                return self._read(question, cached, parse, from_cache=True)
        asked, reason = question, ""
        for _ in range(_TRIES):
            reply = self.ask(asked)
            try:
                value = self._read(asked, reply, parse)
            except AnswerError as error:
                reason = str(error)
                asked = replace(
                    question, prompt=f"{question.prompt}\nYour last answer had a fault: {reason}."
                )
            else:
                self._keep(question, reply)
                return value
        raise InputError(
            f"Describer {self.model} gave {_TRIES} answers that cannot be used ({reason}; the last begins "
            f"{clean(reply.text)!r}): try another model, or --describer offline."
        )

    def _read(
        self, question: Question, reply: Reply, parse: Callable[[str], T], *, from_cache: bool = False
    ) -> T:
        turn = {
            "stage": question.stage,
            "model": self.model,
            "prompt": question.prompt,
            "pictures": len(question.pngs),
            "pictures_hash": _hash(question.pngs),
            "answer": reply.text[:LONGEST_ANSWER],
            "tokens": 0 if from_cache else reply.tokens,
            "cached": from_cache,
        }
        try:
            value = parse(reply.text)
        except AnswerError as error:
            self.transcript.append({**turn, "fault": str(error)})
            raise
        self.transcript.append(turn)
        return value

    def _file(self, question: Question) -> Path | None:
        if self.cache is None:
            return None
        parts = {"model": self.model, "prompt": question.prompt, "schema": question.schema}
        return self.cache / f"answer-{hash_value({**parts, 'pictures': _hash(question.pngs)})}.json"

    def _cached(self, question: Question) -> Reply | None:
        file = self._file(question)
        if file is None or not file.is_file():
            return None
        try:
            value = read_json(file)
        except FolderError:  # cut short or edited: the model is asked again and the file replaced
            return None
        text = value.get("answer") if isinstance(value, dict) else None
        return Reply(text) if isinstance(text, str) else None

    def _keep(self, question: Question, reply: Reply) -> None:
        file = self._file(question)
        if file is not None:
            write_json(file, {"answer": reply.text[:LONGEST_ANSWER], "tokens": reply.tokens})


def _hash(pngs: Sequence[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for png in pngs:
        digest.update(hashlib.blake2b(png, digest_size=16).digest())
    return digest.hexdigest()
