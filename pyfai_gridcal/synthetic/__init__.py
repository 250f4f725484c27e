"""Pictures of grids of which everything is known: to test, to plan, to teach.

scene = random_scene(rng)               # or Scene(distortion, plate, pose, light, camera, faults)
picture = scene.render(rng)             # .image, .mask, .truth (spots), .distortion
match_spots(points, picture.truth)      # recall, precision, wrong indices, rms over the Cramér-Rao bound
field_error(fit.distortion, picture.distortion, spots=picture.truth)

Other rooms may use::

    fields  SumField, radial, taper
"""

from __future__ import annotations

from . import fields
from .catalogue import demo_scene, random_scene
from .parts import Camera, Faults, Light, Opaque, TruthSpots
from .scene import Scene, SyntheticImage, imperfect, place
from .scores import FieldScore, SpotScore, field_error, hull_mask, match_spots

__all__ = [
    "Camera",
    "Faults",
    "FieldScore",
    "Light",
    "Opaque",
    "Scene",
    "SpotScore",
    "SyntheticImage",
    "TruthSpots",
    "demo_scene",
    "field_error",
    "fields",
    "hull_mask",
    "imperfect",
    "match_spots",
    "place",
    "random_scene",
]
