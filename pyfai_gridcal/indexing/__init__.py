"""Spots -> ControlPoints: the integer node of every spot.

Other rooms may use::

    indexing    GrownLattice, grow_lattice, index_spots
    nodes       gross_outliers, isolated_outliers, local_bases, scatter_of_neighbours
    prediction  away_from, local_frames, missing_nodes, predicted
    regularity  Regularity, regularity_of
"""
