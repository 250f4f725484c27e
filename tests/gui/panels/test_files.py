"""A file is typed, chosen or dropped, and told once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from qtest import qt, write

from pyfai_gridcal.gui.panels.files import FileRow, dropped_files, plain_name

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
