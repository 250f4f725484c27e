"""The main recipe: a penalised spline, with what its algebra needs."""
