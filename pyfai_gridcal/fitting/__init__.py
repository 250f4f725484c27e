"""ControlPoints -> DistortionFit: the field that the points speak of."""
