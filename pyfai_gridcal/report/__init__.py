"""What a calibration found: in words for a person, as plain data for a machine, as a page for a reviewer.

The page (:func:`write_report`) and the plain data (:func:`report_data`) have the same content; the form of the data is
stated in ``schema.json`` beside this module (:func:`schema`).

Other rooms may use::

    figures       PageFigure
    page          PagePart
    pictures      displacement_with_arrows, grid
    plots.canvas  nice, sampled_vectors
    plots.maps    reduced
    redo          changed_settings, versions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .card import html_card
from .data import SCHEMA, refusal, report_data, report_name, schema, summary
from .text import text_report

if TYPE_CHECKING:
    from .page import write_report

__all__ = [
    "SCHEMA", "html_card", "refusal", "report_data", "report_name", "schema", "summary", "text_report", "write_report",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The page is fetched when it is asked for: all figures come with it."""
    if name != "write_report":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .page import write_report

    return write_report
