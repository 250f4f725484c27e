"""Which model is taken, and that nothing simpler or more complicated is."""

from __future__ import annotations

import numpy as np
import pytest
from fieldtruth import PIXEL, PLATE, SHAPE, SQUARE, Truth, observe

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.fitting import choice as choice_module
from pyfai_gridcal.fitting.choice import Choice, choose
from pyfai_gridcal.fitting.recipe import FieldFit
from pyfai_gridcal.fitting.view import PlateView
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.settings import MODELS
from pyfai_gridcal.synthetic import fields


def chosen(truth: Truth, **options: object) -> Choice:
    return choose(PlateView(truth.points, PLATE, SHAPE, truth.pixel_size), **options)  # type: ignore[arg-type]


def test_two_halves_that_jump_are_tiles() -> None:
    field = fields.tiles(SHAPE, (1, 2), np.random.default_rng(4), jump_px=3.0)
    choice = chosen(observe(field))
    assert choice.fit.name.startswith("tiles")
    assert choice.fit.held_out_px < 0.03
    assert any("seams found" in note for note in choice.notes)
    assert [t.name for t in choice.trials if t.chosen] == [choice.fit.name]


def test_a_smooth_field_is_none_of_tiles() -> None:
    truth = observe(fields.smooth(SHAPE, 4.0, 150.0, np.random.default_rng(1)))
    assert chosen(truth).fit.name == "spline"
    # tiles that are asked for are given, one of them where nothing jumps
    assert "one tile" in chosen(truth, model="tiles").notes[0]


def test_labels_of_the_user_are_numbered_and_their_gaps_closed() -> None:
    field = fields.tiles(SHAPE, (2, 1), np.random.default_rng(5), jump_px=2.0)
    labels = np.where(field.labels == 0, 7, 3)
    labels[SHAPE[0] // 2 - 5 : SHAPE[0] // 2 + 5] = -1
    choice = chosen(observe(field), model="mosaic", labels=labels)
    assert choice.notes[0] == "tiles as given"
    assert np.unique(choice.fit.field.labels).tolist() == [0, 1]  # type: ignore[attr-defined]
    assert choice.fit.held_out_px < 0.05


def test_what_cannot_be() -> None:
    truth = observe(fields.linear(SHAPE, shear=0.01))
    with pytest.raises(UsageError, match="model"):
        chosen(truth, model="magic")
    with pytest.raises(UsageError, match="labels"):
        chosen(truth, labels=np.zeros((3, 4), int))


SMALL = (220, 290)


FINE_PLATE = Plate((0.75e-3, 0.68e-3))


def seen(field, **other) -> PlateView:
    truth = observe(field, shape=SMALL, plate=FINE_PLATE, sigma=0.01, **other)
    return PlateView(truth.points, FINE_PLATE, SMALL, PIXEL)


@pytest.fixture(scope="module")
def bent() -> PlateView:
    return seen(fields.smooth(SMALL, 3.0, 110.0, np.random.default_rng(3)))


def chosen_of(choice: Choice) -> list[str]:
    return [trial.name for trial in choice.trials if trial.chosen]


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


def test_gaps_of_the_mask_part_tiles() -> None:
    field = fields.tiles(SMALL, (2, 1), np.random.default_rng(2), jump_px=3.0)
    mask = np.zeros(SMALL, bool)
    mask[107:113] = True
    choice = choose(seen(field), mask=mask)
    assert any("2 tiles from the gaps of the mask" in note for note in choice.notes)
    assert choice.fit.held_out_px < 0.05


def few_holes(seed: int) -> PlateView:
    """Six rows of five holes in one part of a larger detector, seen through a lens."""
    shape = (480, 640)
    truth = observe(
        fields.radial(shape, 0.02, -0.01),
        plate=SQUARE,
        shape=shape,
        pixel_size=(17e-6, 17e-6),
        angle_deg=-1.6,
        seed=seed,
    )
    ij = truth.points.ij
    low = ij.min(axis=0) + 1
    return PlateView(truth.points.select(((ij >= low) & (ij < low + (6, 5))).all(axis=1)), SQUARE, shape, None)


@pytest.mark.parametrize("seed", [0, 3, 5])
def test_few_columns_of_holes_tell_the_field_between_them(seed: int) -> None:
    """A fifth order vanishes at all of five columns, and may be anything between them."""
    view = few_holes(seed)
    assert len(view.points) == 30
    assert choose(view).support.rms_inside < 0.05  # type: ignore[union-attr]
    assert choose(view, model="polynomial").support.rms_inside < 0.05  # type: ignore[union-attr]


def test_a_polynomial_must_be_known_between_the_holes(bent: PlateView, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it predicts left out holes, but says little of what lies between, the spline stays."""
    monkeypatch.setattr(choice_module, "_predicts_better", lambda *_, **__: True)
    assert chosen_of(choose(bent)) == ["spline"]
    # a field that is a polynomial is known better by one
    assert chosen_of(choose(seen(fields.radial(SMALL, 0.03, -0.01)))) == ["polynomial"]


@pytest.mark.parametrize(
    ("sure", "of", "better"),
    [
        (2.8, 1200, False),  # all of the points, and not quite sure
        (3.2, 1200, True),
        (2.8, 2939, True),  # as much of all of them is surely better
        (0.6, 165_796, False),  # a tie, which more points may decide, but nobody needs to know
        (1.5, 165_796, True),
    ],
)
def test_some_points_tell_whether_to_ask_all(sure: float, of: int, better: bool) -> None:
    """By how many times its own uncertainty a rival, fitted to some of the points, predicts these better."""
    gain = np.random.default_rng(0).normal(size=1200)
    gain = (gain - gain.mean()) / gain.std() + sure / np.sqrt(1200)
    used, spline, other = np.ones(1200, bool), np.sqrt(10 + np.stack([gain, gain], axis=1)), np.full((1200, 2), 10**0.5)

    def fitted(held_out: np.ndarray) -> FieldFit:
        zero = np.zeros_like(held_out)
        return FieldFit("a fit", fields.linear(SHAPE), zero, held_out, used, zero, zero)

    told = choice_module._predicts_better(fitted(other), fitted(spline), np.arange(1200), of=of)
    assert told is better
