"""Dialogs of the task that ask for a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from silx.gui import qt

from ...base.errors import GridcalError
from ...io.kinds.kinds import KINDS
from ..document import Document
from .files import FileRow

#: Kinds of files that hold nothing but the name of the detector file.
POINTERS = ("poni", "json")
#: What can be written: name -> its title, and the suffixes of its files; what is no distortion first.
EXPORTS = {
    "report": ("Report", (".html",)),
    "corrected": ("Corrected image", (".h5", ".edf", ".tif")),
    **{name: (kind.title, kind.suffixes) for name, kind in KINDS.items()},
}
#: A PONI file with the geometry of another one.
LIKE = "poni-like"


class Dialogs:
    """Ask where from or where to, and let the document do it.

    Parameters
    ----------
    parent : over which the dialogs open
    tell : opens a box with an error, under a title
    """

    def __init__(self, parent: qt.QWidget, document: Document, tell: Callable[[BaseException, str], None]):
        self._parent, self._document, self._tell = parent, document, tell

    def openResult(self) -> None:
        """Ask for a result file and open it."""
        folder = os.path.dirname(self._document.defaultFile())
        name, _ = qt.QFileDialog.getOpenFileName(self._parent, "Open result", folder, "Result (*.h5)")
        if name:
            self._document.open(name)

    def addExposure(self, add: Callable[[str], None]) -> None:
        """Ask for another image of the plate and add it."""
        row = FileRow("Another exposure of the plate", parent=self._parent)
        row.sigFile.connect(lambda name: add(name) if name else None)
        row.choose()
        row.deleteLater()

    def target(self, title: str = "Save detector") -> str | None:
        """Ask where to write the detector file; None when the user thinks better of it."""
        return self._target(title, self._document.defaultFile(), "Detector", ".h5")

    def save(self) -> None:
        """Ask where to write the detector file, and write it."""
        name = self.target()
        if name:
            self._document.save(name)

    def export(self, kind: str, *, relative: bool = False) -> None:
        """Ask where to write another kind of file, and write it; what only names the detector needs its file first."""
        asked, kind = kind, "poni" if kind == LIKE else kind
        if kind in POINTERS and self._document.savedFile() is None:
            name = self.target(f"Save detector, which the {KINDS[kind].title.split()[0]} file names")
            if name:
                self._document.save(name, then=lambda _: self.export(asked, relative=relative))
            return
        like = None
        if asked == LIKE:
            folder = os.path.dirname(self._document.defaultFile())
            like, _ = qt.QFileDialog.getOpenFileName(self._parent, "Geometry of", folder, "PONI file (*.poni)")
            if not like:
                return
        title, suffixes = EXPORTS[kind]
        suffix, tail = "".join(suffixes[:1]), "_corrected" if kind == "corrected" else ""
        start = str(Path(self._document.defaultFile()).with_suffix("")) + tail + suffix
        name = self._target(f"Export: {title}", start, title, suffix)
        if name:
            self._document.export(name, kind, like=like, relative=relative)

    def _target(self, title: str, start: str, kind: str, suffix: str) -> str | None:
        """Ask where to write, where there is something to write that is to be trusted or wanted all the same."""
        parent, doing = self._parent, title.partition(":")[0]
        try:
            verdict = self._document.calibration().verdict
        except GridcalError as error:
            self._tell(error, doing)
            return None
        if verdict.level == "failed":
            reasons = "; ".join(verdict.reasons) or "the checks failed"
            text = f"The result is not to be trusted: {reasons}.\n\nWrite it all the same?"
            yes, no = qt.QMessageBox.StandardButton.Yes, qt.QMessageBox.StandardButton.No
            if qt.QMessageBox.question(parent, doing, text, yes | no, no) != yes:
                return None
        name, _ = qt.QFileDialog.getSaveFileName(parent, title, start, f"{kind} (*{suffix})")
        return str(name) + ("" if Path(name).suffix else suffix) if name else None
