"""How a command ends, and what is said meanwhile."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import Calibration, Core, Verdict, run

from pyfai_gridcal.base.errors import FittingError, UsageError


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (UsageError("no"), 2, "error: no"),
        (FittingError("no"), 1, "error: no"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (RuntimeError("odd"), 1, "RuntimeError: odd (use --debug"),
        (MemoryError(), 1, "not enough memory"),
        (OSError(28, "No space left on device", "x.h5"), 1, "x.h5: No space left"),
        (ModuleNotFoundError("No module named 'PySide6'", name="PySide6.QtCore"), 1, "pyfai-gridcal[gui]"),
        (ImportError("No Qt wrapper found. Install PySide6, PyQt6, PyQt5."), 1, "pyfai-gridcal[gui]"),
    ],
)
def test_ends(
    core: Core, image: Path, error: BaseException, status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    core.error = error
    assert run("calibrate", image, "--pitch", "5mm") == status
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not image.with_suffix(".h5").exists()


def test_debug_shows_where(core: Core, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    core.error = RuntimeError("odd")
    assert run("calibrate", image, "--pitch", "5mm", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err
    assert run("--debug", "calibrate", image, "--pitch", "5mm") == 1
    assert "Traceback" in capsys.readouterr().err


def test_verbose(core: Core, image: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def talk(images: Any, **_: Any) -> Calibration:
        logging.getLogger("pyfai_gridcal.x").info("of ours")
        logging.getLogger("pyFAI.x").warning("of theirs")
        return core.result

    monkeypatch.setattr(sys.modules["pyfai_gridcal.calibration"], "calibrate", talk)
    assert run("calibrate", image, "--pitch", "5mm") == 0
    assert capsys.readouterr().err == ""
    assert run("-v", "calibrate", image, "--pitch", "5mm") == 0
    assert capsys.readouterr().err == "INFO pyfai_gridcal.x: of ours\n"
    assert run("calibrate", image, "--pitch", "5mm", "-vv") == 0
    assert "of theirs" in capsys.readouterr().err
    assert logging.getLogger("pyFAI").level == logging.NOTSET


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_no_output_fails_for_want_of_a_sign(
    core: Core, image: Path, tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    core.result = Calibration(Verdict("doubtful", ("47.2 ± 0.1 µm, 90° → Δ\udcff",)))
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert run("calibrate", image, "--pitch", "5mm") == 0
    assert run("calibrate", tmp_path / "größe.edf", "--pitch", "5mm") == 1
    told, failed = (one.buffer.getvalue().decode(encoding) for one in (out, err))
    assert "47.2" in told
    assert "written" in told
    if encoding == "ascii":
        assert "47.2 +- 0.1 um, 90 deg -> \\u0394\\udcff" in told
        assert "gr\\xf6\\xdfe.edf" in failed
    assert (out.errors, err.errors) == ("strict", "strict")
