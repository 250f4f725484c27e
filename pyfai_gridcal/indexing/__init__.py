"""Spots -> ControlPoints: the integer node of every spot."""
