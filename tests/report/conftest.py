"""A calibration, its closed loop and its page, made once for all tests of the report."""

from __future__ import annotations

from pathlib import Path

import pytest
from calibrated import demo

from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.judging.validation import Validation, validate
from pyfai_gridcal.report import write_report


@pytest.fixture(scope="session")
def made() -> Calibration:
    return demo()


@pytest.fixture(scope="session")
def loop(made: Calibration) -> Validation:
    return validate(made)


@pytest.fixture(scope="session")
def page(made: Calibration, loop: Validation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(made, tmp_path_factory.mktemp("report") / "report.html", validation=loop)
