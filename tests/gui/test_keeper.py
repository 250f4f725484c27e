"""Work that was not saved comes through a crash, which leaves nothing else behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from qtest import kept, qt
from scenes import QuickCore, hole

pytestmark = pytest.mark.gui

#: What a window is at its end when it is killed: its lock, its journal, its work.
CRASH = """
import os, sys
from silx.gui import qt
lock = qt.QLockFile(sys.argv[1])
assert lock.tryLock(0)
os._exit(1)
"""


@pytest.fixture
def crashed(go, wait, tmp_path):
    """Calibrated with a spot removed, kept, and killed while the detector file was being written."""
    task = go.calibrated()
    task.workspace.toggle_spot(*hole())
    go.idle()
    # not that of before, which was kept by itself
    task.keeper.path.unlink(missing_ok=True)
    task.keeper.keep()
    wait(task.keeper.path.exists, what="the work to be kept")
    go.idle()
    left = task.keeper.path.with_name("1-abc.h5")
    left.write_bytes(task.keeper.path.read_bytes())
    (half := tmp_path / ".detector-0123abcd.h5").write_bytes(b"half")
    left.with_suffix(".written").write_text(f"{tmp_path / 'detector.h5'}\n")
    subprocess.run([sys.executable, "-c", CRASH, str(left.with_suffix(".lock"))], check=False)
    return task, left, half


def test_work_of_a_window_that_crashed(crashed, monkeypatch, wait, keep):
    from pyfai_gridcal.gui.window import GridcalWindow

    task, left, half = crashed
    work, buttons, asked = left.read_bytes(), qt.QMessageBox.StandardButton, []
    other = keep(GridcalWindow(core=QuickCore())).task
    for answer in ("Cancel", "Discard", "Yes"):
        monkeypatch.setattr(
            qt.QMessageBox, "question", staticmethod(lambda *args, a=answer: (asked.append(args[2]), buttons[a])[1])
        )
        assert other.takeUp() == (answer == "Yes")
        assert left.exists() == (answer == "Cancel")
        left.write_bytes(work)
        assert not half.exists()
    left.unlink()
    assert len(asked) == 3, "the window that is alive is not asked about"
    wait(lambda: other.view() is not None and other.view().fit is not None, what="the work")
    wait(lambda: not other.worker.isBusy and not other.updates.isPending)
    assert kept(other) == kept(task)
    assert other.isModified(), "it is not saved by that"
    assert other.document.file() is None


def test_nothing_is_kept_of_what_is_saved(go, wait, tmp_path):
    task = go.calibrated()
    wait(task.keeper.path.exists, 10, "the work to be kept by itself")
    task.document.save(str(tmp_path / "d.h5"))
    wait(lambda: not task.keeper.path.exists(), 10, "the copy to be forgotten")
    task.keeper.keep()
    go.idle()
    task.stop()
    assert not [one for one in Path(task.keeper.path.parent).iterdir() if one.name.startswith(task.keeper.path.stem)]
