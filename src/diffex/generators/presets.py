"""Configurations of a generator from presets, YAML files and single settings."""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from diffex.base.errors import InputError
from diffex.generators.config import GeneratorConfig

_NETWORK = ("latents", "widths", "patch", "path", "logit_condition")  # what weights depend on


def load_preset(name: str) -> GeneratorConfig:
    """Read a preset of the package.

    Parameters
    ----------
    name : str
        ``"default"``, ``"quick"``, or ``"adapt"`` for a model that is adapted to another classifier.

    Returns
    -------
    GeneratorConfig
        Complete.

    Raises
    ------
    InputError
        If there is no such preset.

    Examples
    --------
    >>> load_preset("quick").steps < load_preset("default").steps
    True
    """
    return GeneratorConfig(**_preset(name))


def resolve_config(
    preset: str = "default",
    file: Path | None = None,
    settings: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    base: GeneratorConfig | None = None,
) -> GeneratorConfig:
    """Put a configuration together; later sources win.

    Parameters
    ----------
    preset : str, default "default"
        What to begin with.
    file : Path, optional
        A YAML file with some fields of `GeneratorConfig`.
    settings : sequence of str
        Each ``field=value``, the value in YAML.
    overrides : mapping of str to object, optional
        Fields by name; those that are None are left out.
    base : GeneratorConfig, optional
        Of a model that is adapted; its network stays as it is.

    Returns
    -------
    GeneratorConfig
        Complete.

    Raises
    ------
    InputError
        If a field is unknown, its value impossible, or it would change the network of `base`.

    Examples
    --------
    >>> resolve_config("quick", settings=["latents=16"], overrides={"steps": 10}).latents
    16
    """
    values = ({} if base is None else base.model_dump()) | _preset(preset)
    values |= {} if file is None else _read(file)
    values |= dict(_setting(text) for text in settings)
    values |= {key: value for key, value in (overrides or {}).items() if value is not None}
    config = _validated(values)
    _refuse_odd_widths(config.widths)
    if base is not None:
        _refuse_other_network(config, base)
    return config


def _refuse_odd_widths(widths: tuple[int, ...]) -> None:
    if not widths or any(width < 1 or width % 16 for width in widths):
        raise InputError(
            f"Configuration got widths={list(widths)}, expected multiples of 16, finest first: choose for "
            "example [64, 96, 128]."
        )


def _refuse_other_network(config: GeneratorConfig, base: GeneratorConfig) -> None:
    for field in _NETWORK:
        got, expected = getattr(config, field), getattr(base, field)
        if got != expected:
            raise InputError(
                f"Configuration got {field}={got}, but the model of --from has {expected}, expected the same "
                "network: leave the field out, or fit without --from."
            )


def _preset(name: str) -> dict[str, Any]:
    folder = resources.files("diffex") / "presets"
    names = (entry.name.removesuffix(".yaml") for entry in folder.iterdir())
    known = sorted(name for name in names if not name.startswith("ontology_"))
    if name not in known:
        raise InputError(f"Preset got {name!r}, expected one of {', '.join(known)}: choose one of these.")
    values: dict[str, Any] = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
    return values


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"--config {file} cannot be read ({error.strerror}), expected a YAML file: check the path."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            f"--config {file} is not YAML, expected lines such as steps: 3000: mend it."
        ) from error
    if not isinstance(values, dict):
        raise InputError(f"--config {file} holds no fields, expected lines such as steps: 3000: mend it.")
    return {str(key): value for key, value in values.items()}


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals and value):
        raise InputError(f"--set got {text!r}, expected FIELD=VALUE, for example latents=32.")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(f"--set got {text!r}, expected a value in YAML, for example latents=32.") from error


def _validated(values: Mapping[str, Any]) -> GeneratorConfig:
    try:
        return GeneratorConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            fields = ", ".join(GeneratorConfig.model_fields)
            raise InputError(
                f"Configuration got an unknown field {name}, expected one of {fields}."
            ) from error
        raise InputError(
            f"Configuration got {name}={first['input']!r}, which cannot be used ({first['msg']}): "
            "correct it in --config, --set or --steps."
        ) from error
