"""Images without distortion."""
