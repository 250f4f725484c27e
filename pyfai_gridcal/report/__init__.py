"""What a calibration found: in words for a person, as plain data for a machine, as a page for a reviewer.

The page (:func:`write_report`) and the plain data (:func:`report_data`) have the same content; the form of the data is
stated in ``schema.json`` beside this module (:func:`schema`).

Other rooms may use::

    figures       PageFigure
    page          PagePart
    pictures      displacement_with_arrows, grid
    plots.canvas  nice
    plots.maps    reduced
    redo          changed_settings, versions
"""

from __future__ import annotations

from .card import html_card
from .data import SCHEMA, refusal, report_data, schema, summary
from .page import report_name, write_report
from .text import text_report

__all__ = [
    "SCHEMA", "html_card", "refusal", "report_data", "report_name", "schema", "summary", "text_report", "write_report",
]  # fmt: skip
