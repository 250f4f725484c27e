"""Progress on standard error, for what takes longer than two seconds."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

PATIENCE = 2.0  # s before anything is shown
REDRAW = 0.1  # s between two states of the bar
SPARSE = 10.0  # s between two lines where there is no terminal
WIDTH = 24  # characters of the bar


class ProgressLine:
    """A bar on a terminal, a line now and then in a log file; a context manager, and a callable (fraction, text)."""

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic):
        self._stream = sys.stderr if stream is None else stream
        self._now = clock
        self._terminal = bool(getattr(self._stream, "isatty", lambda: False)())
        self._started = self._now()
        self._shown_at = -1e9
        self._shown = False

    def __call__(self, fraction: float, text: str) -> None:
        now = self._now()
        if now - self._started < PATIENCE or now - self._shown_at < (REDRAW if self._terminal else SPARSE):
            return
        self._shown_at = now
        fraction = min(max(fraction, 0.0), 1.0)
        if self._terminal:
            full = round(WIDTH * fraction)
            line = f"[{'#' * full}{' ' * (WIDTH - full)}] {100 * fraction:3.0f} % {text}"
            self._write("\r" + line[: shutil.get_terminal_size().columns - 1] + "\x1b[K")
            self._shown = True
        else:
            self._write(f"{100 * fraction:3.0f} % {text}\n")

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._write("\r\x1b[K")
            self._shown = False

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
