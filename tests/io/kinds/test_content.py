"""Kinds by the first bytes of a file; by names only where there is nothing else."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from pyfai_gridcal.io.kinds.content import kind_of_content
from pyfai_gridcal.records.jobs import Reading

STARTS = {
    b"\x93NUMPY\x01\x00": "npy",
    b"###CBF: VERSION": "xds",
    b"II*\0\x08\0\0\0": "tiff",
    b"\x80\x03cscitbx_array_family_flex_ext\ndouble\n": "dials",
    b"SPATIAL DISTORTION SPLINE INTERPOLATION COEFFICIENTS\n": "spline",
    b"\xef\xbb\xbfponi_version: 2\n": "poni",
    b'{"detector": "Pilatus1M"}': "json",
    b"# pyFAI-gridcal module table 1\n": "modules",
    b"nothing that is known": None,
}


@pytest.mark.parametrize("start", STARTS)
def test_first_bytes(tmp_path, start):
    (tmp_path / "a").write_bytes(start)
    assert kind_of_content(tmp_path / "a", Reading()) == STARTS[start]


def test_numbers_without_a_head_are_known_by_name(tmp_path):
    for name, kind in (("a.MIDAS.bin", "midas"), ("a.midas", "midas"), ("a.bin", None)):
        (tmp_path / name).write_bytes(bytes(16))
        assert kind_of_content(tmp_path / name, Reading()) == kind


def test_maps_of_nabu_are_no_detector(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["coords_source_x"] = np.zeros((3, 4))
    assert kind_of_content(tmp_path / "a.h5", Reading()) == "nexus"
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["coords_source_z"] = np.zeros((3, 4))
    assert kind_of_content(tmp_path / "a.h5", Reading()) == "nabu"
    (tmp_path / "a.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:600])  # cut off: the reader says what is wrong
    assert kind_of_content(tmp_path / "a.h5", Reading()) == "nexus"
