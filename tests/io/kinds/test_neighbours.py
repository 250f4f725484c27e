"""Files of nabu, MIDAS and DIALS: read by their own readers where they are installed, and on documented bytes."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
import types

import h5py
import numpy as np
import pytest
from hub import PIXEL, corner_gap, modules, wave

from pyfai_gridcal.base.errors import FileFormatError, UsageError
from pyfai_gridcal.io.kinds import neighbours
from pyfai_gridcal.io.kinds.conversion import export
from pyfai_gridcal.io.kinds.kinds import kind_for_output, kind_of, open_distortion, write_distortion
from pyfai_gridcal.judging.checking import check_file
from pyfai_gridcal.records.jobs import Reading

SHAPE = (61, 94)
TOLD = Reading(shape=SHAPE, pixel_size=PIXEL)


def index(shape=SHAPE):
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).astype(float)


def test_names_and_contents(tmp_path):
    for name, kind in (("a.nabu.h5", "nabu"), ("a.midas", "midas"), ("a_dy.pickle", "dials"), ("dx.pickle", "dials")):
        assert kind_for_output(name).name == kind
        for path in write_distortion(wave(SHAPE), tmp_path / name):
            assert kind_of(path).name == kind
    assert (tmp_path / "a_dx.pickle").exists()
    assert (tmp_path / "dy.pickle").exists()


def test_what_is_lost_is_told(tmp_path):
    for name, kind in (("a.nabu.h5", "nabu"), ("a.midas", "midas"), ("dx.pickle", "dials")):
        done = export(wave(SHAPE, masked=True), tmp_path / name)
        assert done.kind == kind
        assert done.largest < 0.001
        assert any("the pixel size, 48 x 53 µm (slow, fast), is not in the file" in one for one in done.remarks)


# -- nabu
def test_nabu_takes_the_raw_image_where_it_should(tmp_path):
    truth = wave(SHAPE)
    path = write_distortion(truth, tmp_path / "a.nabu.h5")[0]
    with h5py.File(path) as file:
        z, x = (file[name][()] for name in ("coords_source_z", "coords_source_x"))
    assert z.shape == x.shape == SHAPE
    corrected = truth.correct(np.stack([z, x], axis=-1).reshape(-1, 2)).reshape(*SHAPE, 2)
    np.testing.assert_allclose(corrected, index(), atol=1e-5)


def test_by_the_reader_of_nabu(tmp_path):
    """What it interpolates in images of row and column numbers is where it looks."""
    reader = pytest.importorskip("nabu.io.detector_distortion", reason="needs nabu (pip install nabu)")
    provider = importlib.import_module("nabu.pipeline.detector_distortion_provider")
    truth = wave(SHAPE)
    path = write_distortion(truth, tmp_path / "a.nabu.h5")[0]
    options = (
        f'map_x="silx:{path}?path=/coords_source_x" ; map_z="silx:{path}?path=/coords_source_z"'  # as its help has it
    )
    taken = provider.DetectorDistortionProvider(SHAPE, "map_xz", options)
    assert isinstance(taken, reader.DetectorDistortionMapsXZ)
    x0, x1, z0, z1 = taken.set_sub_region_transformation((None, None, 0, None))
    seen = np.stack([taken.transform(index()[z0:z1, x0:x1, k]) for k in (0, 1)], axis=-1)
    places = truth.distort(index().reshape(-1, 2)).reshape(*SHAPE, 2)
    inside = ((places > 0) & (places < np.array(SHAPE) - 1)).all(axis=-1)
    assert inside.mean() > 0.8
    assert np.abs(seen - places)[inside].max() < 0.002


@pytest.mark.parametrize(
    ("maps", "says"),
    [
        ({"coords_source_z": np.zeros(5), "coords_source_x": np.zeros(5)}, "2D shape"),
        ({"coords_source_z": np.zeros((5, 6)), "coords_source_x": np.zeros((5, 7))}, "same"),
        ({"coords_source_z": index()[..., 0], "coords_source_x": index()[..., 1]}, "pixel size"),
    ],
)
def test_maps_that_nabu_would_not_take(tmp_path, maps, says):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, one in maps.items():
            file[name] = one
    with pytest.raises((FileFormatError, UsageError), match=says):
        open_distortion(tmp_path / "a.h5")


def test_modules_for_nabu(tmp_path):
    """Gaps are filled from both sides; within the modules nothing is lost."""
    path = write_distortion(modules(), tmp_path / "m.nabu.h5")[0]
    with h5py.File(path) as file:
        places = np.stack([file[name][()] for name in neighbours.NABU], axis=-1)
    assert np.isfinite(places).all()
    inner = index((120, 170))[10:45, 10:70].reshape(-1, 2)
    at = np.rint(modules().correct(inner)).astype(int)
    gap = places[at[:, 0], at[:, 1]] - modules().distort(at.astype(float))
    assert np.abs(gap).max() < 1e-6


# -- MIDAS
def test_midas_gets_y_along_fast(tmp_path):
    path = write_distortion(wave(SHAPE), tmp_path / "a.midas.bin")[0]
    y, z = np.fromfile(path, "<f8").reshape(2, *SHAPE)
    dy, dx = wave(SHAPE).displacement_maps()
    np.testing.assert_array_equal(y, dx)
    np.testing.assert_array_equal(z, dy)


@pytest.fixture
def midas():
    """The module that reads and uses the maps; the rest of the package would want torch."""
    spec = importlib.util.find_spec("midas_integrate")
    if spec is None:
        pytest.skip("needs midas-integrate (pip install --no-deps midas-integrate midas-params midas-distortion)")
    package = types.ModuleType("midas_integrate")
    package.__path__ = list(spec.submodule_search_locations)
    before = {name for name in sys.modules if name.startswith("midas_integrate")}
    sys.modules["midas_integrate"] = package
    mapper = importlib.import_module("midas_integrate.detector_mapper")
    yield mapper, importlib.import_module("midas_integrate.params").IntegrationParams
    for name in [name for name in sys.modules if name.startswith("midas_integrate")]:
        if name not in before:
            del sys.modules[name]


@pytest.mark.parametrize("flips", [(), (1,), (2,), (1, 2)])
def test_by_the_reader_of_midas(tmp_path, midas, flips):
    """Its maps are added to the index; with flips it turns them, and the sign has to be turned before."""
    mapper, parameters = midas
    truth = wave(SHAPE)
    path = write_distortion(truth, tmp_path / "a.midas.bin")[0]
    if flips:
        y, z = np.fromfile(path, "<f8").reshape(2, *SHAPE)
        np.stack([-y if 1 in flips else y, -z if 2 in flips else z]).tofile(path)
    params = parameters(NrPixelsY=SHAPE[1], NrPixelsZ=SHAPE[0], TransOpt=list(flips))
    y, z = mapper.load_distortion_maps(path, params)
    found = index() + np.stack([z, y], axis=-1)
    axes = tuple(2 - one for one in flips)  # 1 is left and right, 2 up and down
    meant = np.flip(truth.correct(index().reshape(-1, 2)).reshape(*SHAPE, 2), axes)
    for axis in axes:
        meant[..., axis] = SHAPE[axis] - 1 - meant[..., axis]
    assert np.abs(found - meant).max() < 0.002


@pytest.mark.slow
def test_midas_bins_pixels_by_their_corrected_radius(tmp_path, midas):
    mapper, parameters = midas
    pytest.importorskip("numba", reason="MIDAS maps pixels with numba")
    truth = wave(SHAPE, pixel=(50e-6, 50e-6))
    path = write_distortion(truth, tmp_path / "a.midas.bin")[0]
    given = {"NrPixelsY": SHAPE[1], "NrPixelsZ": SHAPE[0], "BC_y": -20.0, "BC_z": -30.0, "px": 50.0, "pxY": 50.0}
    given |= {"pxZ": 50.0, "Lsd": 1e6, "RhoD": 50 * math.hypot(90, 113), "RMin": 20.0, "RMax": 180.0, "RBinSize": 0.25}
    given |= {"EtaMin": -180.0, "EtaMax": 180.0, "EtaBinSize": 360.0, "DistortionFile": str(path)}
    known = parameters.__dataclass_fields__
    params = parameters(**{name: value for name, value in given.items() if name in known})
    built = mapper.build_map(params, verbose=False)
    entries, radius = built.pxList, np.repeat(np.arange(len(built.counts)), built.counts) * 0.25 + 20 + 0.125
    y, z, share = (np.asarray(entries[name], float) for name in ("y", "z", "frac"))
    number = np.rint(z).astype(int) * SHAPE[1] + np.rint(y).astype(int)
    total = np.bincount(number, share, math.prod(SHAPE))
    mean = np.bincount(number, share * radius, math.prod(SHAPE)) / np.where(total > 0, total, np.nan)
    at = truth.correct(index().reshape(-1, 2)) - (-30.0, -20.0)
    expected = np.hypot(*at.T)
    inside = (expected > 25) & (expected < 175)
    assert np.nanmedian(np.abs(mean - expected)[inside]) < 0.02  # bins of a quarter of a pixel
    assert np.nanmax(np.abs(mean - expected)[inside]) < 0.2


def test_midas_files_tell_no_shape(tmp_path):
    write_distortion(wave(SHAPE), tmp_path / "a.midas")
    with pytest.raises(UsageError, match=r"--shape"):
        open_distortion(tmp_path / "a.midas", Reading(pixel_size=PIXEL))
    with pytest.raises(FileFormatError, match=r"91744 bytes; expected 91200"):
        open_distortion(tmp_path / "a.midas", Reading(shape=(60, 95), pixel_size=PIXEL))


# -- DIALS
def documented(protocol: int) -> bytes:
    """What cctbx 2025.11 pickles for ``(flex.double([[1.5, 2.5, -3.25], [0, 1, 2]]),)``, opcode by opcode."""
    flex = b"scitbx_array_family_flex_ext\n"
    state = bytes.fromhex("0206 02c00201 02a00202 82d00202 00 02800201 02800202")  # numbers base 256, without zeros
    out = b"\x80" + bytes([protocol]) + b"c" + flex + b"double\nq\x00)Rq\x01"
    out += b"c" + flex + b"grid\nq\x02K\x00K\x00\x86q\x03K\x02K\x03\x86q\x04\x88\x87q\x05Rq\x06K\x02K\x03\x86q\x07b"
    if protocol == 2:  # bytes by way of a text
        text = state.decode("latin-1").encode()
        out += b"c_codecs\nencode\nq\x08X" + len(text).to_bytes(4, "little") + text + b"q\tX\x06\x00\x00\x00latin1"
        out += b"q\n\x86q\x0bRq\x0c"
    else:
        out += b"C" + bytes([len(state)]) + state
    return out + b"\x86q\rb\x85q\x0e."


@pytest.mark.parametrize("protocol", [2, 4])
def test_bytes_of_dials(tmp_path, protocol):
    (tmp_path / "a_dx.pickle").write_bytes(documented(protocol))
    (tmp_path / "a_dy.pickle").write_bytes(documented(protocol))
    found = open_distortion(tmp_path / "a_dx.pickle", Reading(pixel_size=PIXEL)).distortion
    dy, dx = found.displacement_maps()
    np.testing.assert_allclose(dx, [[-1.5, -2.5, 3.25], [0, -1, -2]], atol=1e-12)
    np.testing.assert_allclose(dy, dx)


NUMBERS = [0.0, -0.0, 0.5, -0.5, 0.75, 1e-5, -1e-5, 0.1, 1 / 3, 1e-300, 2.0**200, 255.0, 256.0, -3.25, 5e-324, 1e9]


def test_numbers_of_dials_come_back_exactly():
    values = np.array([one for one in NUMBERS if 1e-70 < abs(one) < 1e70 or not one])
    packed = neighbours._packed(values)
    np.testing.assert_array_equal(neighbours._unpacked(packed, len(values)), values)
    # and as DIALS has them, without zeros at the end: mantissa, exponent
    theirs = {0.5: "028000", -0.6: "889999999999999800", 1e-5: "08a7c5ac471b47888210", 1e300: "08bf21e44003ace003e503"}
    theirs |= {5e-324: "0280833104", 0.0: "00", 3e40: "08b052fbaa942be00287", 1 / 3: "08aaaaaaaaaaaaa88201"}
    for value, digits in theirs.items():
        state = bytes.fromhex("0201" + digits)
        assert neighbours._unpacked(state, 1)[0] == value


CCTBX = """
import pickle, sys
from scitbx.array_family import flex
for name in ("dx", "dy"):
    with open(sys.argv[1] + "/" + name + ".pickle", "rb") as stream:
        panels = pickle.load(stream, encoding="bytes")  # as dxtbx opens them
    assert type(panels) is tuple and len(panels) == 1 and type(panels[0]) is flex.double, panels
    with open(sys.argv[1] + "/" + name + ".raw", "wb") as stream:
        stream.write(repr(panels[0].all()).encode() + b"\\n" + panels[0].as_numpy_array().tobytes())
    with open(sys.argv[1] + "/back_" + name + ".pickle", "wb") as stream:
        pickle.dump(panels, stream, protocol=int(sys.argv[2]))
