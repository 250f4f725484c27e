"""Memory of results by what they depend on, and how far a computation is. Free of Qt."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from ...base.progress import Progress, untold
from .state import STAGES, StageName

#: Share of the whole time that a stage takes for the progress bar: roughly, of an image of 4 megapixels.
_WEIGHTS: dict[str, float] = {"image": 0.1, "found": 0.55, "spots": 0.05, "points": 0.05, "calibration": 0.25}


class _Same:
    """An array as part of a key: equal only to itself, and kept alive by the key so that its id is not given away."""

    def __init__(self, thing: object):
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)


def as_key(value: object) -> Hashable:
    """Something hashable that is equal only when `value` means the same; arrays by identity."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple((f.name, as_key(getattr(value, f.name))) for f in fields(value))
    if isinstance(value, list | tuple):
        return tuple(map(as_key, value))
    try:
        hash(value)
    except TypeError:
        return _Same(value)
    return _Same(value) if isinstance(value, np.ndarray) else value


@dataclass
class Cache:
    """Results by key, the least recently used ones dropped."""

    size: int
    entries: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable) -> Any:
        with self.lock:
            if key in self.entries:
                self.entries.move_to_end(key)
            return self.entries.get(key)

    def put(self, key: Hashable, value: Any) -> None:
        with self.lock:
            self.entries[key] = value
            self.entries.move_to_end(key)
            while len(self.entries) > self.size:
                self.entries.popitem(last=False)


class Steps:
    """Turns stages into fractions for the progress bar; every step is a place where the user may cancel."""

    def __init__(self, progress: Progress | None, exposures: int, upto: StageName):
        self._report = untold if progress is None else progress
        self._last = STAGES.index(upto)
        # The fit, which is for all exposures together, gets what is left.
        self._share = {s: w / sum(_WEIGHTS.values()) / exposures for s, w in _WEIGHTS.items() if s != "calibration"}
        self._next = 0.0

    def reach(self, stage: StageName) -> bool:
        """Whether a stage is to be done."""
        return STAGES.index(stage) <= self._last

    def begin(self, stage: StageName, text: str) -> Progress:
        """Begin a stage; the 0 to 1 of the progress that is returned are the share of the stage."""
        start = self._next
        end = self._next = start + self._share[stage] if stage in self._share else 1.0
        self._report(start, text)
        return lambda part, what: self._report(start + (end - start) * min(max(part, 0.0), 1.0), what or text)

    def done(self) -> None:
        """All is done."""
        self._report(1.0, "done")
