"""The door of the room: words and numbers at once, the page with its figures when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pyfai_gridcal import report


def test_the_page_comes_when_it_is_asked_for():
    code = (
        "import sys; from pyfai_gridcal import report; page = 'pyfai_gridcal.report.page'; print(page in sys.modules);"
        "from pyfai_gridcal.report import write_report; print(page in sys.modules, write_report.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "write_report"]


def test_every_name_is_there_and_no_other():
    assert all(getattr(report, name) is not None for name in report.__all__)
    with pytest.raises(AttributeError, match="no_such_report"):
        report.no_such_report  # noqa: B018
