"""Several exposures of one plate: their poses, and the errors of the plate's own holes."""
