"""Powder rings as judge of a calibration, and as witness of it beside the plate or alone.

Other rooms may use::

    doors    calibrate_ring_files, rings_beside
    drawing  save_ring_figure
    judge    validate_ring_files
"""
