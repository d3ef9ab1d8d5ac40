"""A bounded memory of decoded images."""

import threading
from collections import OrderedDict
from typing import Any, final

from numpy.typing import NDArray


@final
class ArrayCache:
    """Keep the arrays used last, up to a number of bytes.

    Parameters
    ----------
    limit_bytes : int, default 64 MiB
        The most that all kept arrays take together: enough to read in order.
    """

    def __init__(self, limit_bytes: int = 64 * 2**20) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self._arrays: OrderedDict[object, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["ArrayCache"], tuple[int]]:
        """Travel to another process empty."""
        return ArrayCache, (self.limit_bytes,)

    def __len__(self) -> int:
        """Count the arrays kept."""
        return len(self._arrays)

    def get(self, key: object) -> NDArray[Any] | None:
        """Give a kept array.

        Parameters
        ----------
        key : hashable
            Its name.

        Returns
        -------
        ndarray or None
            None where it is not kept.
        """
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
            return self._arrays.get(key)

    def put(self, key: object, array: NDArray[Any]) -> None:
        """Keep an array, and forget those used longest ago.

        Parameters
        ----------
        key : hashable
            Its name.
        array : ndarray
            Made read-only, since everyone gets the same one.
        """
        array.flags.writeable = False
        with self._lock:
            if key not in self._arrays:
                self._arrays[key] = array
                self.bytes += array.nbytes
            while self.bytes > self.limit_bytes:
                self.bytes -= self._arrays.popitem(last=False)[1].nbytes
