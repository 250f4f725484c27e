"""Files that nobody should have written: one clear error each, bounded memory and time, and nothing overwritten."""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from hub import PIXEL, modules, wave
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyfai_gridcal.base.errors import GridcalError
from pyfai_gridcal.io.kinds.conversion import convert
from pyfai_gridcal.io.kinds.kinds import open_distortion, write_distortion
from pyfai_gridcal.io.kinds.modules import format_modules, modules_of, parse_modules
from pyfai_gridcal.io.kinds.pointers import detector_of, format_json, format_poni
from pyfai_gridcal.records.jobs import Reading

SHAPE = (60, 80)
READING = Reading(pixel_size=PIXEL)


def refused(path, reading=READING):
    with pytest.raises(GridcalError) as error:
        open_distortion(path, reading)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


@pytest.fixture
def nexus(tmp_path):
    return write_distortion(wave(SHAPE), tmp_path / "det.h5")[0]


# -- all kinds, cut and spoilt
NAMES = ["a.h5", "a.spline", "a_e2dx.edf", "a.edf", "a.cbf", "a.tif", "a.npy", "a.npz", "a.modules", "a.poni", "a.json"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    for name in NAMES:
        sub = folder / name.replace(".", "_")
        sub.mkdir()
        write_distortion(modules() if name.endswith("modules") else wave(SHAPE), sub / name)
    return folder


def main_file(folder, name):
    files = sorted((folder / name.replace(".", "_")).iterdir())
    wanted = [f for f in files if f.suffix == "." + name.rsplit(".", 1)[1]]
    return wanted[0]


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("a.poni", "a.json", "a.modules")])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7])
def test_truncated(originals, tmp_path, name, share):
    source = main_file(originals, name)
    for other in source.parent.iterdir():
        (tmp_path / other.name).write_bytes(other.read_bytes())
    data = source.read_bytes()
    (tmp_path / source.name).write_bytes(data[: int(share * len(data))])
    refused(tmp_path / source.name)


@pytest.mark.parametrize("name", NAMES)
def test_rubbish_under_a_good_name(tmp_path, name):
    rng = np.random.default_rng(0)
    for k in range(5):
        (tmp_path / name).write_bytes(rng.integers(0, 256, 3000 + k, dtype=np.uint8).tobytes())
        refused(tmp_path / name)
    for content in (
        b"",
        b"\0" * 5000,
        b"{" * 5000,
        b"[" * 100_000,
        "ü".encode() * 1000,
        b"\x89HDF\r\n\x1a\n" + b"\xff" * 400,
    ):
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name)


FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", [n for n in NAMES if n != "a.poni"])
@FUZZ
@given(data=st.data())
def test_flipped_bytes_are_read_or_refused(originals, tmp_path_factory, name, data):
    source = main_file(originals, name)
    content = bytearray(source.read_bytes())
    head = min(len(content), 4096)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, head - 1))
        content[at] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("fuzz")
    for other in source.parent.iterdir():
        if other != source:
            (folder / other.name).write_bytes(other.read_bytes())
    (folder / source.name).write_bytes(bytes(content))
    try:
        opened = open_distortion(folder / source.name, READING)
    except GridcalError:
        return
    assert min(opened.distortion.shape) >= 1


# -- HDF5
def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file["entry_0000/pyFAI/calibrated"], file)
    return path


def swap(group, name, value):
    del group[name]
    group[name] = value


HDF5_CASES = {
    "no corners of this shape": lambda g, f: swap(g, "pixel_corners", np.zeros((5, 5, 3))),
    "hexagons": lambda g, f: swap(g, "pixel_corners", np.zeros((*SHAPE, 6, 3), np.float32)),
    "texts": lambda g, f: swap(g, "pixel_corners", "hello"),
    "no pixel size": lambda g, f: g.__delitem__("pixel_size"),
    "pixel size nan": lambda g, f: swap(g, "pixel_size", [np.nan, 5e-5]),
    "pixel size zero": lambda g, f: swap(g, "pixel_size", [0.0, 5e-5]),
    "pixel size negative": lambda g, f: swap(g, "pixel_size", [-5e-5, 5e-5]),
    "three pixel sizes": lambda g, f: swap(g, "pixel_size", [5e-5] * 3),
    "other mask": lambda g, f: swap(g, "mask", np.zeros((3, 3), np.int8)),
    "orientation 77": lambda g, f: swap(g, "orientation", np.int32(77)),
    "group for dataset": lambda g, f: (g.__delitem__("mask"), g.create_group("mask")),
    "no detector": lambda g, f: f.__delitem__("entry_0000/pyFAI"),
    "no start": lambda g, f: f.__delitem__("entry_0000/start_time"),
}


@pytest.mark.parametrize("case", HDF5_CASES)
def test_detector_files_that_cannot_be_meant(nexus, case):
    refused(edit(nexus, HDF5_CASES[case]))


