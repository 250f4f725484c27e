"""The picture of the measurements."""

from __future__ import annotations

from pathlib import Path

from measured import made_up

from pyfai_gridcal.benchmark.plot import draw


def test_picture(tmp_path: Path) -> None:
    rows = [
        made_up("taper", "gridcal", 1.0, 100.0, field_rms_px=0.01),
        made_up("taper", "tutorial", 9.0, 100.0, field_rms_px=0.4),
        made_up("pixels-1024", "gridcal", 1.0, 60.0),
        made_up("pixels-2048", "gridcal", 4.0, 60.0, pixels=4_000_000),
    ]
    draw(rows, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000
