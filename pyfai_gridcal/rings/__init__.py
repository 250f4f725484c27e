"""Powder rings as judge of a calibration, and as witness of it beside the plate or alone.

Other rooms may use::

    doors     calibrate_ring_files, rings_beside, told_of
    drawing   judge_files, ring_figure, ring_part
    judge     RingValidation, validate_rings
    picking   calibrant_of, pick_rings
    points    RingPoints, ring_files, ring_points
    record    RingCalibration, poni_beside
    solution  fit_rings, witness_of
"""
