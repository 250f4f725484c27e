"""Parts stand where they are put."""

from __future__ import annotations

import pytest
from qtest import qt

from pyfai_gridcal.gui.layouts import button, column, holder, row, splitter, tabs

pytestmark = pytest.mark.gui


def test_rows_and_columns(qapp):
    first, second, third = qt.QLabel("a"), qt.QLabel("b"), qt.QLabel("c")
    box = qt.QWidget()
    layout = column(first, (row(second, None, third), 2), on=box, margin=3, spacing=5)
    assert (layout.itemAt(0).widget(), layout.stretch(1), layout.spacing()) == (first, 2, 5)
    assert layout.contentsMargins() == qt.QMargins(3, 3, 3, 3)
    box.resize(400, 100)
    box.show()
    assert first.y() < second.y()
    assert second.y() == third.y()
    assert second.x() + second.width() < third.x()
    box.deleteLater()


def test_pages_and_splitters(qapp):
    one, two = qt.QWidget(), holder(row(qt.QLabel("x")))
    pages = tabs({"One": one, "Two": two})
    assert [pages.tabText(k) for k in range(pages.count())] == ["One", "Two"]
    parts = splitter(qt.QWidget(), qt.QWidget(), sizes=[100, 50], growing=1)
    parts.resize(1000, 100)
    parts.show()
    before = parts.sizes()
    parts.resize(1400, 100)
    after = parts.sizes()
    assert (after[0], after[1] > before[1]) == (before[0], True), "the second takes what room there is"
    for widget in (pages, parts):
        widget.deleteLater()


def test_button(qapp):
    pressed = []
    made = button("Go", lambda: pressed.append(1), name="go", tip="Goes", height=40)
    made.click()
    assert (pressed, made.objectName(), made.toolTip(), made.minimumHeight()) == ([1], "go", "Goes", 40)
