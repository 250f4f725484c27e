"""Is it to be trusted?

Other rooms may use::

    assessment  assess
    checking    check_file, difference
    comparison  Comparison, compare, drift, read_to_compare
    contradictions  without_contradicted
    limits      RULES
    measures    NAMED, PairDistances, edges_around, largest_rows, pair_distances, quality, residual_correlation,
                standardised_residuals, subpixel_bias, width_of, worst_rows, worst_spots
    planning    Illumination, Plan, plan
    tilt        tilt_words
    validation  Validation, validate, validate_files
"""
