"""A process of its own that reads detector files back with pyFAI.

Importing pyFAI takes more than a second of a processor, and in a thread it holds up all others that run Python. A
command that will write a file at its end starts this process at its beginning.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.threads import processors

if TYPE_CHECKING:
    from ..base.arrays import AnyArray, Bools

__all__ = ["Reader", "read_back", "started_reader"]


class Reader:
    """The other end of such a process; see :func:`started_reader`."""

    def __init__(self, process: subprocess.Popen[bytes]):
        self._process = process

    def ask(
        self, path: Path, nodes: AnyArray, pixel_size: tuple[float, float], mask: Bools | None
    ) -> dict[str, Any] | None:
        """What the process says of a file: {} when all is well, else the error's texts; None when it says nothing."""
        say, listen = self._process.stdin, self._process.stdout
        if say is None or listen is None:
            return None
        try:
            pickle.dump((str(path), nodes, pixel_size, mask), say, protocol=pickle.HIGHEST_PROTOCOL)
            say.flush()
            answer = json.loads(listen.readline())
        except (OSError, ValueError):  # it has ended
            return None
        return answer if isinstance(answer, dict) else None

    def stop(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        self._process.wait()


@contextlib.contextmanager
def started_reader() -> Iterator[Reader | None]:
    """Start the process, which goes on importing pyFAI, and end it at last; None where it would not help (one
    processor, or pyFAI is here already) or cannot be started.
    """
    reader = None if "pyFAI.detectors" in sys.modules else _start()
    try:
        yield reader
    finally:
        if reader is not None:
            reader.stop()


def _start() -> Reader | None:
    if processors() < 2 or not sys.executable or getattr(sys, "frozen", False):  # frozen: the executable is no Python
        return None
    # It has to import what is imported here, in whatever way this was started, and nothing from the folder (-P).
    command = [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part or os.getcwd() for part in sys.path)}
    try:
        return Reader(
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        )
    except OSError:
        return None


def read_back(
    path: Path,
    nodes: AnyArray,
    pixel_size: tuple[float, float],
    mask: Bools | None,
    *,
    reader: Reader | None = None,
) -> None:
    """Let pyFAI read a detector file, in that process or here, see
    :func:`~pyfai_gridcal.io.nexus.detector.check_detector`.

    Raises
    ------
    FileFormatError
        pyFAI does not read it, or reads something else.
    """
    answer = None if reader is None else reader.ask(path, nodes, pixel_size, mask)
    if answer == {}:
        return
    if answer is not None:
        from ..base.errors import FileFormatError

        raise FileFormatError(**answer)
    from .nexus.detector import check_detector

    check_detector(path, nodes, pixel_size, mask)


def serve() -> None:
    """Be that process: read what is asked from standard input, answer on standard output, until it is closed."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this ends it
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what others print is no answer
    import pyFAI.detectors  # noqa: F401

    from ..base.errors import FileFormatError
    from .nexus.detector import check_detector

    while True:
        try:
            path, nodes, pixel_size, mask = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            check_detector(path, nodes, pixel_size, mask)
            answer: dict[str, Any] = {}
        except FileFormatError as error:
            answer = {"what": error.what, "expected": error.expected, "hint": error.hint}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
