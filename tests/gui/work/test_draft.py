"""Settings are filled in one by one; what is missing is told when it is needed."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.gui.work.draft import Draft
from pyfai_gridcal.records.settings import Settings


def test_without_a_pitch() -> None:
    draft = replace(Draft(), hole=1e-3, lattice="square")
    with pytest.raises(UsageError, match="no pitch"):
        draft.settings()
    assert draft.anyway().lattice == "square"


def test_with_all_that_is_needed() -> None:
    settings = replace(Draft(), pitch=(3e-3, 2e-3), model="polynomial").settings()
    assert settings == Settings((3e-3, 2e-3), model="polynomial")
    assert {f.name for f in fields(Draft)} == {f.name for f in fields(Settings)}


def test_spots_depend_on_the_pixel_only_where_the_hole_is_given() -> None:
    assert Draft().hole_scale == replace(Draft(), pixel=(50e-6, 50e-6)).hole_scale
    hole = replace(Draft(), hole=1e-3)
    assert hole.hole_scale != replace(hole, pixel=(50e-6, 40e-6)).hole_scale
