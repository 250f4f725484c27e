"""What compiled code prints to the terminal, kept from it."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress

__all__ = ["silenced_stdout"]

_STDOUT = threading.RLock()


@contextmanager
def silenced_stdout() -> Iterator[None]:
    """Send the standard output of the whole process to nowhere, C code included.

    One thread at a time: two that overlapped would hand each other's sink back, closed, as the standard output.
    """
    with _STDOUT:
        yield from _silenced()


def _silenced() -> Iterator[None]:
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    try:
        keep = os.dup(1)
    except OSError:  # no standard output at all
        yield
        return
    _flush_c()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        with open(os.devnull, "w", encoding="utf-8") as sink, redirect_stdout(sink):  # where sys.stdout is not file 1
            yield
    finally:
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        _flush_c()
        os.dup2(keep, 1)
        os.close(nowhere)
        os.close(keep)


def _flush_c() -> None:
    """Empty the buffers of the C library, which would otherwise be printed later."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
