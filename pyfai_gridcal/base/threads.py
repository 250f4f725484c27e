"""How many threads the linear algebra takes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from .shared import SharedChange

_NAMES = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)


@lru_cache(maxsize=1)
def _libraries() -> tuple[tuple[Callable[[], int], Callable[[int], None]], ...]:
    """Getter and setter of the number of threads for each OpenBLAS that the wheels of numpy and scipy brought."""
    import numpy
    import scipy

    found = []
    for package in (numpy, scipy):
        home = Path(package.__file__ or ".").resolve().parent
        for folder in (home.parent / f"{package.__name__}.libs", home / ".dylibs"):
            for path in sorted(folder.glob("*openblas*")):
                try:
                    library = ctypes.CDLL(str(path))
                except OSError:
                    continue
                for name in _NAMES:
                    if hasattr(library, name.format("set")):
                        found.append((getattr(library, name.format("get")), getattr(library, name.format("set"))))
                        break
    return tuple(found)


def _only_one() -> Callable[[], None]:
    before = [(setter, getter()) for getter, setter in _libraries()]
    for setter, _ in before:
        setter(1)

    def back() -> None:
        for setter, count in before:
            setter(count)

    return back


#: The libraries have one number for the whole process.
_ONLY_ONE = SharedChange(_only_one)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run the enclosed linear algebra in one thread where the library lets us choose.

    Long chains of products and factorisations of 100 x 100 blocks, taken in turn from the two copies of OpenBLAS that
    numpy and scipy bring, spend up to a hundred times longer waiting for each other's threads than working, above all
    on a machine that has something else to do. Products of long, narrow matrices wait for the memory and gain nothing
    by a second thread. May be nested, and used by several threads at a time.
    """
    with _ONLY_ONE.wanted():
        yield


def processors() -> int:
    """Processors that this process may use: those of the machine, or of its share (batch systems, taskset)."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
