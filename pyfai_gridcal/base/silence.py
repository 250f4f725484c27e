"""What other packages and compiled code say, kept from the terminal."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from .shared import SharedChange

_STDOUT = threading.RLock()


def _mute() -> Callable[[], None]:
    before = sys.stdout
    sink = sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # closed by what is returned

    def back() -> None:
        if sys.stdout is sink:
            sys.stdout = before
        sink.close()

    return back


def _cut_off(logger: logging.Logger) -> Callable[[], None]:
    before = logger.propagate
    logger.propagate = False

    def back() -> None:
        logger.propagate = before

    return back


_MUTED = SharedChange(_mute)
_CUT_OFF: dict[str, SharedChange] = {}


def muted() -> AbstractContextManager[None]:
    """Drop what Python code prints; threads may overlap."""
    return _MUTED.wanted()


class _Collector(logging.Handler):
    """Remarks of the thread that made it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.remarks: list[str] = []
        self.owner = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.owner:
            self.remarks.append(record.getMessage())


@contextmanager
def quiet(name: str) -> Iterator[list[str]]:
    """Keep the remarks of another package from the user: a list of what it logged; what it prints is dropped."""
    logger, collector = logging.getLogger(name), _Collector()
    cut_off = _CUT_OFF.setdefault(name, SharedChange(lambda: _cut_off(logger)))
    logger.addHandler(collector)
    try:
        with muted(), cut_off.wanted():
            yield collector.remarks
    finally:
        logger.removeHandler(collector)


@contextmanager
def silenced_stdout() -> Iterator[None]:
    """Send the standard output of the whole process to nowhere, C code included; one thread at a time."""
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
        with muted():  # where sys.stdout is not file 1
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
