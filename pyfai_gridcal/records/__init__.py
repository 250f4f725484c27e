"""The nouns: frozen, without a verb that reads a file.

Other rooms may use::

    budget      PlateBudget, PlateErrors, plate_figures
    corners     corner_nodes, corners_of_nodes
    distortion  Distortion, Gauge
    field       CornerField, Field, SampledField, SumField, TiledField, bracket, by_rows, corner_values, label_at,
                point_by_point, without_gaps
    fit         DistortionFit, Lean, Pose, TrialScore, used_rows, used_sigmas
    inverse     newton
    jobs        Alignment, Calibrate, CalibrateRings, Compare, Convert, Correct, Missing, Reading, Validate,
                corrections_of
    nodes       NodeTable
    options     CLI, EWOKS, Option, default_of, documented, like, option, option_of, options_of, told
    plate       LatticeKind, Plate, error_sigma, with_errors, without_errors
    points      ControlPoints
    result      Result
    settings    MODELS, STANDING, Settings, require_model
    spots       HoleProfile, Noise, Polarity, SpotFlag, Spots
    traits      IMAGES, NO_TRAITS, Sensor, Traits
    verdict     Check, Level, Verdict, check_above, check_below
"""
