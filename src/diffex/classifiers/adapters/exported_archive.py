"""Exported programs (.pt2) made safe to read: nothing pickled, no code.

`torch.export.load` unpickles sample inputs, calls any function of torch that the graph names,
and evaluates guards and sizes written as Python. A file from elsewhere could so run anything.
"""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from diffex.base.errors import ClassifierError

_TARGET = re.compile(
    r"torch\.ops\.(aten|prims|higher_order)\.\w+(\.\w+)?|_operator\.(\w+)|torch\.sym_\w+|math\.\w+"
)
_OPERATORS = re.compile(
    "getitem|add|sub|mul|floordiv|truediv|mod|neg|pos|pow|eq|ne|lt|le|gt|ge|and_|or_|not_"
)
_PLAIN = re.compile(r"[\w.\-:]*")
_SYMBOL = re.compile(r"Symbol\('[a-z]+\d+'(, \w+=(True|False))*\)")
_SIZE_CODE = re.compile(r"[\w\s+*/(),<>=\-]*")
_SIZE_WORDS = re.compile(
    r"[a-z]+\d+|Add|Mul|Pow|Integer|Rational|Max|Min|Mod|PythonMod|FloorDiv|CeilDiv|CleanDiv|IntTrueDiv"
    r"|floor|ceiling|oo|int_oo"
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_FREE_TEXT = ("as_string", "torch_version", "in_spec", "out_spec")


def read_archive(path: Path) -> tuple[io.BytesIO, str | None]:
    """Read an exported program without what could run code.

    Parameters
    ----------
    path : Path
        A file written by ``torch.export.save``.

    Returns
    -------
    (BytesIO, str or None)
        The archive without sample inputs, guards and node notes; and the text of a card
        given as ``extra_files={"card.json": ...}``.

    Raises
    ------
    ClassifierError
        If it is no such file, or holds pickled objects or code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError as error:
        raise ClassifierError(f"{path} is missing: give the path of a .pt2 file.") from error
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ClassifierError(f"{path} is no exported program: write it with torch.export.save.") from error
    records = {name: _clean(path, name, data) for name, data in records.items()}
    card = next((data for name, data in records.items() if name.endswith("/extra/card.json")), None)
    return _write_archive(records), None if card is None else card.decode("utf-8")


def _write_archive(records: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records.items():
            archive.writestr(name, data)
    buffer.seek(0)
    return buffer


def _clean(path: Path, name: str, data: bytes) -> bytes:
    inner = name.partition("/")[2]
    if inner.startswith("data/sample_inputs/"):
        return b""
    if inner.startswith("models/"):
        return _clean_model(path, data)
    if inner.endswith("_config.json"):
        _refuse_pickled(path, data)
    elif inner.startswith("data/aotinductor/") or inner.endswith((".pt", ".so")) or inner == "":
        raise _refused(path, f"{name}, which may hold code")
    return data


def _refuse_pickled(path: Path, data: bytes) -> None:
    for name, entry in json.loads(data).get("config", {}).items():
        kind = str(entry.get("path_name", ""))
        if entry.get("use_pickle") or kind.startswith(("custom_obj", "opaque_obj")):
            raise _refused(path, f"{name}, which is pickled")


def _clean_model(path: Path, data: bytes) -> bytes:
    model: dict[str, Any] = json.loads(data)
    model["guards_code"] = []
    model["graph_module"]["metadata"] = {}
    for node in _nodes(model):
        node["metadata"] = {}
        target = _TARGET.fullmatch(str(node["target"]))
        if target is None or (target[3] is not None and not _OPERATORS.fullmatch(target[3])):
            raise _refused(path, f"the operation {node['target']}, which is no plain tensor operation")
    _check_strings(path, model, "")
    return json.dumps(model).encode("utf-8")


def _nodes(value: Any) -> list[dict[str, Any]]:
    """Collect the nodes of the graph and of graphs within it."""
    if isinstance(value, list):
        return [node for item in value for node in _nodes(item)]
    if not isinstance(value, dict):
        return []
    own = [value] if "target" in value and "inputs" in value else []
    return own + [node for item in value.values() for node in _nodes(item)]


def _check_strings(path: Path, value: Any, key: str) -> None:
    """Names and sizes become Python source in torch: let only harmless ones through."""
    if isinstance(value, dict):
        for name, item in value.items():
            _check_strings(path, name, "")
            _check_strings(path, item, name)
    elif isinstance(value, list):
        for item in value:
            _check_strings(path, item, key)
    elif isinstance(value, str) and key not in _FREE_TEXT and not _harmless(value, key):
        raise _refused(path, f"the text {value[:60]!r}, which is no name")


def _harmless(text: str, key: str) -> bool:
    if key != "expr_str":
        return _PLAIN.fullmatch(text) is not None
    text = _SYMBOL.sub("s0", text)
    words = _WORD.findall(text)
    return _SIZE_CODE.fullmatch(text) is not None and all(_SIZE_WORDS.fullmatch(word) for word in words)


def _refused(path: Path, what: str) -> ClassifierError:
    return ClassifierError(
        f"{path} got {what}, expected tensors and tensor operations only: "
        "export the module again with torch.export in evaluation mode, without custom objects."
    )
