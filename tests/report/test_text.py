"""The report in words: the same figures on the terminal, the page and the card."""

from __future__ import annotations

from dataclasses import replace

from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.records.verdict import Verdict
from pyfai_gridcal.report import html_card, summary, text_report
from pyfai_gridcal.report.text import sentence


def test_text_and_card(made: Calibration) -> None:
    text = text_report(made)
    assert "verdict      GOOD" in text
    assert "at left-out holes" in text
    assert text.count("worst spot ") == 3
    assert " % of the pixels are known to 0.0" in text
    assert "± " in text
    card = html_card(made)
    assert "good" in card.lower()
    assert "<script" not in card


def test_the_first_sentence_says_which_file_to_use_or_why_not(made: Calibration) -> None:
    assert sentence({**summary(made), "coverage": 1.0}).startswith("Every pixel is known to 0.0")
    assert sentence(summary(made), "mine.h5").endswith("(rms per axis); use mine.h5.")
    doubtful, failed = (replace(made, verdict=Verdict(level, ("few holes",), ())) for level in ("doubtful", "failed"))
    assert sentence({**summary(doubtful), "coverage": 0.5}).startswith("Use with care (few holes): 50 % of the")
    assert sentence(summary(failed)) == "Do not use this calibration: few holes."


def test_serial_number_and_comment_are_shown_where_they_are_given(made: Calibration) -> None:
    assert "serial" not in text_report(made)
    told = replace(made, settings=replace(made.settings, serial="F12-7", comment="after the repair"))
    text = text_report(told)
    assert "serial       F12-7" in text
    assert "comment      after the repair" in text
