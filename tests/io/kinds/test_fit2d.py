"""Fit2D splines: as pyFAI and ImageD11 read them, byte for byte in columns, with few knots, and never believed too
much.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hub import PIXEL, corner_gap, wave
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyfai_gridcal.base.errors import FileFormatError, FittingError, GridcalError
from pyfai_gridcal.io.kinds import fit2d
from pyfai_gridcal.io.kinds.maps import distortion_of_centres
from pyfai_gridcal.io.kinds.splinefit import design, fit_spline, least_squares

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


@pytest.mark.parametrize("tolerance", [0.1, 0.01, 0.001])
def test_the_wanted_deviation_is_kept(tolerance):
    fit = fit_spline(wave(), tolerance=tolerance)
    dy, dx = (
        a - b for a, b in zip(wave().displacement_nodes(), fit.spline.distortion().displacement_nodes(), strict=True)
    )
    size = np.hypot(dy, dx)
    assert size.max() <= tolerance
    assert size.max() == pytest.approx(fit.largest, rel=1e-6)
    assert np.sqrt(np.mean(size**2)) == pytest.approx(fit.rms, rel=1e-6)


def test_a_closer_spline_needs_more_knots():
    knots = [fit_spline(wave(), tolerance=t).spline.knots for t in (0.1, 0.01, 0.001)]
    assert knots == sorted(set(knots))


def test_no_knot_is_left_that_is_not_needed():
    """A cubic polynomial needs no inner knot; one that bends in one place gets few, and there."""
    from pyfai_gridcal.records.distortion import Distortion

    class Bent:
        def on_grid(self, y, x):
            y, x = np.asarray(y, float)[:, None], np.asarray(x, float)[None, :]
            bend = np.maximum(x - 200, 0) ** 3 * 4e-6
            return np.stack([1e-7 * y**3 - 1e-3 * x + 0 * y, bend + 0.01 * y], axis=-1)

    fit = fit_spline(Distortion(Bent(), (200, 300), PIXEL), tolerance=0.01)
    assert [len(t) - 8 for t in (fit.spline.dy.knots_x, fit.spline.dy.knots_y, fit.spline.dx.knots_y)] == [0, 0, 0]
    inner = fit.spline.dx.knots_x[4:-4]
    assert 1 <= len(inner) <= 2
    assert np.abs(inner - 200).min() < 45


def test_masked_pixels_do_not_count():
    truth = wave(masked=True)
    spoilt = wave(masked=True, scale=1.0)

    class Spoilt:
        def on_grid(self, y, x):
            values = np.array(spoilt.field.on_grid(y, x))
            yy, xx = np.asarray(y)[:, None], np.asarray(x)[None, :]
            values[(yy > 11) & (yy < 23) & (xx > 42) & (xx < 87)] += 500
            return values

    from dataclasses import replace

    fit = fit_spline(replace(truth, field=Spoilt()), tolerance=0.01)
    assert fit.largest <= 0.01
    assert corner_gap(truth, fit.spline.distortion())[0] <= 0.011


@pytest.mark.parametrize("inverse", [False, True])
def test_known_pixels_alone_decide_about_a_spline(inverse):
    """Two corners that the grid did not reach and a beam stop, with rubbish in them: no kink, no runaway knots."""
    whole = wave()
    y, x = np.indices(whole.shape)
    unknown = (y + 0.8 * x < 90) | (y - 0.5 * x > 170) | ((y - 200) ** 2 + (x - 250) ** 2 < 15**2)
    dy, dx = whole.displacement_maps()
    dy, dx = (np.where(unknown, np.nan, one) for one in (dy, dx))
    for distortion in (replace(whole, mask=unknown), distortion_of_centres(dy, dx, PIXEL)):
        result = fit_spline(distortion, tolerance=0.01, inverse=inverse)
        assert result.largest <= 0.01
        assert result.spline.dy.coefficients.size + result.spline.dx.coefficients.size < 1000


@pytest.mark.parametrize("inverse", [False, True])
def test_a_strongly_bent_field_with_a_bitten_border_fits(inverse):
    """Many bends everywhere, and a border that draws a search for knots to itself."""
    from pyfai_gridcal.records.distortion import Distortion
    from pyfai_gridcal.records.field import SampledField

    shape = (420, 510)
    y, x = np.indices((shape[0] + 1, shape[1] + 1)) - 0.5
    bent = np.stack(
        [
            9 * np.sin(y / 62 + 1) * np.cos(x / 94) + x * y / 4000,
            14 * np.cos(y / 86) * np.sin(x / 58) + (x / 100) ** 2,
        ],
        axis=-1,
    )
    y, x = np.indices(shape)
    unknown = (y < 6) | (x < 5 + 3 * np.sin(y / 20))
    unknown |= ((y - 210) ** 2 + (x - 560) ** 2 < 95**2) | ((x - 260) ** 2 + (y + 20) ** 2 < 40**2)
    axes = (np.arange(n + 1) - 0.5 for n in shape)
    fit = fit_spline(Distortion(SampledField(*axes, bent), shape, PIXEL, mask=unknown), inverse=inverse)
    assert fit.largest <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("inverse", [False, True])
def test_a_taper_with_dark_corners_needs_hardly_more_knots_than_a_whole_one(inverse):
    from pyfai_gridcal.records.distortion import Distortion
    from pyfai_gridcal.synthetic import fields

    shape = (1300, 1400)
    whole = Distortion(fields.taper(shape, np.random.default_rng(0)), shape, PIXEL)
    y, x = np.indices(shape)
    dark = np.hypot(y - 650, x - 700) > 0.56 * 1400
    assert 0.05 < dark.mean() < 0.2
    sizes = []
    for distortion in (whole, replace(whole, mask=dark)):
        fit = fit_spline(distortion, inverse=inverse)
        assert fit.largest <= 0.01
        sizes.append(fit.spline.dy.coefficients.size + fit.spline.dx.coefficients.size)
    assert sizes[0] < 500
    assert sizes[1] < 1.6 * sizes[0]


def test_a_spline_tells_how_far_its_fit_is():
    said = []
    fit_spline(wave(), progress=lambda fraction, text: said.append((fraction, text)))
    fractions = [fraction for fraction, _ in said]
    assert 0 <= min(fractions) < 0.2
    assert 0.8 < max(fractions) <= 1
    assert any("knots" in text for _, text in said)


def test_unknown_samples_are_not_looked_at():
    """Of a plane, half of whose samples are rubbish, the whole plane comes back."""
    y, x = np.linspace(0, 90, 46), np.linspace(0, 120, 61)
    knots_y, knots_x = (np.r_[[at[0]] * 4, inner, [at[-1]] * 4] for at, inner in ((y, [20.0, 50]), (x, [30.0, 70, 90])))
    plane = 3 + 0.02 * y[:, None] - 0.01 * x[None, :]
    known = (y[:, None] + x[None, :] < 120) & (x[None, :] > 8)
    spoilt = np.where(known, plane, np.nan)
    c = least_squares(y, x, knots_y, knots_x, spoilt, known)
    model = design(knots_y, y) @ c @ design(knots_x, x).T
    assert np.abs(model - plane).max() < 1e-6


def test_with_and_without_a_mask_the_same_spline():
    """The banded solution with one sample unknown, beside the two projections with all of them."""
    rng = np.random.default_rng(8)
    y, x = np.linspace(0, 90, 46), np.linspace(0, 120, 61)
    knots_y, knots_x = (np.r_[[at[0]] * 4, inner, [at[-1]] * 4] for at, inner in ((y, [20.0, 50]), (x, [30.0, 70, 90])))
    true = rng.normal(size=(6, 7))
    values = design(knots_y, y) @ true @ design(knots_x, x).T
    known = np.ones(values.shape, bool)
    assert np.allclose(least_squares(y, x, knots_y, knots_x, values, known), true, atol=1e-10)
    known[17, 23] = False
    assert np.allclose(least_squares(y, x, knots_y, knots_x, values, known), true, atol=1e-3)


@pytest.mark.parametrize("tolerance", [0, -1])
def test_tolerance_is_positive(tolerance):
    with pytest.raises(FittingError):
        fit_spline(wave(), tolerance=tolerance)


def test_unreachable_deviation_is_refused_unless_forced():
    from pyfai_gridcal.records.distortion import Distortion

    class Rough:
        def on_grid(self, y, x):
            y, x = np.asarray(y, float)[:, None], np.asarray(x, float)[None, :]
            return np.stack([np.sin(1.7 * y + 1.3 * x), np.cos(1.1 * y - 2.1 * x)], axis=-1)

    rough = Distortion(Rough(), (60, 80), PIXEL)
    with pytest.raises(FittingError, match="off by up to"):
        fit_spline(rough)
    assert fit_spline(rough, force=True).largest > 0.5


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


def test_binned_spline(fitted):
    small = fitted.spline.binned((2, 3))
    at = np.array([[40.2, 55.7]])
    fine = (at + 0.5) * (2, 3) - 0.5
    expected = fitted.spline.distortion().displacement(fine) / (2, 3)
    assert np.allclose(small.distortion().displacement(at), expected, atol=1e-9)
    assert small.shape == (115, 103)
    assert small.pixel_size == pytest.approx((2 * PIXEL[0], 3 * PIXEL[1]))


# -- reading what others wrote, and what nobody should have written
def test_blank_separated_numbers_and_exponents_of_fortran(text):
    loose = "\n".join(
        " ".join(line[k : k + 14] for k in range(0, len(line), 14)) if "E+" in line else line
        for line in text.splitlines()
    )
    for changed in (loose, text.replace("E+", "D+"), text.replace("\n", "\r\n"), "\n" + text):
        spline = fit2d.parse_spline(changed)
        assert np.array_equal(spline.dx.coefficients, fit2d.parse_spline(text).dx.coefficients)


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
    function = fit2d.TensorSpline(knots, np.array([0.0] * 4 + [80.0] * 4), c)
    spline = fit2d.Fit2DSpline(function, function, (0.0, 0.0, 100.0, 80.0), (50.0, 48.0))
    back = fit2d.parse_spline(fit2d.format_spline(spline))
    assert np.allclose(back.dx.coefficients, c, rtol=1e-6, atol=1e-90)
    assert back.shape == (80, 100)
