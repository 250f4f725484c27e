"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real grid images, named by the environment variable PYFAI_GRIDCAL_DATA."""
    folder = os.environ.get("PYFAI_GRIDCAL_DATA")
    if not folder:
        pytest.skip("PYFAI_GRIDCAL_DATA is not set: name a folder with real grid images to run this test")
    return Path(folder)
