"""A file is typed, chosen or dropped, and told once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from qtest import qt, write

from pyfai_gridcal.gui.panels.files import FileRow, RecentMenu, dropped_files, plain_name

pytestmark = pytest.mark.gui


def test_typed(qapp, keep):
    row, told = keep(FileRow("Dark image")), []
    row.sigFile.connect(told.append)
    write(row.edit, "dark.edf")
    write(row.edit, "dark.edf")
    write(row.edit, "")
    assert told == ["dark.edf", None]
    row.setName("flat.edf")
    assert (row.name(), row.edit.toolTip(), len(told)) == ("flat.edf", "flat.edf", 2)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("fabio:/data/grid.edf", "/data/grid.edf"),
        ("silx:/data/scan.h5?path=/entry/data", "/data/scan.h5::/entry/data"),
        ("silx:/data/scan.h5?path=/entry/data&slice=3", "/data/scan.h5::/entry/data[3]"),
    ],
)
def test_urls_of_the_dialog_in_the_short_form(url, name):
    assert plain_name(url) == name


def test_only_local_files_are_taken(qapp):
    data = qt.QMimeData()
    data.setUrls([qt.QUrl("https://example.org/a.edf"), qt.QUrl.fromLocalFile("/tmp/b.edf")])
    assert dropped_files(SimpleNamespace(mimeData=lambda: data)) == ["/tmp/b.edf"]
    assert dropped_files(SimpleNamespace(mimeData=qt.QMimeData)) == []


def test_recent_files(qapp, tmp_path):
    """The last one first, each once, and none that is gone."""
    chosen, paths = [], [tmp_path / f"{k}.edf" for k in range(12)]
    for path in paths:
        path.touch()
    parent = qt.QWidget()
    menu = RecentMenu(qt.QSettings(str(tmp_path / "s.ini"), qt.QSettings.Format.IniFormat), chosen.append, parent)
    for path in (*paths, paths[5]):
        menu.add(f"{path}::/data")
    paths[11].unlink()
    menu.aboutToShow.emit()
    names = [action.text() for action in menu.actions()]
    assert names[:3] == [str(paths[k]) for k in (5, 10, 9)]
    assert len(names) == 9
    menu.actions()[1].trigger()
    assert chosen == [str(paths[10])]
