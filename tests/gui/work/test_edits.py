"""Edits are replayed in order and survive a file."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.gui.work.edits import (
    Edit,
    added_positions,
    edits_from_json,
    edits_to_json,
    inside_polygon,
    kept_spots,
)

YX = np.array([(10.0, 20.0), (10.0, 40.0), (30.0, 20.0), (30.0, 40.0)])
LEFT = Edit.within("exclude", [(0, 10), (0, 30), (50, 30), (50, 10)])


def test_polygon_that_is_not_convex() -> None:
    # An L: the notch is outside, and y is not x.
    corners = [(0, 0), (10, 0), (10, 4), (3, 4), (3, 20), (0, 20)]
    inside = inside_polygon(np.array([(8, 2), (8, 10), (1, 18), (18, 1)]), corners)
    assert inside.tolist() == [True, False, True, False]


def test_order_counts() -> None:
    include = Edit.within("include", [(5, 15), (5, 25), (15, 25), (15, 15)])
    assert kept_spots([LEFT, include], YX).tolist() == [True, True, False, True]
    assert kept_spots([include, LEFT], YX).tolist() == [False, True, False, True]


def test_one_spot_is_named_by_its_place() -> None:
    edits = [Edit.at("remove", 11.5, 39.0)]
    assert kept_spots(edits, YX).tolist() == [True, False, True, True]
    # Found again in another order and a bit elsewhere, it is still that one.
    assert kept_spots(edits, YX[::-1] + 0.3).tolist() == [True, True, False, True]
    assert kept_spots([*edits, Edit.at("restore", 10.0, 40.0)], YX).all()
    assert kept_spots([Edit.at("remove", 20.0, 30.0)], YX, reach=5.0).all(), "nothing is near enough"


def test_regions_touch_only_spots_that_were_there() -> None:
    add = Edit.at("add", 20.0, 20.0)
    yx = np.vstack([YX, (20.2, 19.9)])
    assert added_positions([LEFT, add]).tolist() == [[20.0, 20.0]]
    assert kept_spots([LEFT, add], yx, added=1).tolist() == [False, True, False, True, True]
    assert kept_spots([add, LEFT], yx, added=1).tolist() == [False, True, False, True, False]
    assert kept_spots([add, Edit.at("remove", 20.0, 20.0)], yx, added=1).tolist() == [True] * 4 + [False]


def test_no_spots() -> None:
    assert kept_spots([LEFT, Edit.at("remove", 1, 2)], np.empty((0, 2))).shape == (0,)


def test_there_and_back_through_text() -> None:
    edits = (LEFT, Edit.at("add", 1.25, 2.5), Edit.at("restore", 1.0, 2.0))
    assert edits_from_json(edits_to_json(edits)) == edits


@pytest.mark.parametrize("text", ["{", "[1]", '[["burn", [[1, 2]]]]', '[["exclude", [[1, 2]]]]', '[["add", []]]'])
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(FileFormatError, match="edit"):
        edits_from_json(text)
