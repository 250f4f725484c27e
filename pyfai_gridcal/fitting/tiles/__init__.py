"""Fields in pieces: seams, where they lie, and tiles fitted each on its own."""
