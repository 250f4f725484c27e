"""Dialogs of the task that ask for a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from silx.gui import qt

from ...base.errors import GridcalError
from ...io.kinds.kinds import KINDS
from .files import FileRow

if TYPE_CHECKING:
    from ..distortion_widget import DistortionWidget

__all__ = ["Dialogs"]

#: Kinds of files that hold nothing but the name of the detector file.
POINTERS = ("poni", "json")


class Dialogs:
    """Ask where from or where to, and let the task do it."""

    def __init__(self, task: DistortionWidget):
        self._task = task

    def openResult(self) -> None:
        """Ask for a result file and open it."""
        folder = os.path.dirname(self._task.document.defaultFile())
        name, _ = qt.QFileDialog.getOpenFileName(self._task, "Open result", folder, "Result (*.h5)")
        if name:
            self._task.document.open(name)

    def addExposure(self) -> None:
        """Ask for another image of the plate and add it."""
        row = FileRow("Another exposure of the plate", parent=self._task)
        row.sigFile.connect(lambda name: self._task.addExposure(name) if name else None)
        row.choose()
        row.deleteLater()

    def target(self, title: str = "Save detector") -> str | None:
        """Ask where to write the detector file; None when the user thinks better of it."""
        if self._refused(title) or not self._trusted(title):
            return None
        name, _ = qt.QFileDialog.getSaveFileName(
            self._task, title, self._task.document.defaultFile(), "Detector (*.h5)"
        )
        if not name:
            return None
        return str(name) if Path(name).suffix else f"{name}.h5"

    def save(self) -> None:
        """Ask where to write the detector file, and write it."""
        name = self.target()
        if name:
            self._task.document.save(name)

    def export(self, kind: str) -> None:
        """Ask where to write another kind of file, and write it; what only names the detector needs its file first."""
        if kind in POINTERS and self._task.document.savedFile() is None:
            name = self.target(f"Save detector, which the {KINDS[kind].title.split()[0]} file names")
            if name:
                self._task.document.save(name, then=lambda _: self.export(kind))
            return
        if self._refused("Export") or not self._trusted("Export"):
            return
        title, suffix = KINDS[kind].title, "".join(KINDS[kind].suffixes[:1])
        start = str(Path(self._task.document.defaultFile()).with_suffix("")) + suffix
        name, _ = qt.QFileDialog.getSaveFileName(self._task, f"Export: {title}", start, f"{title} (*{suffix})")
        if name:
            self._task.document.export(name if Path(name).suffix else name + suffix, kind)

    def _trusted(self, title: str) -> bool:
        """Whether the result is to be trusted, or the user wants it all the same."""
        verdict = self._task.document.calibration().verdict
        if verdict.level != "failed":
            return True
        reasons = "; ".join(verdict.reasons) or "the checks failed"
        buttons = qt.QMessageBox.StandardButton
        answer = qt.QMessageBox.question(
            self._task, title, f"The result is not to be trusted: {reasons}.\n\nWrite it all the same?",
            buttons.Yes | buttons.No, buttons.No,
        )  # fmt: skip
        return bool(answer == buttons.Yes)

    def _refused(self, doing: str) -> bool:
        """Whether there is nothing to write, which is told."""
        try:
            self._task.document.calibration()
        except GridcalError as error:
            self._task.tell(error, doing)
            return True
        return False
