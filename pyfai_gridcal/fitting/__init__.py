"""ControlPoints -> DistortionFit: the field that the points speak of.

Other rooms may use::

    fitting             fit_distortion, folded_pixels, some_valid
    gauge               best_gauge, gauge_words
    neighbours          surely_common
    plates.beside       Beside, MakeWitness, WholeUncertainty, shared_rows
    plates.joint        Exposure, JointProblem, JointSolution
    plates.uncertainty  joint_uncertainty
    recipe              Sample, Uncertainty
    rigid               place
    spline.basis        Axis, band_of_stencil, product_stencil, roughness_stencil, uniform_axes
    spline.problem      SplineField, SplineProblem
    spline.recipe       BSpline
    support             MAX_SIGMA_PX, share_off
    tiles.seams         Seam, find_seams, labels_of_mask
"""
