"""How parts of a window are put side by side, in a line of code each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from silx.gui import qt

#: A widget, a layout, one of them with its share of the room that is left, or None for empty room.
Part: TypeAlias = "qt.QWidget | qt.QLayout | tuple[qt.QWidget | qt.QLayout, int] | None"


def _filled(layout: qt.QBoxLayout, parts: Sequence[Part], margin: int, spacing: int | None) -> qt.QBoxLayout:
    layout.setContentsMargins(margin, margin, margin, margin)
    if spacing is not None:
        layout.setSpacing(spacing)
    for part in parts:
        what, stretch = part if isinstance(part, tuple) else (part, 0)
        if what is None:
            layout.addStretch(1)
        elif isinstance(what, qt.QLayout):
            layout.addLayout(what, stretch)
        else:
            layout.addWidget(what, stretch)
    return layout


def column(*parts: Part, on: qt.QWidget | None = None, margin: int = 0, spacing: int | None = None) -> qt.QBoxLayout:
    """Parts one below the other, as the layout of `on` if given."""
    return _filled(qt.QVBoxLayout() if on is None else qt.QVBoxLayout(on), parts, margin, spacing)


def row(*parts: Part, on: qt.QWidget | None = None, margin: int = 0, spacing: int | None = None) -> qt.QBoxLayout:
    """Parts side by side, as the layout of `on` if given."""
    return _filled(qt.QHBoxLayout() if on is None else qt.QHBoxLayout(on), parts, margin, spacing)


def holder(layout: qt.QLayout) -> qt.QWidget:
    """A widget with a layout."""
    widget = qt.QWidget()
    widget.setLayout(layout)
    return widget


def tabs(pages: dict[str, qt.QWidget]) -> qt.QTabWidget:
    """Pages by their titles."""
    widget = qt.QTabWidget()
    widget.setDocumentMode(True)
    for title, page in pages.items():
        widget.addTab(page, title)
    return widget


def splitter(*widgets: qt.QWidget, sizes: Sequence[int] = (), growing: int = 0) -> qt.QSplitter:
    """Widgets side by side with a border to be moved; the one of number `growing` takes what room there is."""
    out = qt.QSplitter(qt.Qt.Orientation.Horizontal)
    for number, widget in enumerate(widgets):
        out.addWidget(widget)
        out.setStretchFactor(number, int(number == growing))
    if sizes:
        out.setSizes(list(sizes))
    return out


def button(
    text: str, slot: Callable[[], object], *, name: str = "", tip: str = "", height: int = 0, small: bool = False
) -> qt.QAbstractButton:
    """A button, or a small one for a sign."""
    made = qt.QToolButton() if small else qt.QPushButton()
    made.setText(text)
    made.setObjectName(name)
    made.setToolTip(tip)
    made.setMinimumHeight(height)
    made.clicked.connect(lambda _=False: slot())
    return made
