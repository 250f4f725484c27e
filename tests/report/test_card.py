"""The card of a notebook: the verdict, the figures of the text, and pictures that need no file."""

from __future__ import annotations

import re
from dataclasses import replace

from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.records.verdict import Verdict
from pyfai_gridcal.report import html_card, summary
from pyfai_gridcal.report.text import figure_rows


def test_card_says_what_the_text_says(made: Calibration) -> None:
    card = html_card(made)
    rows = {row.short: row.value for row in figure_rows(summary(made)) if row.short}
    for name in ("pixel size", "residual", "prediction", "coverage"):
        assert f">{name}</td>" in card
        assert rows[name] in card
    assert len(re.findall('src="data:image/png;base64,', card)) == 2
    assert len(re.findall('src="data:image/png;base64,', html_card(replace(made, images=(), masks=())))) == 1


def test_reasons_cannot_break_it(made: Calibration) -> None:
    bad = "</td><script>x</script>"
    card = html_card(replace(made, verdict=Verdict("failed", (bad,), made.verdict.checks)))
    assert "<script" not in card
    assert ">failed</b>" in card
