"""Images from wherever they come, and their masks."""
