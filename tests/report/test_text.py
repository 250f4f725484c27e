"""The report in words: the same figures on the terminal, the page and the card."""

from __future__ import annotations

from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.report import html_card, text_report


def test_text_and_card(made: Calibration) -> None:
    text = text_report(made)
    assert "verdict      GOOD" in text
    assert "held out" in text
    assert "± " in text
    card = html_card(made)
    assert "good" in card.lower()
    assert "<script" not in card
