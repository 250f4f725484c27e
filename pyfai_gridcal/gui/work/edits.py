"""Edits: what a person did to the spots by hand, as data that can be replayed, undone and saved."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from matplotlib.path import Path

from ...base.arrays import AnyArray, Bools, Floats
from ...base.errors import FileFormatError

EditKind = Literal["remove", "restore", "add", "exclude", "include", "index"]
#: Kinds that need so many points at least.
_OF_THREE = ("exclude", "include", "index")
Point = tuple[float, float]


@dataclass(frozen=True)
class Edit:
    """One deed of the user; positions in px, index frame, order (y, x).

    Spots are named by their place and not by their row, so that an edit still means the same spot when the spots are
    found again with other settings.

    Attributes
    ----------
    kind : "remove", "restore" and "add" concern the spot at one point; "exclude" and "include" all spots in a
        polygon; "index" names a spot and two of its neighbours, from which the nodes are counted
    yx : the point, or the corners of the polygon
    """

    kind: EditKind
    yx: tuple[Point, ...]

    @classmethod
    def at(cls, kind: EditKind, y: float, x: float) -> Edit:
        """Edit of the spot at one point."""
        return cls(kind, ((float(y), float(x)),))

    @classmethod
    def within(cls, kind: EditKind, corners: Iterable[Sequence[float]]) -> Edit:
        """Edit of all spots in a polygon of three corners or more."""
        return cls(kind, tuple((float(y), float(x)) for y, x in corners))

    @property
    def is_region(self) -> bool:
        """Whether the edit concerns a polygon."""
        return self.kind in ("exclude", "include")


def inside_polygon(yx: AnyArray, corners: Sequence[Point]) -> Bools:
    """Whether the points (N, 2) lie in a polygon; (N,)."""
    inside: Bools = Path(np.asarray(corners, float)).contains_points(np.asarray(yx, float).reshape(-1, 2))
    return inside


def added_positions(edits: Iterable[Edit]) -> Floats:
    """Points (A, 2) where the user wants a spot, in the order of the edits."""
    return np.array([e.yx[0] for e in edits if e.kind == "add"], float).reshape(-1, 2)


def picked_by_hand(edits: Iterable[Edit]) -> Floats | None:
    """A hole and two neighbours (3, 2) from which the nodes are to be counted, as they were picked last."""
    picked = [e.yx for e in edits if e.kind == "index"]
    return np.array(picked[-1], float) if picked else None


def kept_spots(edits: Sequence[Edit], yx: AnyArray, *, added: int = 0, reach: float = 5.0) -> Bools:
    """Replay the edits: which spots are used.

    Parameters
    ----------
    edits : in the order they were made
    yx : (N, 2) spots, px, index frame; the last `added` of them are the answers to the "add" edits, in order
    reach : px, how far a point may be from the spot that it means

    Returns
    -------
    (N,) False for spots that are out; one that an "add" edit did not yet place is not touched by earlier edits
    """
    yx = np.asarray(yx, float).reshape(-1, 2)
    kept = np.ones(len(yx), bool)
    there = len(yx) - added
    for edit in edits:
        if edit.kind == "add":
            there = min(there + 1, len(yx))
        if edit.kind in ("add", "index"):
            continue
        if edit.is_region:
            kept[:there][inside_polygon(yx[:there], edit.yx)] = edit.kind == "include"
            continue
        distance = np.hypot(*(yx[:there] - edit.yx[0]).T)
        if len(distance) and distance.min() <= reach:
            kept[distance.argmin()] = edit.kind == "restore"
    return kept


def edits_to_json(edits: Iterable[Edit]) -> str:
    """Text form of edits, for a file."""
    return json.dumps([[e.kind, e.yx] for e in edits])


def edits_from_json(text: str) -> tuple[Edit, ...]:
    """Edits of a text made by :func:`edits_to_json`.

    Raises
    ------
    FileFormatError
        The text is something else.
    """
    try:
        edits = tuple(Edit.within(kind, points) for kind, points in json.loads(text))
    except (ValueError, TypeError) as reason:
        raise FileFormatError(
            f"edits that cannot be read ({reason})", expected="pairs of a kind and its points"
        ) from None
    for edit in edits:
        if edit.kind not in get_args(EditKind) or not edit.yx or (edit.kind in _OF_THREE and len(edit.yx) < 3):
            raise FileFormatError(
                f"edit {edit.kind!r} with {len(edit.yx)} points", expected=f"one of {get_args(EditKind)}"
            )
    return edits
