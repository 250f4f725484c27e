"""What is drawn over the image."""
