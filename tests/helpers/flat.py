"""Shape and noise of the fit that the pictures are tested with."""

from __future__ import annotations

SHAPE = (130, 210)
SIGMA = 0.02
