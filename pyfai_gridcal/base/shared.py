"""Changes to something global that several threads may want at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class SharedChange:
    """A change to something global that lasts while anybody wants it: the first one makes it, the last one takes it
    back.

    If each of two threads that overlap did so for itself, one would take back what the other had made.

    Parameters
    ----------
    change : makes it, and returns what takes it back
    """

    def __init__(self, change: Callable[[], Callable[[], None]]):
        self._change, self._lock, self._users = change, threading.Lock(), 0
        self._back: Callable[[], None] = lambda: None

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """Within, it is made; may be nested, and used by several threads at a time."""
        with self._lock:
            if not self._users:
                self._back = self._change()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._back()
