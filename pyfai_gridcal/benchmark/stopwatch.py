"""Seconds and memory of what a process does, stage by stage."""

from __future__ import annotations

import gc
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes
    ----------
    name : what was done
    seconds : on the clock
    cpu : of all threads, seconds
    peak_mb : memory at its highest, above what the process held when the stopwatch was made; MB (1e6 bytes)
    """

    name: str
    seconds: float
    cpu: float
    peak_mb: float


def memory() -> tuple[float, float]:
    """(now, highest since it was last forgotten) resident memory, MB."""
    try:
        text = _STATUS.read_text()
        now, most = (re.search(rf"{key}:\s+(\d+) kB", text) for key in ("VmRSS", "VmHWM"))
        assert now is not None
        assert most is not None
        return int(now[1]) * 1.024e-3, int(most[1]) * 1.024e-3
    except (OSError, AssertionError):
        import resource
        import sys

        most_ever = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        mb = most_ever * (1e-6 if sys.platform == "darwin" else 1.024e-3)
        return mb, mb


def forget() -> None:
    """Let the highest memory be that of now, where the system can (Linux)."""
    with suppress(OSError):
        _CLEAR.write_text("5")


class Stopwatch:
    """Call it with the name of each stage when that begins; ``stop`` ends the last one."""

    def __init__(self) -> None:
        gc.collect()
        forget()
        self.stages: list[Stage] = []
        self._name: str | None = None
        self._base = memory()[0]
        self._clock, self._cpu = time.perf_counter(), time.process_time()

    def __call__(self, name: str) -> None:
        if name == self._name:
            return
        self.stop()
        self._name = name

    def stop(self) -> None:
        """End the stage that runs."""
        clock, cpu = time.perf_counter(), time.process_time()
        if self._name is not None:
            peak = max(0.0, memory()[1] - self._base)
            self.stages.append(Stage(self._name, clock - self._clock, cpu - self._cpu, peak))
        self._name = None
        forget()
        self._clock, self._cpu = time.perf_counter(), time.process_time()
