"""What a classifier expects of its input, and what its outputs are called."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from diffex.base.errors import ClassifierError
from diffex.base.files import read_json, write_json


class ClassifierCard(BaseModel):
    """Input size, channels, value range, mean, standard deviation and class names.

    Parameters
    ----------
    class_names : tuple of str
        At least two, in the order of the logits.
    size : (int, int)
        Height and width in pixels that the network takes.
    channels : int
        Number of input channels.
    value_range : (float, float), default (0, 1)
        Range of the pixels before `mean` and `std` are applied.
    mean, std : float or tuple of float, default 0.5
        Per channel, in units of `value_range`; one number is used for all channels.
    interpolation : {"bilinear", "bicubic"}, default "bilinear"
        How images of another size are resized (with antialiasing).
    channel_names : tuple of str, optional
        A name per channel.
    licence : str, optional
        Licence of the weights.
    temperature : float, default 1
        Logits are divided by it; fitted by `fit_temperature`.

    Raises
    ------
    pydantic.ValidationError
        If fields are missing, unknown or contradict each other; `make_card` and `read_card`
        give one sentence instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_names: tuple[str, ...]
    size: tuple[int, int]
    channels: int
    value_range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    channel_names: tuple[str, ...] = ()
    licence: str | None = None
    temperature: float = 1.0

    @field_validator("mean", "std", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | float) else value

    @model_validator(mode="before")
    @classmethod
    def _broadcast(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or not isinstance(fields.get("channels"), int):
            return fields
        return fields | {key: _spread(fields.get(key, 0.5), fields["channels"]) for key in ("mean", "std")}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for holds, problem in self._conditions():
            if not holds:
                raise ValueError(problem)
        return self

    def _conditions(self) -> list[tuple[bool, str]]:
        names, low, high = self.class_names, *self.value_range
        return [
            (len(names) >= 2, f"class_names got {len(names)}, expected at least 2"),
            (len(set(names)) == len(names), "class_names got duplicates, expected different names"),
            (min(self.size) >= 1, f"size got {self.size}, expected positive height and width"),
            (self.channels >= 1, f"channels got {self.channels}, expected at least 1"),
            (low < high, f"value_range got ({low:g}, {high:g}), expected low < high"),
            (
                len(self.mean) == self.channels,
                f"mean got {len(self.mean)} values for {self.channels} channels",
            ),
            (len(self.std) == self.channels, f"std got {len(self.std)} values for {self.channels} channels"),
            (min(self.std, default=0) > 0, f"std got {self.std}, expected positive numbers"),
            (
                len(self.channel_names) in (0, self.channels),
                f"channel_names got {len(self.channel_names)} names for {self.channels} channels",
            ),
            (self.temperature > 0, f"temperature got {self.temperature:g}, expected a positive number"),
        ]


def _spread(value: Any, channels: int) -> Any:
    if isinstance(value, int | float):
        return (value,) * channels
    return tuple(value) * channels if isinstance(value, list | tuple) and len(value) == 1 else value


def make_card(fields: dict[str, Any], where: str = "the classifier card") -> ClassifierCard:
    """Validate a card, with one sentence where it is wrong.

    Parameters
    ----------
    fields : dict
        The fields of `ClassifierCard`.
    where : str
        Where they come from, for the error.

    Returns
    -------
    ClassifierCard
        The card.

    Raises
    ------
    ClassifierError
        If a field is missing, unknown or contradicts another.

    Examples
    --------
    >>> make_card({"class_names": ["a", "b"], "size": [64, 64], "channels": 2, "mean": 0.5}).mean
    (0.5, 0.5)
    """
    try:
        return ClassifierCard.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        problem = str(first["msg"]).removeprefix("Value error, ")
        raise ClassifierError(
            f"{where} cannot be used: {name + ': ' if name else ''}{problem}; correct that field."
        ) from error


def read_card(path: Path) -> ClassifierCard:
    """Read a card from JSON.

    Parameters
    ----------
    path : Path
        A file written by `write_card`, or by hand.

    Returns
    -------
    ClassifierCard
        The card.

    Raises
    ------
    FolderError
        If the file is missing or not JSON.
    ClassifierError
        If it is no valid card.
    """
    fields = read_json(path)
    if not isinstance(fields, dict):
        raise ClassifierError(f"{path} got a JSON {type(fields).__name__}, expected an object: correct it.")
    return make_card(fields, str(path))


def write_card(card: ClassifierCard, path: Path) -> None:
    """Write a card as JSON, atomically.

    Parameters
    ----------
    card : ClassifierCard
        What to write.
    path : Path
        The file.
    """
    write_json(path, card.model_dump())