def test_huge_declared_sizes_are_not_believed(nexus):
    def change(group, file):
        del group["pixel_corners"]
        group.create_dataset(
            "pixel_corners", (60000, 60000, 4, 3), np.float32, chunks=(10, 100, 4, 3), compression="gzip"
        )

    assert "declares" in refused(edit(nexus, change))

    def smaller(group, file):
        del group["pixel_corners"]
        group.create_dataset(
            "pixel_corners", (3000, 4000, 4, 3), np.float32, chunks=(10, 100, 4, 3), compression="gzip"
        )

    assert "declares" in refused(edit(nexus, smaller))


def test_links_out_of_the_file_and_loops(nexus, tmp_path):
    other = write_distortion(wave(SHAPE, scale=2), tmp_path / "other.h5")[0]

    def outside(group, file):
        del group["pixel_corners"]
        group["pixel_corners"] = h5py.ExternalLink(str(other), "/entry_0000/pyFAI/calibrated/pixel_corners")

    assert "another file" in refused(edit(nexus, outside))

    def loop(group, file):
        del group["pixel_corners"]
        group["pixel_corners"] = h5py.SoftLink("/entry_0000/pyFAI/calibrated/pixel_corners")

    refused(edit(nexus, loop))

    def ring(group, file):
        for name in list(file["entry_0000"]):
            if name != "start_time":
                del file["entry_0000"][name]
        file["entry_0000/a"] = h5py.SoftLink("/entry_0000/b")
        file["entry_0000/b"] = h5py.SoftLink("/entry_0000/a")
        file["entry_0000/self"] = h5py.SoftLink("/entry_0000")

    with h5py.File(nexus, "r+") as file:
        ring(None, file)
    refused(nexus)


def test_external_and_virtual_data(nexus, tmp_path):
    raw = tmp_path / "secret.raw"
    raw.write_bytes(bytes(SHAPE[0] * SHAPE[1] * 48))

    def external(group, file):
        del group["pixel_corners"]
        group.create_dataset("pixel_corners", (*SHAPE, 4, 3), np.float32, external=[(str(raw), 0, h5py.h5f.UNLIMITED)])

    assert "another file" in refused(edit(nexus, external))


def test_positions_far_away_and_not_finite(nexus):
    def nan(group, file):
        corners = group["pixel_corners"][()]
        corners[10:12, 20:25] = np.nan
        swap(group, "pixel_corners", corners)

    back = open_distortion(edit(nexus, nan)).distortion
    assert back.mask[10:12, 20:25].all()
    assert back.mask.sum() == 10

    def all_nan(group, file):
        swap(group, "pixel_corners", np.full((*SHAPE, 4, 3), np.nan, np.float32))

    try:
        back = open_distortion(edit(nexus, all_nan)).distortion
    except GridcalError:
        return
    assert back.mask.all()


# -- images and archives
def test_sizes_in_headers_are_not_believed(tmp_path):
    from pyfai_gridcal.io.kinds.rasters import read_raster

    header = "{\nHeaderID = EH:000001:000000:000000 ;\nByteOrder = LowByteFirst ;\nDataType = FloatValue ;\n"
    header += "Dim_1 = 60000 ;\nDim_2 = 60000 ;\nSize = 14400000000 ;\n"
    (tmp_path / "a_e2dx.edf").write_bytes((header + " " * (1021 - len(header)) + "}\n").encode() + bytes(100))
    assert "declares" in refused(tmp_path / "a_e2dx.edf")
    cbf = b"###CBF: VERSION 1.5\r\n_array_data.data\r\n;\r\n--CIF-BINARY-FORMAT-SECTION--\r\n"
    cbf += b"Content-Type: application/octet-stream;\r\n"
    cbf += b'     conversions="x-CBF_BYTE_OFFSET"\r\nX-Binary-Size: 36\r\n'
    cbf += b'X-Binary-Element-Type: "signed 32-bit integer"\r\n'
    cbf += (
        b"X-Binary-Size-Fastest-Dimension: 100000\r\nX-Binary-Size-Second-Dimension: 100000\r\n\r\n\x0c\x1a\x04\xd5"
        + bytes(36)
    )
    (tmp_path / "x_geo_corr.cbf").write_bytes(cbf)
    (tmp_path / "y_geo_corr.cbf").write_bytes(cbf)
    assert "declares" in refused(tmp_path / "x_geo_corr.cbf")
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 3)
    for tag, value in ((256, 200_000), (257, 200_000), (259, 1)):
        tiff += struct.pack("<HHII", tag, 4, 1, value)
    (tmp_path / "a_dx.tif").write_bytes(tiff + bytes(100))
    (tmp_path / "a_dy.tif").write_bytes(tiff + bytes(100))
    assert "declares" in refused(tmp_path / "a_dx.tif")
    shape = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 99999, 99999)}"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + shape.ljust(117) + b"\n")
    refused(tmp_path / "a.npy")
    with pytest.raises(GridcalError):
        read_raster(tmp_path / "a.npy")


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", dy=np.array([{"a": 1}], dtype=object), dx=np.zeros(SHAPE))
    refused(tmp_path / "a.npz")