"""


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_by_cctbx(tmp_path, protocol):
    """In an interpreter of its own: it does not go together with everything else."""
    if importlib.util.find_spec("scitbx") is None:
        pytest.skip("needs cctbx (pip install cctbx-base)")
    truth = wave(SHAPE)
    write_distortion(truth, tmp_path / "dx.pickle")
    subprocess.run([sys.executable, "-c", CCTBX, str(tmp_path), str(protocol)], check=True, timeout=120)
    maps = truth.displacement_maps()
    for name, expected in zip(("dy", "dx"), maps, strict=True):
        shape, _, raw = (tmp_path / f"{name}.raw").read_bytes().partition(b"\n")
        assert shape == b"(61, 94)"
        np.testing.assert_array_equal(np.frombuffer(raw).reshape(SHAPE), -expected)
    back = open_distortion([tmp_path / f"back_{name}.pickle" for name in ("dx", "dy")], TOLD)
    assert back.kind == "dials"
    assert corner_gap(truth, back.distortion)[0] < 0.001


class Playing:
    """DIALS' ways between pixels and mm, as its source has them: x first, the corner of the first pixel is 0."""

    def __init__(self, dx, dy, size):
        self.dx, self.dy, self.size = dx, dy, np.array(size)[::-1] * 1e3

    def _entry(self, xy):
        i, j = (np.clip(np.floor(xy[..., k]).astype(int), 0, n - 1) for k, n in ((0, SHAPE[1]), (1, SHAPE[0])))
        return np.stack([self.dx[j, i], self.dy[j, i]], axis=-1)

    def to_millimeter(self, xy):
        return (xy - self._entry(xy)) * self.size

    def to_pixel(self, mm):
        return mm / self.size + self._entry(mm / self.size)


