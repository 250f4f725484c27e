"""Editors for the core's settings: texts with units, choices and numbers that say at once what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from typing import Any

from silx.gui import qt

from ...base.errors import GridcalError
from ...base.quantities import QUANTITIES
from ...base.units import as_lengths, format_length, parse_length, parse_positive
from ...records.options import default_of, option_of
from ...records.settings import Settings
from ...records.traits import Sensor
from ..drawing.calm import ignore_wheel


def _parse_text(text: str, *, name: str) -> str:
    return text


def _parse_sensor(text: str, *, name: str) -> str:
    return str(Sensor.parse(text))


#: Kind of an option -> kind of its row; a "text" for all others.
_ROWS = {"length": "length", "lengths": "lengths", "positive": "number", "choice": "choice", "sensor": "sensor"}
_ROWS |= {kind: kind for kind in QUANTITIES}

#: Kind of a row -> how its text is read, and how its value is written.
_KINDS: dict[str, tuple[Callable[..., Any], Callable[[Any], str]]] = {
    "length": (parse_length, lambda v: format_length(v, digits=8)),
    "lengths": (as_lengths, lambda v: format_length(v, digits=8).replace(" × ", ", ")),
    "number": (parse_positive, lambda v: f"{v:g}"),
    "sensor": (_parse_sensor, str),
    "text": (_parse_text, str),
    **QUANTITIES,
}


@dataclass(frozen=True)
class Row:
    """One setting to edit.

    Attributes
    ----------
    name : of the setting
    label, tip : for people
    kind : "length", "lengths", "number", "sensor", "text" or "choice"
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


def rows_of(*names: str, choices: Mapping[str, Sequence[str]] | None = None) -> list[Row]:
    """Rows of settings, with the texts and defaults of :class:`~pyfai_gridcal.records.settings.Settings`.

    Parameters
    ----------
    names : of the settings
    choices : of those that do not know them of themselves
    """
    rows = []
    for name in names:
        one, default = option_of(Settings, name), default_of(Settings, name)
        chosen = (choices or {}).get(name, one.choices)
        rows.append(
            Row(
                name,
                one.title or (one.what or name).replace("_", " ").capitalize(),
                one.text[0].upper() + one.text[1:],
                "choice" if chosen else _ROWS.get(one.kind, "text"),
                tuple(map(str, chosen)),
                None if default is MISSING else default,
                one.empty,
            )
        )
    return rows


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
