"""``correct``: images without their distortion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import run


def test_images_of_another_shape_cost_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hub import wave

    from pyfai_gridcal.io.kinds.kinds import write_distortion

    write_distortion(wave(), tmp_path / "a.npz")
    np.save(tmp_path / "image.npy", np.ones((30, 40), np.float32))
    assert run("correct", tmp_path / "a.npz", tmp_path / "image.npy", "-o", tmp_path / "out.npy") == 1
    assert "as the detector" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "image.npy"]
