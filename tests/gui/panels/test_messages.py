"""What went wrong is told in the words of the command line."""

from __future__ import annotations

import pytest
from qtest import qt

from pyfai_gridcal.base.errors import GridcalError, UsageError
from pyfai_gridcal.gui.panels.messages import error_box, question_box, words_of

pytestmark = pytest.mark.gui


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UsageError("no pitch", expected="a length", hint="such as 5mm"), "no pitch; expected a length; such as 5mm"),
        (MemoryError(), "not enough memory"),
        (FileNotFoundError(2, "No such file", "x.edf"), "x.edf: No such file"),
        (KeyError("x"), "unexpected error: KeyError: 'x'"),
    ],
)
def test_words(error, words):
    assert words_of(error) == words


@pytest.mark.parametrize(("error", "told"), [(UsageError("no"), True), (OSError(2, "no"), True), (KeyError(1), False)])
def test_box_does_not_hold_up_and_has_the_trace_of_what_nobody_expected(qapp, caplog, error, told):
    try:
        raise error
    except (GridcalError, OSError, KeyError) as reason:
        box = error_box(None, reason, "Export")
    assert box.isVisible()
    assert (box.text(), box.windowTitle()) == (words_of(error), "pyFAI-gridcal: Export")
    assert ("Traceback" in box.detailedText()) == (not told)
    assert box.defaultButton() is box.button(qt.QMessageBox.StandardButton.Close)
    assert told == (not [record for record in caplog.records if record.levelname == "ERROR"])
    box.close()


@pytest.mark.parametrize("save", [True, False])
def test_question_offers_to_save_what_can_be_saved(qapp, monkeypatch, save):
    asked = []
    monkeypatch.setattr(qt.QMessageBox, "question", staticmethod(lambda *args: asked.append(args[3])))
    question_box(None, "Unsaved.", save=save)
    assert bool(asked[0] & qt.QMessageBox.StandardButton.Save) == save