def test_archives_that_unpack_too_large(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (90000, 90000)}".ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("dy.npy", "dx.npy"):
            archive.writestr(name, b"\x93NUMPY\x01\x00v\x00" + header + bytes(10_000_000))
    refused(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ((np.zeros(SHAPE), np.zeros((3, 3))), "shape"),
        ((np.full(SHAPE, np.nan), np.zeros(SHAPE)), "finite"),
        ((np.full(SHAPE, 1e6), np.zeros(SHAPE)), "displacements"),
        ((np.zeros((1, 50)), np.zeros((1, 50))), "2 x 2"),
    ],
)
def test_maps_that_cannot_be_meant(tmp_path, maps, words):
    np.savez(tmp_path / "a.npz", dy=maps[0], dx=maps[1], pixel_size=PIXEL)
    assert words in refused(tmp_path / "a.npz")


# -- pointers
def test_pointers_to_nowhere_and_to_themselves(tmp_path, nexus):
    for name, text in (("a.poni", format_poni(tmp_path / "none.h5")), ("a.json", format_json(tmp_path / "none.h5"))):
        (tmp_path / name).write_text(text)
        assert "does not exist" in refused(tmp_path / name)
    (tmp_path / "long.poni").write_text(format_poni("/" + "n" * 5000 + ".h5"))
    assert "does not exist" in refused(tmp_path / "long.poni")
    (tmp_path / "nul.json").write_text(format_json("a").replace('"filename": "', '"filename": "\\u0000'))
    assert "does not exist" in refused(tmp_path / "nul.json")
    (tmp_path / "b.poni").write_text(format_poni(tmp_path / "b.poni"))
    assert "itself" in refused(tmp_path / "b.poni")
    (tmp_path / "c.poni").write_text(format_poni(tmp_path / "b.poni"))
    assert "pointer" in refused(tmp_path / "c.poni")
    (tmp_path / "d.poni").write_text("Detector: Pilatus1M\nDistance: 0.1\n")
    assert "names no detector file" in refused(tmp_path / "d.poni")
    for text in (
        '{"detector": ' + "[" * 2000,
        '{"detector_config": 7}',
        '{"poni": {"detector_config": {"filename": 5}}}',
        "[1]",
        "{}",
    ):
        (tmp_path / "e.json").write_text(text)
        refused(tmp_path / "e.json")
    (tmp_path / "old.poni").write_text(f"PixelSize1: 1e-4\nDetector: {nexus}\n")
    assert detector_of(tmp_path / "old.poni") == nexus


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=200))
def test_any_module_table_is_read_or_refused(text):
    good = format_modules(modules_of(modules()))
    cut = len(text) * 7 % len(good)
    for candidate in (text, good[:cut] + text + good[cut:], good[:cut] + text):
        try:
            table = parse_modules(candidate)
        except GridcalError:
            continue
        assert np.isfinite(table.distortion().displacement_maps()[0]).all()


# -- nothing is overwritten, and memory stays
def test_a_failed_conversion_leaves_everything(tmp_path, nexus):
    (tmp_path / "bad.spline").write_text("SPATIAL DISTORTION SPLINE INTERPOLATION COEFFICIENTS\n")
    (tmp_path / "out.h5").write_text("precious")
    before = sorted(tmp_path.iterdir())
    for source, target in (("bad.spline", "out.h5"), ("none.spline", "out.h5"), ("det.h5", "det.h5")):
        with pytest.raises(GridcalError):
            convert(tmp_path / source, tmp_path / target)
    assert (tmp_path / "out.h5").read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == before


def test_memory_is_bounded(tmp_path, originals):
    """All of it again with little memory: what must be refused is refused before it is read."""
    with h5py.File(tmp_path / "big.h5", "w") as file:
        entry = file.create_group("entry_0000")
        entry.attrs["NX_class"], entry["start_time"] = "NXentry", "2020-01-01T00:00:00"
        sub = entry.create_group("pyFAI")
        sub.attrs["NX_class"] = "NXsubentry"
        det = sub.create_group("x")
        det.attrs["NX_class"], det["pixel_size"] = "NXdetector", [5e-5, 5e-5]
        det.create_dataset(
            "pixel_corners", (20000, 20000, 4, 3), np.float32, chunks=(100, 100, 4, 3), compression="gzip"
        )
    script = (
        "import sys, json\n"
        "from pyfai_gridcal.base.errors import GridcalError\n"
        "from pyfai_gridcal.io.kinds.kinds import open_distortion\n"
        "try:\n    open_distortion(sys.argv[1])\n"
        "except GridcalError as error:\n    print(json.dumps(str(error)))\n"
    )

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "big.h5")], capture_output=True, text=True, preexec_fn=limit
    )
    assert done.returncode == 0, done.stderr
    assert "declares" in json.loads(done.stdout)
