"""Measured places of the holes of a plate, in and out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calibrated import demo
from fieldtruth import SHAPE, observe, turned_indices
from turnedplates import PLATE, exposures, field, imperfect, rms

from pyfai_gridcal import Settings
from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.base.geometry import turn_matrix
from pyfai_gridcal.exposure import plate_of
from pyfai_gridcal.fitting.fitting import fit_distortion
from pyfai_gridcal.io.kinds.certificate import certificate_text, is_certificate, read_certificate
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.report import write_report
from pyfai_gridcal.synthetic import fields


def written(folder: Path, plate: Plate, head: str = "i,j,y_mm,x_mm,sigma_um", unit: float = 1e3) -> Path:
    """As a machine would write it: from another zero, turned by 20 degrees."""
    assert plate.error_ij is not None
    places = plate.positions(plate.error_ij) @ turn_matrix(0.35).T * unit + [3.0, -11.0]
    cut = ";" if ";" in head else ","
    both = zip(plate.error_ij, places, strict=True)
    rows = [cut.join(map(repr, (int(i), int(j), float(y), float(x), 0.4))) for (i, j), (y, x) in both]
    path = folder / "plate.csv"
    path.write_text("# of a machine\n" + head + "\n\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(("head", "unit"), [("i,j,y_mm,x_mm,sigma_um", 1e3), ("I; J; y [um]; x [um]; sigma [um]", 1e6)])
def test_a_table_is_the_plate(tmp_path: Path, head: str, unit: float) -> None:
    plate = read_certificate(written(tmp_path, imperfect(), head, unit), PLATE)
    assert plate.error_yx is not None
    off = plate.error_yx - imperfect().error_yx
    # but for a shift and a turn of the whole
    p = plate.error_ij @ PLATE.basis
    motions = np.concatenate([[[1, 0, x], [0, 1, -y]] for y, x in p])
    left = off.ravel() - motions @ np.linalg.lstsq(motions, off.ravel(), rcond=None)[0]
    assert np.abs(left).max() < 1e-9
    assert np.all(plate.error_sigma_yx == pytest.approx(0.4e-6))


def test_a_pitch_that_is_longer_stays(tmp_path: Path) -> None:
    longer = read_certificate(written(tmp_path, imperfect().scaled(1.001)), PLATE)
    mean = np.linalg.lstsq(longer.error_ij @ PLATE.basis, longer.error_yx, rcond=None)[0]
    assert np.trace(mean) / 2 == pytest.approx(1e-3, rel=0.1)


def test_one_exposure_with_the_table_of_its_plate(tmp_path: Path) -> None:
    later = observe(field(), plate=imperfect(), angle_deg=181.5, offset=(0.7, 0.4), seed=50, sigma=0.01)
    foreign = turned_indices(later.points, 2, (11, 5))
    plate = plate_of(Settings("1mm", plate=str(written(tmp_path, imperfect()))), foreign)
    fit = fit_distortion(foreign, plate=plate, shape=SHAPE)
    assert rms(later, fit) < 0.25 * rms(later, fit_distortion(foreign, plate=PLATE, shape=SHAPE))
    assert any("no regular ones; single holes 18 µm rms" in note for note in fit.notes)


@pytest.mark.slow
def test_a_plate_that_was_solved_once_serves_another_camera(tmp_path: Path) -> None:
    seen = [t.points for t in exposures()]
    solved = fit_distortion(seen, plate=PLATE, shape=SHAPE).plate
    (tmp_path / "plate.csv").write_text(certificate_text(solved))
    known = read_certificate(tmp_path / "plate.csv", PLATE)
    shape, size = (360, 400), (60e-6, 55e-6)
    other = fields.smooth(shape, 4.0, 150.0, np.random.default_rng(12))
    truth = observe(other, plate=imperfect(), shape=shape, pixel_size=size, angle_deg=-3.0, seed=9)
    with_map = fit_distortion(truth.points, plate=known, shape=shape)
    assert rms(truth, with_map) < 0.5 * rms(truth, fit_distortion(truth.points, plate=PLATE, shape=shape))


def test_a_plate_too_good_to_be_recognised_still_has_its_pitch(tmp_path: Path) -> None:
    plate = replace(imperfect(), error_yx=1e-3 * imperfect().error_yx)
    seen = observe(field(), plate=plate, angle_deg=3.0, seed=2, sigma=0.01, stretch=1.0005)
    table = read_certificate(written(tmp_path, plate.scaled(1.0005)), PLATE)
    fit = fit_distortion(seen.points, plate=table, shape=SHAPE)
    assert any("but for its mean pitch" in note for note in fit.notes)
    assert fit.plate.pitch_m == pytest.approx((1.0005e-3,) * 2, rel=1e-6)


def test_our_own_solution_comes_back(tmp_path: Path) -> None:
    made = demo()
    known = replace(made, fit=replace(made.fit, plate=replace(imperfect(), pitch_m=made.plate.pitch_m)))
    path = write_report(known, tmp_path / "plate.csv")
    assert path.read_text() == certificate_text(known.plate)
    again = read_certificate(path, Plate(made.plate.pitch_m))
    there = np.array([(3, 4), (3, 5)])
    assert np.ptp(again.positions(there) - known.plate.positions(there), axis=0).max() < 1e-7
    assert is_certificate(path)
    assert not is_certificate("result.h5")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "missing"),
        ("i,j,y,x\n0,0,0,0", "in what"),
        ("i,j,y_mm,z_mm\n0,0,0,0", "z_mm"),
        ("i,j,y_mm,x_mm\n0,0,0", "numbers in each line"),
        ("i,j,y_mm,x_mm\n0,0,a,0", "numbers in each line"),
        ("i,j,y_mm,x_mm\n0,0,0,0\n0,1,0,1", "4 holes"),
        ("i,j,y_mm,x_mm\n0,0,0,0\n0,1,0,1\n1,0,1,0\n1,0,1,1", "two lines of one hole"),
        ('"i","j","y_mm","x_mm"\n0,0,0,0\n0,1,0,1\n1,0,1,0\n1.5,1,1,1', "not whole"),
        ("i,j,y_mm,x_mm\n0,0,0,0\n0,1,0,1\n1,0,1,0\n1,1,1,nan", "4 holes"),
        ("i,j,y_mm,x_mm\n0,0,0,0\n0,1,0,-1\n1,0,1,0\n1,1,1,-1\n", "mirrored"),
        ("i,j,y_um,x_um\n0,0,0,0\n0,1,0,1\n1,0,1,0\n1,1,1,1\n", "right unit"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "plate.csv").write_text(text)
    with pytest.raises(FileFormatError, match=says):
        read_certificate(tmp_path / "plate.csv", PLATE)
