"""From the image of a grid of holes to a detector that pyFAI opens."""
