"""Editors for the core's settings: texts with units, choices and numbers that say at once what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from silx.gui import qt

from ...base.errors import GridcalError, UsageError
from ...base.units import format_length, parse_length, parse_lengths
from ..drawing.calm import ignore_wheel

__all__ = ["Row", "SettingsForm"]


def _parse_number(text: str, *, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise UsageError(f"{name} {text!r}", expected="a positive number")
    return value


def _parse_lengths(text: str, *, name: str) -> float | tuple[float, float]:
    """One length where one is written: a plate of one pitch is not the same as one that is said to have two."""
    both = parse_lengths(text, name=name)
    return both if any(sign in text for sign in ",;x×") else both[0]


def _parse_text(text: str, *, name: str) -> str:
    return text


#: Kind of a row -> how its text is read, and how its value is written.
_KINDS: dict[str, tuple[Callable[..., Any], Callable[[Any], str]]] = {
    "length": (parse_length, lambda v: format_length(v, digits=8)),
    "lengths": (_parse_lengths, lambda v: format_length(v, digits=8).replace(" × ", ", ")),
    "number": (_parse_number, lambda v: f"{v:g}"),
    "text": (_parse_text, str),
}


@dataclass(frozen=True)
class Row:
    """One setting to edit.

    Attributes
    ----------
    name : of the setting
    label, tip : for people
    kind : "length", "lengths", "number", "text" or "choice"
    choices : of a "choice"
    empty : what an empty text means
    placeholder : what is shown in an empty text
    """

    name: str
    label: str
    tip: str
    kind: str = "text"
    choices: Sequence[str] = ()
    empty: Any = None
    placeholder: str = "automatic"


class SettingsForm(qt.QWidget):  # type: ignore[misc]
    """Rows of a form. A value that cannot be read is marked, explained in the tool tip, and not passed on."""

    #: Name of a setting and its new value.
    sigChanged = qt.Signal(str, object)

    def __init__(self, rows: Sequence[Row], parent: qt.QWidget | None = None):
        super().__init__(parent)
        layout = qt.QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(qt.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._rows = {row.name: row for row in rows}
        self._editors: dict[str, qt.QWidget] = {}
        self._errors: dict[str, GridcalError] = {}
        self._values: dict[str, Any] = {}
        for row in rows:
            editor = self._choice(row) if row.kind == "choice" else self._text(row)
            editor.setObjectName(f"setting-{row.name}")
            editor.setToolTip(row.tip)
            self._editors[row.name] = editor
            layout.addRow(f"{row.label}:", editor)

    def _choice(self, row: Row) -> qt.QComboBox:
        box = qt.QComboBox(self)
        box.addItems([str(choice) for choice in row.choices])
        ignore_wheel(box)
        box.activated.connect(lambda _index: self._edited(row.name))
        return box

    def _text(self, row: Row) -> qt.QLineEdit:
        edit = qt.QLineEdit(self)
        edit.setPlaceholderText(row.placeholder)
        edit.editingFinished.connect(lambda: self._edited(row.name))
        return edit

    def names(self) -> list[str]:
        """Names of the settings."""
        return list(self._rows)

    def editor(self, name: str) -> qt.QWidget:
        """The widget of a setting."""
        return self._editors[name]

    def setValue(self, name: str, value: Any) -> None:
        """Show the value of a setting."""
        row, editor = self._rows[name], self._editors[name]
        self._values[name] = value
        if row.kind == "choice":
            index = editor.findText(str(value))
            if index < 0:
                editor.addItem(str(value))
                index = editor.count() - 1
            editor.setCurrentIndex(index)
        else:
            editor.setText("" if value is None or value == row.empty else _KINDS[row.kind][1](value))
            self._mark(name, None)

    def setRowVisible(self, name: str, visible: bool) -> None:
        """Show or hide a setting."""
        editor = self._editors[name]
        editor.setVisible(visible)
        self.layout().labelForField(editor).setVisible(visible)

    def setPlaceholder(self, name: str, text: str | None) -> None:
        """What is shown where nothing is given: for example what was found instead."""
        if self._rows[name].kind != "choice":
            self._editors[name].setPlaceholderText(text or self._rows[name].placeholder)

    def commit(self) -> None:
        """Take over a text that is still being written.

        Raises
        ------
        UsageError
            Some text cannot be read.
        """
        for name in self._rows:
            self._edited(name)
        for error in self._errors.values():
            raise error

    def _edited(self, name: str) -> None:
        row, editor = self._rows[name], self._editors[name]
        if row.kind == "choice":
            value: Any = editor.currentText()
        else:
            text = editor.text().strip()
            try:
                value = _KINDS[row.kind][0](text, name=row.label.lower()) if text else row.empty
            except GridcalError as error:
                self._mark(name, error)
                return
            self._mark(name, None)
            shown = "" if self._values.get(name) in (None, row.empty) else _KINDS[row.kind][1](self._values[name])
            if text == shown:
                return
        if value != self._values.get(name):
            self._values[name] = value
            self.sigChanged.emit(name, value)

    def _mark(self, name: str, error: GridcalError | None) -> None:
        editor = self._editors[name]
        if error is None:
            self._errors.pop(name, None)
            editor.setStyleSheet("")
            editor.setToolTip(self._rows[name].tip)
        else:
            self._errors[name] = error
            editor.setStyleSheet("QLineEdit { border: 2px solid #e04848; }")
            editor.setToolTip(str(error))
