"""Tasks and workflows for ewoks: calibrations and corrections on one machine or on many.

The tasks are in :mod:`pyfai_gridcal.ewoks.tasks`, graphs of them in :mod:`pyfai_gridcal.ewoks.graphs`, and graphs ready
for use, as JSON, in ``pyfai_gridcal/ewoks/workflows``. All but the graphs need the extra ``ewoks``.

Other rooms may use::

    graphs  correction_graph, fleet_graph, workflow
"""
