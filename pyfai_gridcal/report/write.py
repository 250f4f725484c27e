"""The page, written to a file."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ..calibration import Calibration
from .data import report_data

if TYPE_CHECKING:
    from ..validation import Validation

__all__ = ["write_report"]


def write_report(calibration: Calibration, path: str | PathLike[str], *, validation: Validation | None = None) -> Path:
    """Write everything that a reviewer of a calibration may want to see to one file.

    Parameters
    ----------
    calibration : to be reported
    path : of the page, ``.html``: one file without any other, opened by every browser without a network. With the
        suffix ``.json``, the same content as plain data, see :func:`~pyfai_gridcal.report.schema`.
    validation : of the same calibration, from :func:`~pyfai_gridcal.validation.validate`; the page says so when there
        is none

    Returns
    -------
    the path
    """
    from ..io.atomic import replacing

    path = Path(path)
    if path.suffix.lower() == ".json":
        text = json.dumps(report_data(calibration, validation=validation), indent=1, ensure_ascii=False) + "\n"
    else:
        from .page import page

        text = page(calibration, validation)
    with replacing(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
    return path
