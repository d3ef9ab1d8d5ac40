"""What goes through the pipe between server and worker: JSON, then raw bytes; nothing is pickled."""

import json
from collections.abc import Mapping
from typing import Any

from diffex.base.files import plain


def pack(head: Mapping[str, Any], payload: bytes = b"") -> bytes:
    r"""Join a message and raw bytes.

    Parameters
    ----------
    head : mapping
        Anything JSON can hold, numpy values included.
    payload : bytes, optional
        Of an image file.

    Returns
    -------
    bytes
        One line of JSON, then the payload.

    Examples
    --------
    >>> unpack(pack({"do": "drop"}, b"\x00\n"))
    ({'do': 'drop'}, b'\x00\n')
    """
    return json.dumps(plain(head), allow_nan=False).encode() + b"\n" + payload


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Split what `pack` joined.

    Parameters
    ----------
    message : bytes
        From the pipe.

    Returns
    -------
    (dict, bytes)
        Message and payload.
    """
    head, _, payload = message.partition(b"\n")
    return json.loads(head), payload
