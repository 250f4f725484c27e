"""The state of the work, free of Qt: what the user asked for, what follows from it, what has to be computed again.

A :class:`WorkState` is all that a person decided: the files, the settings, the edits. It is immutable, so undo and redo
walk along a list of states. What follows from a state comes from five stages,

    image  ->  found  ->  spots  ->  points  ->  calibration

each a function of some part of the state and of the stage before. The part is the key of a cache: a change recomputes
the stages whose key it changed and those after, and undo finds the old results where it left them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...base.arrays import Bools
from ...base.errors import ImageError
from ...base.progress import Progress
from ...calibration import Calibration
from ...io.images.images import Image
from ...records.spots import Spots
from .cache import Cache, Steps, as_key
from .core import Core, Draft
from .edits import Edit, added_positions, kept_spots
from .state import (
    STAGES,
    ExposureResults,
    Results,
    StageName,
    WorkExposure,
    WorkState,
    joined,
    reach_px,
)

__all__ = ["Workspace"]


class Workspace:
    """The state of the work with its past and its results.

    Parameters
    ----------
    core : the core's verbs
    settings : to begin with

    Notes
    -----
    :meth:`compute` may run in another thread: it works on the state it was called with and touches nothing but the
    caches. Everything else belongs to the thread of the user.
    """

    #: Steps that can be undone.
    DEPTH = 200
    #: Results kept per stage; images are large, the rest is small.
    KEPT: Mapping[str, int] = {"image": 4, "found": 16, "spots": 64, "points": 64, "calibration": 12}

    def __init__(self, core: Core, settings: Draft):
        self.core = core
        self._past: list[tuple[str, WorkState]] = [("start", WorkState(settings))]
        self._now = 0
        self._saved = self._past[0][1]
        self._caches = {name: Cache(size) for name, size in self.KEPT.items()}
        self._listeners: list[Callable[[], None]] = []

    # -- the state and its past
    @property
    def state(self) -> WorkState:
        """What is decided now."""
        return self._past[self._now][1]

    @property
    def can_undo(self) -> str | None:
        """Name of the step that undo would take back, None if there is none."""
        return self._past[self._now][0] if self._now > 0 else None

    @property
    def can_redo(self) -> str | None:
        """Name of the step that redo would do again, None if there is none."""
        return self._past[self._now + 1][0] if self._now + 1 < len(self._past) else None

    @property
    def is_modified(self) -> bool:
        """Whether there is work that no file holds."""
        return self.state is not self._saved and bool(self.state.exposures)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of the state."""
        self._listeners.append(listener)

    def mark_saved(self, state: WorkState | None = None) -> None:
        """A file now holds `state` (default: the present one)."""
        self._saved = self.state if state is None else state
        self._tell()

    def reset(self, state: WorkState) -> None:
        """Begin anew from a state that a file holds; its past is forgotten."""
        self._past, self._now = [("open", state)], 0
        self.mark_saved()

    def undo(self) -> None:
        """Take back the last step."""
        self._now = max(0, self._now - 1)
        self._tell()

    def redo(self) -> None:
        """Do again what was taken back."""
        self._now = min(len(self._past) - 1, self._now + 1)
        self._tell()

    def _step(self, name: str, state: WorkState) -> None:
        del self._past[self._now + 1 :]
        self._past.append((name, state))
        del self._past[: max(0, len(self._past) - self.DEPTH)]
        self._now = len(self._past) - 1
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    # -- steps
    def set_exposures(self, exposures: tuple[WorkExposure, ...]) -> None:
        """Work on other images; edits go with their exposure."""
        self._step("image", replace(self.state, exposures=tuple(exposures)))

    def set_files(self, **names: str | None) -> None:
        """Set `dark`, `flat` or `mask`, file names or None."""
        if any(getattr(self.state, key) != value for key, value in names.items()):
            self._step(" and ".join(names), replace(self.state, **names))  # type: ignore[arg-type]

    def set_settings(self, **values: object) -> None:
        """Change settings by name; nothing happens when they are already so."""
        old = self.state.settings
        if any(as_key(getattr(old, key)) != as_key(value) for key, value in values.items()):
            self._step(" and ".join(values).replace("_", " "), replace(self.state, settings=replace(old, **values)))

    def set_drawn_mask(self, mask: Bools | None, *, exposure: int = 0) -> None:
        """Mask drawn by hand, (ny, nx) True = ignore."""
        if mask is not None and not mask.any():
            mask = None
        old = self.state.exposures[exposure].drawn
        if mask is not old and not (mask is not None and old is not None and np.array_equal(mask, old)):
            self._change("mask", exposure, drawn=None if mask is None else mask.copy())

    def edit(self, edit: Edit, *, exposure: int = 0) -> None:
        """Remove, restore, add, exclude or include."""
        before = self.state.exposures[exposure].edits
        self._change(edit.kind + (" spots" if edit.is_region else " spot"), exposure, edits=(*before, edit))

    def clear_edits(self, *, exposure: int = 0) -> None:
        """Forget all edits of an exposure."""
        self._change("forget edits", exposure, edits=())

    def toggle_spot(self, y: float, x: float, *, exposure: int = 0) -> Edit | None:
        """Remove the spot at (y, x), px, or bring it back; returns what was done, None when there is no spot."""
        work = self.results().exposures[exposure]
        if work.spots is None or work.kept is None or not len(work.spots):
            return None
        distance = np.hypot(*(work.spots.yx - (y, x)).T)
        row = int(distance.argmin())
        if distance[row] > reach_px(work.spots):
            return None
        edit = Edit.at("remove" if work.kept[row] else "restore", *work.spots.yx[row])
        self.edit(edit, exposure=exposure)
        return edit

    def _change(self, name: str, exposure: int, **values: Any) -> None:
        exposures = list(self.state.exposures)
        exposures[exposure] = replace(exposures[exposure], **values)
        self._step(name, replace(self.state, exposures=tuple(exposures)))

    # -- what follows from it
    def _keys(self, state: WorkState, exposure: WorkExposure) -> dict[str, Hashable]:
        """Key of each stage of one exposure; each holds the key of the stage before."""
        own = {
            "image": (exposure.source, as_key(exposure.array), state.dark, state.flat, state.mask),
            "found": (as_key(exposure.drawn),),
            "spots": (exposure.edits,),
            "points": (),
        }
        keys: dict[str, Hashable] = {}
        before: Hashable = ()
        for stage, parts in own.items():
            read = tuple(as_key(getattr(state.settings, name)) for name in self.core.reads.get(stage, ()))
            before = keys[stage] = (before, parts, read)
        return keys

    def _calibration_key(self, state: WorkState) -> Hashable:
        return (tuple(self._keys(state, e)["points"] for e in state.exposures), as_key(state.settings))

    def results(self, state: WorkState | None = None) -> Results:
        """What is already known for a state (default: the present one); computes nothing."""
        state = self.state if state is None else state
        works = []
        for exposure in state.exposures:
            keys = self._keys(state, exposure)
            spots, kept = self._caches["spots"].get(keys["spots"]) or (None, None)
            works.append(
                ExposureResults(
                    self._caches["image"].get(keys["image"]),
                    self._caches["found"].get(keys["found"]),
                    spots,
                    kept,
                    self._caches["points"].get(keys["points"]),
                )
            )
        return Results(tuple(works), self._caches["calibration"].get(self._calibration_key(state)))

    @property
    def calibration(self) -> Calibration | None:
        """The calibration of the present state, None when there is none yet."""
        calibration: Calibration | None = self._caches["calibration"].get(self._calibration_key(self.state))
        return calibration

    def know(self, calibration: Calibration, found: tuple[Spots, ...]) -> None:
        """Take over what a file holds: the calibration of the present state and the spots before the edits."""
        state = self.state
        for number, exposure in enumerate(state.exposures):
            keys = self._keys(state, exposure)
            self._caches["found"].put(keys["found"], found[number])
            if not exposure.edits:
                self._caches["spots"].put(keys["spots"], (found[number], np.ones(len(found[number]), bool)))
                self._caches["points"].put(keys["points"], calibration.points[number])
        if not any(exposure.edits for exposure in state.exposures):
            self._caches["calibration"].put(self._calibration_key(state), calibration)

    def compute(
        self, upto: StageName = "calibration", progress: Progress | None = None, *, state: WorkState | None = None
    ) -> Results:
        """Compute what is missing for a state (default: the present one), up to and with a stage.

        `progress` is told the fraction done and what is going on; it may raise :class:`Cancelled`. What was finished
        before an error or a cancel is kept and comes out of :meth:`results`.
        """
        state, last = self.state if state is None else state, STAGES.index(upto)
        if not state.exposures:
            raise ImageError("there is no image", hint="open one, or drop a file on the window")
        steps = Steps(progress, len(state.exposures), [s for s in STAGES[: last + 1] if s != "calibration"])
        works = []
        for number, exposure in enumerate(state.exposures):
            works.append(self._work(state, exposure, last, steps, number))
        if last == STAGES.index("calibration"):
            key = self._calibration_key(state)
            calibration = self._caches["calibration"].get(key)
            if calibration is None:
                parts = [tuple(getattr(w, name) for w in works) for name in ("picture", "points")]
                spots = tuple(w.spots.select(w.kept) for w in works)  # type: ignore[union-attr, arg-type]
                calibration = self.core.calibrate(state, parts[0], spots, parts[1], steps.rest("fitting"))
                self._caches["calibration"].put(key, calibration)
        steps.done()
        return self.results(state)

    def _work(self, state: WorkState, exposure: WorkExposure, last: int, steps: Steps, number: int) -> ExposureResults:
        """All stages of one exposure up to `last`."""
        keys, settings, core = self._keys(state, exposure), state.settings, self.core
        which = f" {number + 1} of {len(state.exposures)}" if len(state.exposures) > 1 else ""

        def stage(name: StageName, text: str, make: Callable[[], Any]) -> Any:
            if STAGES.index(name) > last:
                return None
            value = self._caches[name].get(keys[name])
            steps.begin(name, text + which)
            if value is None:
                value = make()
                self._caches[name].put(keys[name], value)
            return value

        picture = stage("image", "reading image", lambda: core.load(exposure, state, steps.part()))
        seen = picture
        if picture is not None and exposure.drawn is not None:
            seen = replace(picture, mask=picture.mask | exposure.drawn)
        found = stage("found", "looking for spots in image", lambda: core.find(seen, settings, steps.part()))
        both = stage("spots", "applying edits of image", lambda: self._edited(seen, found, exposure.edits, settings))
        spots, kept = both if both is not None else (None, None)

        def used() -> Spots:
            assert spots is not None
            return spots.select(kept)

        points = stage("points", "indexing image", lambda: core.index(used(), settings))
        return ExposureResults(seen, found, spots, kept, points)

    def _edited(self, picture: Image, found: Spots, edits: tuple[Edit, ...], settings: Draft) -> tuple[Spots, Bools]:
        wanted = added_positions(edits)
        spots = found
        if len(wanted):
            spots = joined(found, self.core.refine(picture, found, wanted, settings))
        return spots, kept_spots(edits, spots.yx, added=len(wanted), reach=reach_px(spots))
