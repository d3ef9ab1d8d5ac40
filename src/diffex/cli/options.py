"""Options that commands share, as frozen groups that spread into a command's own options."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final, get_type_hints

import typer

if TYPE_CHECKING:
    import torch

    from diffex.classifiers import Classifier
    from diffex.images import Images
    from diffex.measurements import View

OutFolder = Annotated[
    Path, typer.Option("--out", help="Folder to write to: new, empty, or of the same command.")
]
ViewName = Annotated[
    str, typer.Option("--view", help="What an image shows: cell (one, in the middle) or field (several).")
]
ModelFolder = Annotated[Path, typer.Option("--model", help="Folder made by diffex fit.")]
ClassifierAddress = Annotated[
    str | None,
    typer.Option(
        "--classifier",
        help="Folder, FILE.pt2, FILE.onnx, timm:NAME, hf:ORG/NAME, clip:ORG/NAME?labels=A,B or "
        "py:MODULE:CALLABLE.",
    ),
]


@final
@dataclass(frozen=True)
class Common:
    """What every command takes.

    Parameters
    ----------
    json : bool
        Print the result for machines.
    seed : int or None
        Of everything random; 0 where it is not given.
    device : str
        Where networks run.
    debug : bool
        Show tracebacks; `diffex.cli.failures` looks at it.
    """

    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random.", show_default="0")] = None
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto"
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback where something fails.")] = False

    @property
    def chosen_seed(self) -> int:
        """The seed, 0 by default."""
        return self.seed or 0

    def open_device(self) -> "torch.device":
        """Resolve ``--device``."""
        from diffex.base.devices import resolve_device

        return resolve_device(self.device)


@final
@dataclass(frozen=True)
class ImageOptions:
    """Where images are, and what is known of them.

    Parameters
    ----------
    images : Path
        Folder or table.
    columns : str or None
        For tables.
    where : list of str or None
        For tables.
    pixel_size : float or None
        Micrometres per pixel.
    channels : str or None
        Names between commas.
    """

    images: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGES",
            help="Folder with a sub-folder per class, flat folder, .csv or .parquet table, or .zarr store.",
        ),
    ]
    columns: Annotated[
        str | None, typer.Option(help="For a table: path=COLUMN,label=COLUMN,group=COLUMN,mask=COLUMN.")
    ] = None
    where: Annotated[
        list[str] | None, typer.Option(help="For a table: COLUMN=VALUE[,VALUE]; repeatable.")
    ] = None
    pixel_size: Annotated[float | None, typer.Option(help="Micrometres per pixel.")] = None
    channels: Annotated[str | None, typer.Option(help="Channel names between commas.")] = None

    def open(self) -> "Images":
        """Open the images."""
        from diffex.images import open_images, parse_columns, parse_where

        names = None if self.channels is None else [name.strip() for name in self.channels.split(",")]
        return open_images(
            self.images,
            columns=parse_columns(self.columns) if self.columns is not None else None,
            where=parse_where(self.where) if self.where else None,
            pixel_size_um=self.pixel_size,
            channel_names=names,
        )


def open_with_classifier(options: ImageOptions, address: str | None) -> "tuple[Images, Classifier | None]":
    """Open images and, where there is an address, the classifier; labels get its class order.

    Parameters
    ----------
    options : ImageOptions
        Which images.
    address : str or None
        Of the classifier.

    Returns
    -------
    (Images, Classifier or None)
        That fit each other.
    """
    images = options.open()
    if address is None:
        return images, None
    from diffex.classifiers import align_labels, open_classifier

    classifier = open_classifier(address, images)
    return align_labels(images, classifier.card), classifier


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Spread option groups in a command's signature into options of their own.

    Parameters
    ----------
    command : callable
        Parameters that are annotated with one of the groups receive it, filled in.

    Returns
    -------
    callable
        With the fields of the groups as keyword parameters, for Typer to read.
    """
    given = inspect.signature(command).parameters
    groups: dict[str, Any] = {
        name: one.annotation for name, one in given.items() if is_dataclass(one.annotation)
    }

    @functools.wraps(command)
    def run(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    parts = [_fields(groups[name]) if name in groups else [one] for name, one in given.items()]
    keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for part in parts for one in part]
    run.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in keyword}
    return run


def _fields(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    missing = object()
    found = []
    for field in fields(group):
        default = getattr(group, field.name, missing)
        empty = default is missing
        found.append(
            inspect.Parameter(
                field.name,
                kind,
                default=inspect.Parameter.empty if empty else default,
                annotation=hints[field.name],
            )
        )
    return found


def view_named(view: str) -> "View":
    """Check what ``--view`` got.

    Parameters
    ----------
    view : str
        Of `ViewName`.

    Returns
    -------
    {"cell", "field"}
        The same.

    Raises
    ------
    InputError
        If it is neither.
    """
    from diffex.base.errors import InputError

    known: dict[str, View] = {"cell": "cell", "field": "field"}
    if view not in known:
        raise InputError(f"--view got {view!r}, expected cell or field.")
    return known[view]
