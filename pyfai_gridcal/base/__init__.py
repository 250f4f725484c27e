"""What every room needs, and knows nothing of detectors.

Other rooms may use::

    arrays      AnyArray, AnyDtype, Bools, Floats, Ints, block_sums, every, freeze, frozen_array, in_a_line,
                join_rows, largest_of, length, measured, select_rows, with_rows
    atomic      MAX_PIXELS, check_suffix, check_writable, existing, leftovers, read_text, replacing, save_figure
    errors      CalibrationError, FileFormatError, FittingError, GridcalError, ImageError, IndexingError,
                PickingError, UsageError
    frames      CORNERS, edge_from_index, edge_nodes, index_from_edge, pixel_centres, raster_places
    geometry    as_pair, hull_of, inverted, leaning, rigid_columns, tree_of, turn_matrix, within_hull
    normal      inverses, solved
    opening     HDF5_MAGIC, is_hdf5, make_hdf5, members, open_hdf5, reading_hdf5, text_of
    plain       fields_of, plain
    progress    Cancelled, Progress, part_of, untold
    quantities  QUANTITIES, as_angle, as_share, as_source, as_temperature
    robust      NORMAL, cauchy_weights, rms, shares, spread
    silence     quiet, silenced_stdout
    threads     one_blas_thread, processors
    units       Length, Lengths, Region, UNITS, as_length, as_lengths, as_positions, as_region, format_length,
                parse_length, parse_lengths, parse_positions, parse_positive, parse_shape
"""
