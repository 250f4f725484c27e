"""A corrector, frames, and the files that they come from."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hub import wave
from stacks import COUNT, SHAPE

from pyfai_gridcal.correction.corrector import Corrector
from pyfai_gridcal.correction.table import build_table


@pytest.fixture(scope="session")
def corrector():
    return Corrector(build_table(wave(SHAPE)))


@pytest.fixture(scope="session")
def frames():
    return np.random.default_rng(0).poisson(30, (COUNT, *SHAPE)).astype(np.uint16)


@pytest.fixture
def stack(tmp_path, frames):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data", data=frames, chunks=(1, *SHAPE), compression="gzip", shuffle=True)
    return f"{path}::/entry/data"


@pytest.fixture(scope="session")
def detector(tmp_path_factory):
    from pyfai_gridcal.io.kinds.kinds import write_distortion

    return write_distortion(wave(SHAPE, masked=True), tmp_path_factory.mktemp("detector") / "det.h5")[0]