def test_dials_puts_pixels_where_they_belong_and_check_tells_what_it_misses(tmp_path):
    truth = wave(SHAPE)
    path = write_distortion(truth, tmp_path / "dx.pickle")[0]
    maps = [neighbours._read_flex(tmp_path / f"{name}.pickle") for name in ("dx", "dy")]
    dials = Playing(*maps, PIXEL)
    observed = (index() + 0.5)[..., ::-1]
    meant = (truth.correct(index().reshape(-1, 2)).reshape(*SHAPE, 2) + 0.5) * PIXEL * 1e3
    np.testing.assert_allclose(dials.to_millimeter(observed), meant[..., ::-1], atol=1e-12)
    off = np.hypot(*np.moveaxis(dials.to_pixel(meant[..., ::-1]) - observed, -1, 0))
    np.testing.assert_allclose(neighbours.lookup_error(truth), off, atol=1e-9)
    assert off.max() > 0.05
    checked = check_file(path, TOLD)
    told = next(one.text for one in checked.findings if one.text.startswith("DIALS looks up"))
    assert f"up to {off.max():.2g} px off, {np.sqrt(np.mean(off**2)):.2g} px rms" in told
    assert checked.good


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x80\x03cos\nsystem\n(X\x04\x00\x00\x00truetR.scitbx_array_family_flex_ext", r"asks for os\.system"),
        (documented(2)[:60], "no map of DIALS"),
        (documented(4).replace(b"K\x02K\x03\x86q\x04", b"K\x02K\x04\x86q\x04"), "not 8 numbers"),
        (documented(4)[:-4] + b"\x89\x86q\x0e.", "maps of 2 panels"),
    ],
)
def test_pickles_that_are_no_maps(tmp_path, content, says):
    for name in ("dx.pickle", "dy.pickle"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=says):
        open_distortion(tmp_path / "dx.pickle", TOLD)
