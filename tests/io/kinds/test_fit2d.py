"""Fit2D splines: as pyFAI and ImageD11 read them, byte for byte in columns, with few knots, and never believed too
much.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hub import PIXEL, wave
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyfai_gridcal.base.errors import FileFormatError, GridcalError
from pyfai_gridcal.io.kinds import fit2d
from pyfai_gridcal.io.kinds.kinds import kind_of
from pyfai_gridcal.io.kinds.splinefit import fit_spline
from pyfai_gridcal.io.kinds.tensor import TensorSpline

REAL = ("F21.spline", "f4mnew.spline")


@pytest.fixture(scope="module")
def fitted():
    return fit_spline(wave(), tolerance=0.01)


@pytest.fixture(scope="module")
def text(fitted):
    return fit2d.format_spline(fitted.spline)


def pyfai_nodes(path):
    from pyFAI.spline import Spline

    x, y = Spline(str(path)).spline2array()
    return np.asarray(y, float), np.asarray(x, float)


# -- against other readers
def test_pyfai_reads_what_is_meant(tmp_path, fitted):
    path = fit2d.save_spline(tmp_path / "a.spline", fitted.spline)
    for ours, theirs in zip(wave().displacement_nodes(), pyfai_nodes(path), strict=True):
        assert np.abs(ours - theirs).max() <= 0.01


def test_pyfai_detector_of_a_spline_has_our_corners(tmp_path, fitted):
    from pyFAI.detectors import Detector

    detector = Detector(splinefile=str(fit2d.save_spline(tmp_path / "a.spline", fitted.spline)))
    assert (detector.pixel1, detector.pixel2) == pytest.approx(PIXEL, rel=1e-6)
    assert tuple(detector.shape) == wave().shape
    ours = fitted.spline.distortion().pixel_corners(np.float64)[..., 1:]
    assert np.abs((ours - detector.get_pixel_corners()[..., 1:]) / PIXEL).max() < 1e-4


def test_imaged11_reads_what_is_meant(tmp_path, fitted):
    blobcorrector = pytest.importorskip("ImageD11.blobcorrector", reason="ImageD11 is not installed")
    path = fit2d.save_spline(tmp_path / "a.spline", fitted.spline)
    with pytest.warns(DeprecationWarning, match="dx,dy"):
        corrector = blobcorrector.correctorclass(str(path))
    # ImageD11 evaluates the file at the pixel index where Fit2D means the edge coordinate: half a pixel apart.
    truth = fitted.spline.distortion()
    for slow, fast in ((20, 30), (111, 222), (200, 300)):
        dy, dx = truth.displacement(np.array([[slow - 0.5, fast - 0.5]]))[0]
        assert corrector.correct(slow, fast) == pytest.approx((slow + dy, fast + dx), abs=1e-4)
        dy, dx = truth.displacement(np.array([[slow, fast]]))[0]
        got = corrector.correct(slow, fast)
        assert math.hypot(got[0] - slow - dy, got[1] - fast - dx) < 0.05


@pytest.mark.parametrize("name", REAL)
def test_real_splines(tmp_path, real_data, name):
    path = real_data / name
    if not path.is_file():
        pytest.skip(f"no {name} in {real_data}")
    spline = fit2d.read_spline(path)
    ours = spline.distortion().displacement_nodes()
    for mine, theirs in zip(ours, pyfai_nodes(path), strict=True):
        assert np.abs(mine - theirs).max() <= 1e-4
    again = fit2d.save_spline(tmp_path / "again.spline", spline)
    for mine, back in zip(ours, fit2d.read_spline(again).distortion().displacement_nodes(), strict=True):
        assert np.abs(mine - back).max() <= 1e-5
    assert again.read_text().split() == path.read_text().split()


# -- writing
def test_layout_is_that_of_fit2d(text):
    lines = text.splitlines()
    assert lines[:3] == [fit2d.TITLE, "", "  VALID REGION"]
    numbers = [line for line in lines if "E+" in line or "E-" in line]
    assert all(len(line) % 14 == 0 and len(line) <= 70 for line in numbers)
    for line in numbers:
        for k in range(0, len(line), 14):
            assert f"{float(line[k : k + 14]):.6e}"
            assert line[k + 1 : k + 3] == "0."


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -1.0, 9.9999999, 0.1, 2048.0, -60.93507, 1e-300, 1.2345678e-12])
def test_cells_are_as_wide_as_fortrans(value):
    cell = fit2d._cell(value)
    assert len(cell) == 14
    assert float(cell) == pytest.approx(value, rel=1e-6, abs=1e-99)


def test_inverse_kind_has_its_headline_and_direction(tmp_path):
    fit = fit_spline(wave(), inverse=True)
    text = fit2d.format_spline(fit.spline)
    assert text.splitlines()[:2] == [fit2d.INVERSE_TITLE, fit2d.TITLE]
    back = fit2d.parse_spline(text)
    corrected = np.array([[100.0, 150.0], [33.0, 280.0]])
    observed = wave().distort(corrected)
    g = np.stack(
        [
            back.dy.at(corrected[:, 1] + 0.5, corrected[:, 0] + 0.5),
            back.dx.at(corrected[:, 1] + 0.5, corrected[:, 0] + 0.5),
        ],
        -1,
    )
    assert np.allclose(observed, corrected + g, atol=0.01)


# -- reading what others wrote, and what nobody should have written
def test_blank_separated_numbers_and_exponents_of_fortran(text):
    loose = "\n".join(
        " ".join(line[k : k + 14] for k in range(0, len(line), 14)) if "E+" in line else line
        for line in text.splitlines()
    )
    for changed in (loose, text.replace("E+", "D+"), text.replace("\n", "\r\n"), "\n" + text):
        spline = fit2d.parse_spline(changed)
        assert np.array_equal(spline.dx.coefficients, fit2d.parse_spline(text).dx.coefficients)


def test_a_byte_order_mark_and_lines_that_are_as_wide_as_columns(text, fitted, tmp_path):
    (tmp_path / "a.spline").write_text(text, encoding="utf-8-sig")
    assert fit2d.read_spline(tmp_path / "a.spline").pixel_um == fitted.spline.pixel_um
    assert kind_of(tmp_path / "a.spline").name == "spline"
    lines = text.splitlines()
    at = lines.index("  VALID REGION") + 1
    lines[at] = "0.0 0 310.0 230.000000000000"
    assert len(lines[at]) == 2 * fit2d.WIDTH
    assert fit2d.parse_spline("\n".join(lines)).region == (0, 0, 310, 230)


@pytest.mark.parametrize("inverse", [False, True])
def test_a_region_that_does_not_begin_at_the_first_pixel(inverse):
    spline = fit_spline(wave(), tolerance=0.1, inverse=inverse).spline
    region = replace(spline, region=(31.0, 20.0, 121.0, 90.0))
    whole = spline.distortion()
    part = region.distortion()
    assert part.shape == (70, 90)
    for mine, all_of_it in zip(part.displacement_maps(), whole.displacement_maps(), strict=True):
        np.testing.assert_allclose(mine, all_of_it[20:90, 31:121], atol=1e-6)
    masked = region.distortion((230, 310))
    assert masked.shape == (230, 310)
    assert not masked.mask[20:90, 31:121].any()
    assert (~masked.mask).sum() == 70 * 90
    np.testing.assert_allclose(masked.displacement_maps()[1], whole.displacement_maps()[1], atol=1e-6)
    assert region.distortion((70, 90)).mask is None, "what the images show, told again"


def _with_line(text: str, after: str, offset: int, new: str) -> str:
    lines = text.splitlines()
    lines[lines.index(after) + offset] = new
    return "\n".join(lines)


CASES = {
    "empty": lambda t: "",
    "another text": lambda t: "hello\nworld\n",
    "truncated": lambda t: t[: len(t) // 2],
    "without y": lambda t: t[: t.index("  Y-DISTORTION")],
    "nan": lambda t: _with_line(t, "  VALID REGION", 1, "           NaN" * 4),
    "infinite pixel": lambda t: _with_line(t, "  GRID SPACING, X-PIXEL SIZE, Y-PIXEL SIZE", 1, "      Infinity" * 3),
    "zero pixel": lambda t: _with_line(t, "  GRID SPACING, X-PIXEL SIZE, Y-PIXEL SIZE", 1, " 0.0000000E+00" * 3),
    "huge region": lambda t: _with_line(t, "  VALID REGION", 1, " 0.0000000E+00" * 2 + " 0.1000000E+09" * 2),
    "negative region": lambda t: _with_line(t, "  VALID REGION", 1, " 0.2000000E+03" * 2 + " 0.1000000E+02" * 2),
    "huge counts": lambda t: _with_line(t, "  X-DISTORTION", 1, "999999999999"),
    "few knots": lambda t: _with_line(t, "  X-DISTORTION", 1, "     7     9"),
    "more knots than there are": lambda t: _with_line(t, "  X-DISTORTION", 1, "    20    20"),
    "no counts": lambda t: _with_line(t, "  X-DISTORTION", 1, "  a  b"),
    "flat knots": lambda t: _with_line(t, "  X-DISTORTION", 2, " 0.0000000E+00" * 5),
    "descending knots": lambda t: _with_line(t, "  X-DISTORTION", 2, " 0.3000000E+03" + " 0.0000000E+00" * 4),
    "nan knots": lambda t: _with_line(t, "  X-DISTORTION", 2, "           NaN" * 5),
    "letters": lambda t: _with_line(t, "  X-DISTORTION", 4, "abcdefghijklmn" * 5),
    "huge coefficients": lambda t: _with_line(t, "  Y-DISTORTION", 8, " 0.1000000E+30" * 5),
    "one coefficient too many": lambda t: t.replace("\n\n  Y-DISTORTION", "\n 0.1000000E+01\n\n  Y-DISTORTION"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_meant_is_refused(text, case):
    with pytest.raises(FileFormatError) as error:
        fit2d.parse_spline(CASES[case](text), name="bad.spline")
    assert "bad.spline" in str(error.value)


def test_binary_missing_and_huge_files(tmp_path):
    (tmp_path / "b.spline").write_bytes(b"SPATIAL DISTORTION\0\1\2\3" * 100)
    with (tmp_path / "h.spline").open("wb") as stream:
        stream.truncate(fit2d.MAX_BYTES + 2)
    for name, reason in (("b.spline", "binary"), ("h.spline", "more than"), ("no.spline", "missing")):
        with pytest.raises(FileFormatError, match=reason):
            fit2d.read_spline(tmp_path / name)
    with pytest.raises(FileFormatError, match="not a file"):
        fit2d.read_spline(tmp_path)


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@FUZZ
@given(data=st.data())
def test_damaged_splines_are_read_or_refused(text, data):
    """Cut, replaced and repeated pieces: nothing but our own errors, and what is read can be evaluated."""
    damaged = text
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, max(0, len(damaged) - 1)))
        stop = data.draw(st.integers(start, min(len(damaged), start + 40)))
        piece = data.draw(
            st.one_of(st.text(max_size=20), st.sampled_from(["NaN", "-", "E+99", "\n", " 0.1E+31", "   9999   9999"]))
        )
        damaged = damaged[:start] + piece + damaged[stop:]
    try:
        spline = fit2d.parse_spline(damaged)
    except GridcalError:
        return
    ny, nx = spline.shape
    assert np.isfinite(spline.dx.on_grid(np.linspace(0, nx, 5), np.linspace(0, ny, 4))).all()


@pytest.mark.slow
@FUZZ
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(anything):
    for start in ("", fit2d.TITLE + "\n"):
        with pytest.raises(GridcalError):
            fit2d.parse_spline(start + anything)


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.floats(-1e4, 1e4, allow_nan=False), min_size=16, max_size=16),
    inner=st.lists(st.floats(1, 99), max_size=3, unique=True),
)
def test_any_spline_survives_its_text(values, inner):
    knots = np.array([0.0] * 4 + sorted(round(t, 3) for t in {round(t, 3) for t in inner}) + [100.0] * 4)
    c = np.resize(np.array(values), (len(knots) - 4, 4))
    function = TensorSpline(knots, np.array([0.0] * 4 + [80.0] * 4), c)
    spline = fit2d.Fit2DSpline(function, function, (0.0, 0.0, 100.0, 80.0), (50.0, 48.0))
    back = fit2d.parse_spline(fit2d.format_spline(spline))
    assert np.allclose(back.dx.coefficients, c, rtol=1e-6, atol=1e-90)
    assert back.shape == (80, 100)
