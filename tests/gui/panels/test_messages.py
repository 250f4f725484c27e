"""What went wrong is told in the words of the command line."""

from __future__ import annotations

import pytest
from qtest import qt

from pyfai_gridcal.base.errors import UsageError
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


def test_box_does_not_hold_up_and_has_the_trace(qapp, caplog):
    try:
        raise UsageError("no")
    except UsageError as error:
        box = error_box(None, error, "Export")
    assert box.isVisible()
    assert (box.text(), box.windowTitle()) == ("no", "pyFAI-gridcal: Export")
    assert "Traceback" in box.detailedText()
    assert not [record for record in caplog.records if record.levelname == "ERROR"], "the user knows what it is"
    box.close()


@pytest.mark.parametrize("save", [True, False])
def test_question_offers_to_save_what_can_be_saved(qapp, monkeypatch, save):
    asked = []
    monkeypatch.setattr(qt.QMessageBox, "question", staticmethod(lambda *args: asked.append(args[3])))
    question_box(None, "Unsaved.", save=save)
    assert bool(asked[0] & qt.QMessageBox.StandardButton.Save) == save
