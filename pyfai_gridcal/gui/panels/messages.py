"""What went wrong, in the words of the command line; where it came from only of what nobody expected."""

from __future__ import annotations

import logging
import traceback

from silx.gui import qt

from ...base.errors import GridcalError

logger = logging.getLogger(__name__)
TITLE = "pyFAI-gridcal"


def words_of(error: BaseException) -> str:
    """The text of an error as the command line says it."""
    if isinstance(error, GridcalError):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return f"unexpected error: {type(error).__name__}: {error}"


def error_box(parent: qt.QWidget | None, error: BaseException, doing: str = "") -> qt.QMessageBox:
    """Open a message box, which does not hold up the caller; returns it."""
    words = words_of(error)
    told = isinstance(error, GridcalError | OSError | MemoryError)  # the words say all that a user can do about it
    logger.log(
        logging.INFO if told else logging.ERROR, "%s: %s", doing or "error", words, exc_info=None if told else error
    )
    box = qt.QMessageBox(parent)
    box.setObjectName("error-box")
    box.setAttribute(qt.Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setIcon(qt.QMessageBox.Icon.Critical)
    box.setWindowTitle(f"{TITLE}: {doing}" if doing else TITLE)
    box.setText(words)
    if not told:
        box.setDetailedText("".join(traceback.format_exception(error)))
    box.setStandardButtons(qt.QMessageBox.StandardButton.Close)
    box.setDefaultButton(qt.QMessageBox.StandardButton.Close)
    box.open()
    return box


def question_box(parent: qt.QWidget | None, text: str, *, save: bool = True) -> qt.QMessageBox.StandardButton:
    """Ask what shall become of unsaved work: Save, Discard or Cancel."""
    buttons = qt.QMessageBox.StandardButton.Discard | qt.QMessageBox.StandardButton.Cancel
    if save:
        buttons |= qt.QMessageBox.StandardButton.Save
    return qt.QMessageBox.question(parent, TITLE, text, buttons, qt.QMessageBox.StandardButton.Cancel)
