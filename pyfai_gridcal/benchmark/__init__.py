"""How near to the truth, how quick and with how much memory: scenes of which all is known, on this machine.

Each measurement runs in a process of its own (:mod:`.worker`): neither memory nor caches are shared. Beside it, on
the same images: the procedure of pyFAI's tutorial (:mod:`.tutorial`), and where they are installed discorpy and OpenCV
(:mod:`.rivals`).

Other rooms may use::

    plot  draw
"""

from __future__ import annotations

from .measurement import BenchmarkPlan, Measurement, measure, run
from .scenes import SCENES
from .table import machine, text_table

__all__ = ["SCENES", "BenchmarkPlan", "Measurement", "machine", "measure", "run", "text_table"]
