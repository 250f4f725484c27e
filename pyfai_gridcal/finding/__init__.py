"""Image -> Spots: where the holes are, and how well that is known."""

#: What other rooms may use of this one: module -> names.
# fmt: off
OPEN = {
    "dead": ("dead_areas", "dead_level"),
    "detection": ("THRESHOLD", "find_spots", "search_spots"),
    "picking": ("pick",),
    "survey": ("filled", "survey"),
}
# fmt: on
