"""Image -> Spots: where the holes are, and how well that is known.

Other rooms may use::

    dead       dark_lines, dead_areas, dead_level
    detection  THRESHOLD, find_spots, search_spots
    picking    pick
    survey     filled, survey
"""
