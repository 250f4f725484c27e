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
from .core import Core
from .draft import Draft
from .edits import Edit, added_positions, kept_spots, picked_by_hand
from .state import ExposureResults, Results, StageName, WorkExposure, WorkState, joined, reach_px


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

    def forget_past(self) -> None:
        """Begin here: what was given to begin with cannot be undone."""
        self._past, self._now = [("start", self.state)], 0
        self._tell()

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
        return self._collect(self.state if state is None else state, None)

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
        state = self.state if state is None else state
        if not state.exposures:
            raise ImageError("there is no image", hint="open one, or drop a file on the window")
        steps = Steps(progress, len(state.exposures), upto)
        results = self._collect(state, steps)
        steps.done()
        return results

    def _collect(self, state: WorkState, steps: Steps | None) -> Results:
        """All stages of all exposures: computed where `steps` reach and the caches do not have them, else looked up."""
        works = tuple(self._exposure(state, number, steps) for number in range(len(state.exposures)))

        def calibrate(progress: Progress) -> Calibration:
            pairs = zip(works, state.exposures, strict=True)
            pictures = tuple(_masked(w.picture, e.drawn) for w, e in pairs)  # type: ignore[arg-type]
            spots = tuple(w.spots.select(w.kept) for w in works)  # type: ignore[union-attr, arg-type]
            points = tuple(w.points for w in works)
            return self.core.calibrate(state, pictures, spots, points, progress)  # type: ignore[arg-type]

        key = self._calibration_key(state)
        return Results(works, self._stage("calibration", key, "fitting", calibrate, steps))

    def _stage(
        self, name: StageName, key: Hashable, text: str, make: Callable[[Progress], object], steps: Steps | None
    ) -> Any:
        """Result of one stage: from the cache, else made if `steps` reach it, else None."""
        value = self._caches[name].get(key)
        if steps is not None and steps.reach(name):
            progress = steps.begin(name, text)
            if value is None:
                value = make(progress)
                self._caches[name].put(key, value)
        return value

    def _exposure(self, state: WorkState, number: int, steps: Steps | None) -> ExposureResults:
        """The stages of one exposure."""
        exposure, settings, core = state.exposures[number], state.settings, self.core
        keys = self._keys(state, exposure)
        which = f" {number + 1} of {len(state.exposures)}" if len(state.exposures) > 1 else ""

        def stage(name: StageName, text: str, make: Callable[[Progress], object]) -> Any:
            return self._stage(name, keys[name], text + which, make, steps)

        # The image as it is in its files.
        picture = stage("image", "reading image", lambda progress: core.load(exposure, state, progress))
        # All spots, looked for where the user did not draw a mask: by far the longest part.
        seen = lambda: _masked(picture, exposure.drawn)  # noqa: E731
        found = stage("found", "looking for spots in image", lambda progress: core.find(seen(), settings, progress))
        # What the user did to them by hand: which are used, and which are added.
        edit = lambda _: self._edited(seen(), found, exposure.edits, settings)  # noqa: E731
        both = stage("spots", "applying edits of image", edit)
        # Their nodes; a spot that is out cannot lead the lattice astray.
        hand = picked_by_hand(exposure.edits)
        points = stage("points", "indexing image", lambda _: core.index(both[0].select(both[1]), settings, hand))
        spots, kept = both or (None, None)
        return ExposureResults(picture, found, spots, kept, points)

    def _edited(self, picture: Image, found: Spots, edits: tuple[Edit, ...], settings: Draft) -> tuple[Spots, Bools]:
        wanted = added_positions(edits)
        spots = found
        if len(wanted):
            spots = joined(found, self.core.refine(picture, found, wanted, settings))
        return spots, kept_spots(edits, spots.yx, added=len(wanted), reach=reach_px(spots))


def _masked(picture: Image, drawn: Bools | None) -> Image:
    """A picture with the mask that was drawn by hand."""
    return picture if drawn is None else replace(picture, mask=picture.mask | drawn)
