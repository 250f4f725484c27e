"""Measurements that nobody made."""

from __future__ import annotations

from typing import Any

from pyfai_gridcal.benchmark import Measurement


def made_up(scene: str, method: str, cpu: float, peak: float, **figures: Any) -> Measurement:
    stages = [{"name": "all", "seconds": 2 * cpu, "cpu": cpu, "peak_mb": peak}]
    runs = ({"seconds": 2 * cpu, "cpu": cpu, "peak_mb": peak, "stages": stages},)
    return Measurement(scene, method, {"spots": 450, "pixels": 1_000_000, **figures}, runs)
