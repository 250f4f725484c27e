"""One picture of holes with all that a search for them holds on its way, made once in each process."""

from __future__ import annotations

from functools import cache

import numpy as np

from pyfai_gridcal.finding.holes.learning import Instrument
from pyfai_gridcal.finding.holes.model import SpotState
from pyfai_gridcal.finding.holes.windows import PreparedImage
from pyfai_gridcal.finding.picking import Candidates
from pyfai_gridcal.finding.search import FirstLook, Found, instrument_of, look_at
from pyfai_gridcal.finding.survey import HoleGuess
from pyfai_gridcal.indexing.indexing import index_spots
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.spots import Spots
from pyfai_gridcal.synthetic import Camera, Light, Scene, SyntheticImage, fields, place

SHAPE, PIXEL, PITCH_PX, RADIUS = (240, 310), (51e-6, 48e-6), 26.0, 4.6
#: Rows of the true spots that no candidate stands for.
LEFT_OUT = (20, 33, 47)


@cache
def picture() -> SyntheticImage:
    """A bent field, photons and a little noise."""
    size = float(np.sqrt(PIXEL[0] * PIXEL[1]))
    distortion = Distortion(fields.smooth(SHAPE, 3.0, 200.0, np.random.default_rng(4)), SHAPE, PIXEL)
    plate = Plate(PITCH_PX * size, hole_m=2 * RADIUS * size)
    pose = place(distortion, plate, angle_deg=8.0)
    light, camera = Light(4000.0, 700.0, vignetting=0.2), Camera(1.1, readout=6.0)
    return Scene(distortion, plate, pose, light, camera).render(np.random.default_rng(5))


def prepared() -> PreparedImage:
    """A new one: the search changes its rim."""
    return PreparedImage(picture().image, None, "bright")


@cache
def candidates() -> np.ndarray:
    """Places of the whole holes but those left out, a third of a pixel off."""
    whole = np.flatnonzero(picture().truth.whole)
    yx = picture().truth.yx[np.delete(whole, LEFT_OUT)]
    return np.asarray(yx + np.random.default_rng(6).normal(0, 0.3, yx.shape))


@cache
def search() -> tuple[Instrument, SpotState, FirstLook]:
    """What instrument and first look make of the candidates."""
    yx = candidates()
    one = np.ones(len(yx))
    points = index_spots(Spots.from_positions(yx, sigma=0.3))
    found = Found(HoleGuess("bright", 1.2 * RADIUS), Candidates(yx, 4000 * one, one, 99 * one, 0.35), points)
    tools, state, stretch_error = instrument_of(prepared(), found, None, 1)
    return tools, state, look_at(tools, state, stretch_error)
