"""Choosing files: a line with a button, which also takes what is dropped on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from silx.gui import qt

from ..layouts import button, row

#: Files that are remembered: as many as are read at a glance.
RECENT = 10


def dropped_files(event: qt.QDropEvent) -> list[str]:
    """Local files of a drag, [] when there are none."""
    data = event.mimeData()
    return [url.toLocalFile() for url in data.urls() if url.isLocalFile()] if data.hasUrls() else []


class FileRow(qt.QWidget):  # type: ignore[misc]
    """Name of a file or of an image in an HDF5 file (``file.h5::/path``), typed, chosen or dropped."""

    #: The new name, or None.
    sigFile = qt.Signal(object)

    def __init__(self, title: str, *, filters: Sequence[str] = (), parent: qt.QWidget | None = None):
        super().__init__(parent)
        self._title = title
        self._filters = list(filters)
        self._name: str | None = None
        self.edit = qt.QLineEdit(self)
        self.edit.setPlaceholderText("none")
        self.edit.editingFinished.connect(self._edited)
        self.button = button("...", self.choose, tip=title, small=True)
        row((self.edit, 1), self.button, on=self)
        self.setAcceptDrops(True)
        self.edit.setAcceptDrops(False)

    def name(self) -> str | None:
        """The file, or None."""
        return self._name

    def setName(self, name: str | None) -> None:
        """Show a file."""
        self._name = name or None
        self.edit.setText(name or "")
        self.edit.setToolTip(name or "")
        self.edit.setCursorPosition(len(name or ""))

    def choose(self) -> None:
        """Ask for a file; images inside HDF5 files can be chosen too."""
        from silx.gui.dialog.ImageFileDialog import ImageFileDialog

        dialog = ImageFileDialog(self)
        dialog.setWindowTitle(self._title)
        folder = os.path.dirname((self._name or "").split("::")[0])
        dialog.setDirectory(folder or os.getcwd())
        if dialog.exec():
            self._take(plain_name(dialog.selectedUrl()))
        # It goes on watching its folder, and PySide leaves its end to Python's garbage.
        dialog.deleteLater()

    def _edited(self) -> None:
        self._take(self.edit.text().strip() or None)

    def _take(self, name: str | None) -> None:
        if name != self._name:
            self.setName(name)
            self.sigFile.emit(self._name)

    def dragEnterEvent(self, event: qt.QDragEnterEvent) -> None:
        """Take files only."""
        if dropped_files(event):
            event.acceptProposedAction()

    def dropEvent(self, event: qt.QDropEvent) -> None:
        """Take the first file."""
        self._take(dropped_files(event)[0])


def plain_name(url: str) -> str:
    """``file.edf`` of the URL of a dialog, with what is inside of an HDF5 file in the short form."""
    from silx.io.url import DataUrl

    parts = DataUrl(url)
    name = parts.file_path()
    if parts.scheme() == "fabio" and not parts.data_slice():
        return name
    if parts.data_path():
        name += f"::{parts.data_path()}"
    if parts.data_slice():
        inside = ",".join(
            "..." if s is Ellipsis else f"{s.start or ''}:{s.stop or ''}" if isinstance(s, slice) else str(s)
            for s in parts.data_slice()
        )
        name += f"[{inside}]"
    return name if parts.data_path() else url


class RecentMenu(qt.QMenu):  # type: ignore[misc]
    """The files that were opened or written last.

    Parameters
    ----------
    store : where their names are kept
    choose : opens one
    """

    def __init__(self, store: qt.QSettings, choose: Callable[[str], None], parent: qt.QWidget):
        super().__init__("Open recent", parent)
        self._store, self._choose = store, choose
        self.aboutToShow.connect(self._fill)

    def names(self) -> list[str]:
        """The last one first."""
        return list(filter(os.path.exists, str(self._store.value("recent") or "").split("\n")))

    def add(self, name: str) -> None:
        """Remember a file."""
        name = os.path.abspath(name.split("::")[0])
        self._store.setValue("recent", "\n".join([name, *(old for old in self.names() if old != name)][:RECENT]))

    def _fill(self) -> None:
        self.clear()
        for name in self.names():
            self.addAction(name).triggered.connect(lambda _=False, name=name: self._choose(name))
