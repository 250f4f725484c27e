"""Image -> Spots: where the holes are, and how well that is known."""
