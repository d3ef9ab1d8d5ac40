"""A mapping that forgets what was not used for longest, so that memory stays flat."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar, final

K = TypeVar("K")
V = TypeVar("V")


@final
class Recent(Generic[K, V]):
    """Keep the values used last.

    Parameters
    ----------
    most : int
        How many are kept.

    Examples
    --------
    >>> kept = Recent(2)
    >>> [kept.get(key, lambda: key.upper()) for key in "abca"]
    ['A', 'B', 'C', 'A']
    >>> len(kept)
    2
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        """Count the values kept."""
        return len(self._kept)

    def __contains__(self, key: K) -> bool:
        """Say whether a value is kept."""
        return key in self._kept

    def put(self, key: K, value: V) -> None:
        """Keep a value.

        Parameters
        ----------
        key : hashable
            Its name.
        value : object
            Replaces an older one.
        """
        self._kept[key] = value
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Give a value, made where it is not kept.

        Parameters
        ----------
        key : hashable
            Its name.
        make : callable
            Makes it.

        Returns
        -------
        object
            The value.
        """
        if key not in self._kept:
            self.put(key, make())
        self._kept.move_to_end(key)
        return self._kept[key]

    def find(self, key: K) -> V | None:
        """Give a value if it is kept.

        Parameters
        ----------
        key : hashable
            Its name.

        Returns
        -------
        object or None
            The value.
        """
        return self._kept.get(key)
