"""Which model is taken, and that the others are told."""

from __future__ import annotations

import numpy as np
import pytest
from fieldtruth import PIXEL, observe

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.fitting.choice import MODELS, Choice, choose
from pyfai_gridcal.fitting.view import PlateView
from pyfai_gridcal.records.field import TiledField
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import fields

SHAPE = (220, 290)
PLATE = Plate((0.75e-3, 0.68e-3))


def seen(field, **other) -> PlateView:
    truth = observe(field, shape=SHAPE, plate=PLATE, sigma=0.01, **other)
    return PlateView(truth.points, PLATE, SHAPE, PIXEL)


@pytest.fixture(scope="module")
def bent() -> PlateView:
    return seen(fields.smooth(SHAPE, 3.0, 110.0, np.random.default_rng(3)))


def chosen_of(choice: Choice) -> list[str]:
    return [trial.name for trial in choice.trials if trial.chosen]


def test_a_smooth_field_is_a_spline_and_the_polynomial_is_told(bent: PlateView) -> None:
    choice = choose(bent)
    assert chosen_of(choice) == [choice.fit.name]
    assert choice.fit.name.startswith("spline")
    assert any(trial.name.startswith("polynomial") for trial in choice.trials)
    assert not choice.strips.any()
    assert not choice.rigid


@pytest.mark.parametrize("model", [m for m in MODELS if m not in ("auto", "tiles", "mosaic")])
def test_the_model_that_is_asked_for_is_taken(bent: PlateView, model: str) -> None:
    choice = choose(bent, model=model)
    assert len(choice.trials) == 1
    assert len(chosen_of(choice)) == 1
    if model == "rigid":
        assert choice.rigid
    else:
        assert choice.fit.name.startswith(model)


def test_without_seams_there_is_one_tile_and_that_is_said(bent: PlateView) -> None:
    choice = choose(bent, model="tiles")
    assert any("neither gaps nor seams were found" in note for note in choice.notes)


def test_tiles_that_jump_are_seen_by_auto() -> None:
    """Without a mask, and beside the smooth field that they beat."""
    field = fields.tiles(SHAPE, (1, 2), np.random.default_rng(1), jump_px=3.0)
    choice = choose(seen(field))
    assert isinstance(choice.fit.field, TiledField)
    assert any("seams found at" in note for note in choice.notes)
    assert any("a smooth field leaves a seam" in note for note in choice.notes)
    assert choice.strips.any()
    columns = np.flatnonzero(choice.strips.any(axis=0))
    assert columns.min() <= SHAPE[1] // 2 <= columns.max()
    smooth = next(trial for trial in choice.trials if not trial.chosen)
    assert smooth.held_out_px > 2 * choice.fit.held_out_px


def test_gaps_of_the_mask_part_tiles() -> None:
    field = fields.tiles(SHAPE, (2, 1), np.random.default_rng(2), jump_px=3.0)
    mask = np.zeros(SHAPE, bool)
    mask[107:113] = True
    choice = choose(seen(field), mask=mask)
    assert any("2 tiles from the gaps of the mask" in note for note in choice.notes)
    assert choice.fit.held_out_px < 0.05


def test_labels_decide_and_must_fit() -> None:
    field = fields.tiles(SHAPE, (2, 1), np.random.default_rng(2), jump_px=3.0)
    view = seen(field)
    choice = choose(view, model="tiles", labels=field.labels * 7 - 3)
    assert "tiles as given" in choice.notes
    with pytest.raises(UsageError, match="labels of shape"):
        choose(view, model="tiles", labels=field.labels[1:])


def test_unknown_models_are_refused(bent: PlateView) -> None:
    with pytest.raises(UsageError, match="one of auto, spline"):
        choose(bent, model="magic")
