"""Spots -> ControlPoints: the integer node of every spot."""

#: What other rooms may use of this one: module -> names.
# fmt: off
OPEN = {
    "indexing": ("GrownLattice", "grow_lattice", "index_spots"),
    "nodes": ("gross_outliers", "isolated_outliers", "local_bases", "scatter_of_neighbours"),
    "prediction": ("away_from", "local_frames", "missing_nodes", "predicted"),
    "regularity": ("Regularity", "regularity_of"),
}
# fmt: on
