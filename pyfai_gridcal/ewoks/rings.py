"""Powder rings in workflows, as witnesses without a plate."""

from __future__ import annotations

from ..base.errors import GridcalError
from ..base.progress import part_of
from ..records import jobs
from . import models, tasks

__all__ = ["CalibrateRings"]


class CalibrateRings(
    tasks.GridTask,
    input_model=models.CalibrateRingsInputs,  # type: ignore[call-arg]
    output_model=models.CalibrateRingsOutputs,
):
    """Find modules or the distortion of a detector by points of powder rings alone, and write a pyFAI detector file.

    Beside it, the PONI file of each image that goes with it.
    """

    job = jobs.CalibrateRings

    def work(self, job: jobs.CalibrateRings) -> tasks.Outputs:
        from ..base.atomic import check_writable
        from ..rings.doors import calibrate_ring_files

        output = check_writable(job.output or "rings.h5")
        found = calibrate_ring_files(job, progress=part_of(self.say, 0.0, 0.9))
        found.save(output, name=job.name)
        return {
            "detector_file": str(output),
            "detector": "NexusDetector",
            "detector_config": {"filename": str(output)},
            "held_out_px": found.held_out_px,
            "undetermined": list(found.undetermined),
            "summary": {**found.summary(), "output": str(output)},
        }

    def refused(self, job: jobs.CalibrateRings, error: GridcalError) -> tasks.Outputs:
        nothing = dict.fromkeys(("detector_file", "detector", "detector_config", "held_out_px"))
        return {**nothing, "undetermined": [], "summary": {"error": str(error)}}
