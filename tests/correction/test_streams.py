"""Stacks and files of images: complete or not there, resumed where they were cut, and the same bytes for all that."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fabio
import h5py
import numpy as np
import pytest
from hub import wave

from pyfai_gridcal.base.errors import GridcalError, ImageError, UsageError
from pyfai_gridcal.correction.corrector import Corrector
from pyfai_gridcal.correction.spool import Spool
from pyfai_gridcal.correction.streams import DATA_PATH, Outcome, correct_files, correct_stack, in_order
from pyfai_gridcal.correction.table import build_table
from pyfai_gridcal.io.nexus.packing import Packing, unpack_chunk

SHAPE = (90, 120)
COUNT = 12


@pytest.fixture(scope="module")
def corrector():
    return Corrector(build_table(wave(SHAPE)))


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).poisson(30, (COUNT, *SHAPE)).astype(np.uint16)


@pytest.fixture
def stack(tmp_path, frames):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("entry/data", data=frames, chunks=(1, *SHAPE), compression="gzip", shuffle=True)
    return f"{path}::/entry/data"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path):
    with h5py.File(path) as file:
        return file[DATA_PATH][()]


class Stop(Exception):
    pass


def stop_after(number):
    def progress(fraction, text):
        if text.startswith(f"frame {number} "):
            raise Stop

    return progress


@pytest.mark.parametrize("workers", [1, 3])
def test_each_frame_is_corrected(stack, frames, corrector, tmp_path, workers):
    done = correct_stack([stack], corrector, tmp_path / "out.h5", workers=workers)
    assert (done.frames, done.resumed, done.shape) == (COUNT, 0, SHAPE)
    expected = np.stack([corrector(f) for f in frames])
    assert np.array_equal(read(tmp_path / "out.h5"), expected, equal_nan=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.h5", "scan.h5"]


def test_silx_finds_the_image(stack, corrector, tmp_path):
    from silx.io import nxdata

    correct_stack([stack], corrector, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        default = nxdata.get_default(file)
        assert default.signal.name == DATA_PATH
        assert np.isnan(file[DATA_PATH].attrs["dummy"])


@pytest.mark.parametrize("cut", [1, 5, COUNT])
def test_interrupted_and_resumed_gives_the_same_bytes(stack, corrector, tmp_path, cut):
    correct_stack([stack], corrector, tmp_path / "whole.h5", key="a")
    with pytest.raises(Stop):
        correct_stack([stack], corrector, tmp_path / "out.h5", key="a", progress=stop_after(cut), workers=2)
    assert not (tmp_path / "out.h5").exists()
    done = correct_stack([stack], corrector, tmp_path / "out.h5", key="a")
    assert done.resumed == cut
    assert done.frames == COUNT - cut
    assert digest(tmp_path / "out.h5") == digest(tmp_path / "whole.h5")


def test_a_torn_end_is_cut_off(stack, corrector, tmp_path):
    correct_stack([stack], corrector, tmp_path / "whole.h5")
    for damage in (b"", b"half a piece", bytes(40)):
        with pytest.raises(Stop):
            correct_stack([stack], corrector, tmp_path / "out.h5", progress=stop_after(6))
        part = tmp_path / "out.h5.part"
        data = part.read_bytes()
        part.write_bytes((data + damage) if damage else data[:-7])
        done = correct_stack([stack], corrector, tmp_path / "out.h5")
        assert done.resumed == (6 if damage else 5)
        assert digest(tmp_path / "out.h5") == digest(tmp_path / "whole.h5")
        (tmp_path / "out.h5").unlink()


def test_other_work_does_not_go_on_from_there(stack, corrector, tmp_path):
    with pytest.raises(Stop):
        correct_stack([stack], corrector, tmp_path / "out.h5", key="one", progress=stop_after(4))
    assert correct_stack([stack], corrector, tmp_path / "out.h5", key="two").resumed == 0


def test_an_existing_output_stays_until_the_new_one_is_complete(stack, corrector, tmp_path):
    out = tmp_path / "out.h5"
    out.write_text("precious")
    with pytest.raises(Stop):
        correct_stack([stack], corrector, out, progress=stop_after(3))
    assert out.read_text() == "precious"
    correct_stack([stack], corrector, out)
    assert len(read(out)) == COUNT


def test_two_at_once_are_told_apart(tmp_path):
    with Spool(tmp_path / "a.part", "key"), pytest.raises(UsageError, match="another process"):
        Spool(tmp_path / "a.part", "key")


def test_a_file_that_appears_at_the_last_moment_is_not_emptied(tmp_path, monkeypatch):
    with Spool(tmp_path / "a.part", "key") as first:
        first.append(b"piece")
        assert list(first) == [b"piece"]  # it is on the disk
        monkeypatch.setattr(Path, "exists", lambda self: False)
        with pytest.raises(UsageError, match="another process"):
            Spool(tmp_path / "a.part", "key")
        assert list(first) == [b"piece"]


def test_a_file_that_is_removed_at_the_last_moment_is_not_written_to(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="locks of POSIX")
    first = Spool(tmp_path / "a.part", "key")
    lock, times = fcntl.flock, []

    def late(file, operation):
        times.append(1)
        if len(times) == 1:  # the first one is done between opening and locking
            first.close(remove=True)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with Spool(tmp_path / "a.part", "key") as second:
        second.append(b"piece")
    with Spool(tmp_path / "a.part", "key") as third:
        assert list(third) == [b"piece"]


def test_what_another_process_finished_meanwhile_is_left(stack, corrector, tmp_path):
    out = tmp_path / "out.h5"
    found = Outcome((out,), 0, COUNT)
    assert correct_stack([stack], corrector, out, finished=lambda: found) is found
    assert not list(tmp_path.glob("out*"))


def test_a_corrupt_frame_is_named_and_the_ones_before_are_kept(stack, corrector, tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "r+") as file:
        file["entry/data"].id.write_direct_chunk((7, 0, 0), b"rubbish" * 20)
    with pytest.raises(ImageError, match=r"frame 7 "):
        correct_stack([stack], corrector, tmp_path / "out.h5", workers=2)
    assert not (tmp_path / "out.h5").exists()
    with Spool(tmp_path / "out.h5.part", "?") as spool:
        assert spool.count == 0  # a spool of other work is emptied
    with h5py.File(path, "r+") as file:
        file["entry/data"].id.write_direct_chunk((7, 0, 0), zlib.compress(bytes(10)))
    with pytest.raises(ImageError, match=r"frame 7 "):
        correct_stack([stack], corrector, tmp_path / "out.h5")


@pytest.mark.parametrize(
    "filters",
    [{}, {"compression": "gzip"}, {"compression": "lzf"}, {"compression": "gzip", "shuffle": True, "fletcher32": True}],
)
def test_inputs_of_every_compression(frames, corrector, tmp_path, filters):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "data", frames.shape, frames.dtype, chunks=(1, *SHAPE) if filters else None, **filters
        )
        dataset[: COUNT - 1] = frames[:-1]  # the last frame is never written
    correct_stack([path], corrector, tmp_path / "out.h5")
    expected = np.stack([corrector(f) for f in (*frames[:-1], np.zeros_like(frames[0]))])
    assert np.array_equal(read(tmp_path / "out.h5"), expected, equal_nan=True)


def test_slices_and_several_sources(stack, frames, corrector, tmp_path):
    np.save(tmp_path / "one.npy", frames[3])
    correct_stack([f"{stack}[2:8:3]", tmp_path / "one.npy"], corrector, tmp_path / "out.h5")
    expected = np.stack([corrector(frames[k]) for k in (2, 5, 3)])
    assert np.array_equal(read(tmp_path / "out.h5"), expected, equal_nan=True)


@pytest.mark.parametrize(
    ("dtype", "expected"), [(None, "f4"), ("float64", "f8"), ("uint32", "u4"), ("same", "u2"), ("int16", "i2")]
)
def test_types_of_the_output(stack, frames, corrector, tmp_path, dtype, expected):
    correct_stack([stack], corrector, tmp_path / "out.h5", dtype=dtype)
    out = read(tmp_path / "out.h5")
    assert out.dtype == expected
    plain = corrector(frames[2])
    known = np.isfinite(plain)
    assert np.abs(out[2][known] - plain[known]).max() <= (0.5 if out.dtype.kind != "f" else 1e-6)
    if out.dtype.kind in "iu":
        assert set(np.unique(out[2][~known])) == {np.iinfo(out.dtype).max if out.dtype.kind == "u" else -1}


def test_wrong_types_are_refused(stack, corrector, tmp_path):
    for wrong in ("complex64", "str", "nonsense"):
        with pytest.raises(UsageError, match="type"):
            correct_stack([stack], corrector, tmp_path / "out.h5", dtype=wrong)


@pytest.mark.parametrize("text", ["gzip", "gzip:1", "gzip:6", "none", "bitshuffle"])
@pytest.mark.parametrize("kind", ["counts", "noise", "zeros", "nan"])
def test_hdf5_reads_what_was_packed(tmp_path, text, kind):
    packing = Packing.parse(text)
    rng = np.random.default_rng(5)
    frame = {
        "counts": rng.poisson(3, SHAPE).astype(np.float32),
        "noise": rng.normal(size=SHAPE).astype(np.float64),
        "zeros": np.zeros(SHAPE, np.uint8),
        "nan": np.full(SHAPE, np.nan, np.float32),
    }[kind]
    chunk = packing.pack(frame)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("d", (1, *SHAPE), frame.dtype, chunks=(1, *SHAPE), **packing.options())
        dataset.id.write_direct_chunk((0, 0, 0), chunk)
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["d"][0], frame, equal_nan=True)
    if packing.method == "gzip":
        assert np.array_equal(unpack_chunk(chunk, SHAPE, frame.dtype, shuffle=True), frame, equal_nan=True)
        for wrong in (chunk[:-9], chunk[: len(chunk) // 2], b"x" * 30):
            with pytest.raises(ValueError, match="chunk"):
                unpack_chunk(wrong, (SHAPE[0] + 1, SHAPE[1]), frame.dtype, shuffle=True)


def test_threads_pack_at_once():
    rng = np.random.default_rng(6)
    frames = [rng.poisson(3, (128, 131)).astype(np.uint32) for _ in range(8)]
    for text in ("bitshuffle", "gzip"):
        packing = Packing.parse(text)
        alone = [packing.pack(frame) for frame in frames]
        with ThreadPoolExecutor(4) as pool:
            for _ in range(40):
                assert list(pool.map(packing.pack, frames)) == alone


@pytest.mark.parametrize("repeats", [False, True])
def test_a_plan_for_other_frames_costs_room_only(repeats):
    packing = Packing(repeats=repeats)
    rng = np.random.default_rng(7)
    counts, noise = rng.poisson(3, SHAPE).astype(np.float32), rng.normal(size=SHAPE).astype(np.float32)
    plan = packing.plan(counts)
    assert plan != packing.plan(noise)
    assert packing.pack(counts, plan) == packing.pack(counts)
    for frame in (counts, noise):
        chunk = packing.pack(frame, packing.plan(counts))
        assert np.array_equal(unpack_chunk(chunk, SHAPE, frame.dtype, shuffle=True), frame)
    assert Packing.parse("bitshuffle").plan(counts) == ()


def test_unpacking_is_bounded():
    bomb = zlib.compress(bytes(50_000_000), 9)
    with pytest.raises(ValueError, match="expected 100"):
        unpack_chunk(bomb, (10, 10), np.dtype(np.uint8), shuffle=False)


@pytest.mark.parametrize("text", ["gzip:0", "gzip:10", "zip", "", "lz4"])
def test_unknown_compressions_are_refused(text):
    with pytest.raises(UsageError, match="compression"):
        Packing.parse(text)


def test_no_more_frames_than_needed_are_held():
    alive, most = 0, 0

    class Held:
        def __init__(self):
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self):
            nonlocal alive
            alive -= 1

    for _ in in_order(lambda n: Held(), range(100), 3):
        time.sleep(0.0005)
    assert most <= 3 * 3 + 2


# -- files
def make_files(tmp_path, frames):
    import fabio

    names = []
    for k in range(5):
        name = tmp_path / f"in_{k}.edf"
        fabio.edfimage.EdfImage(data=frames[k], header={"Title": f"frame {k}", "motor": str(k)}).write(str(name))
        names.append(str(name))
    return names


def test_files_keep_their_headers(tmp_path, frames, corrector):
    import fabio

    names = make_files(tmp_path, frames)
    out = tmp_path / "out"
    out.mkdir()
    done = correct_files(names, corrector, [out / os.path.basename(n) for n in names])
    assert done.frames == 5
    for k in range(5):
        with fabio.open(str(out / f"in_{k}.edf")) as image:
            assert np.array_equal(image.data, corrector(frames[k]), equal_nan=True)
            assert image.header["Title"] == f"frame {k}"
            assert image.header["motor"] == str(k)
    assert sorted(p.name for p in out.iterdir()) == [f"in_{k}.edf" for k in range(5)]


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".edf"])
def test_files_of_other_kinds(tmp_path, frames, corrector, suffix):
    from pyfai_gridcal.io.kinds.rasters import read_raster

    np.save(tmp_path / "in.npy", frames[0])
    correct_files([tmp_path / "in.npy"], corrector, [tmp_path / f"out{suffix}"])
    assert np.array_equal(read_raster(tmp_path / f"out{suffix}")[0], corrector(frames[0]), equal_nan=True)


def test_interrupted_files_are_not_done_twice(tmp_path, frames, corrector):
    names = make_files(tmp_path, frames)
    out = tmp_path / "out"
    out.mkdir()
    targets = [out / os.path.basename(n) for n in names]

    def stop(fraction, text):
        if "image 3 " in text:
            raise Stop

    with pytest.raises(Stop):
        correct_files(names, corrector, targets, key="k", progress=stop, workers=1)
    before = {p.name: p.stat().st_mtime_ns for p in out.glob("*.edf")}
    assert len(before) == 3
    targets[1].write_text("changed by somebody")
    done = correct_files(names, corrector, targets, key="k")
    assert (done.frames, done.resumed) == (3, 2)
    assert targets[0].stat().st_mtime_ns == before["in_0.edf"]


def test_files_that_cannot_be(tmp_path, frames, corrector):
    names = make_files(tmp_path, frames)
    with pytest.raises(UsageError, match="same file"):
        correct_files(names[:2], corrector, [tmp_path / "a.edf"] * 2)
    with pytest.raises(UsageError, match=r"a\.jpg"):
        correct_files(names[:1], corrector, [tmp_path / "a.jpg"])
    np.save(tmp_path / "stack.npy", frames)
    with pytest.raises(ImageError, match="frames"):
        correct_files([tmp_path / "stack.npy"], corrector, [tmp_path / "a.edf"])


# -- the command
def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "pyfai_gridcal", *map(str, arguments)], capture_output=True, text=True, **options
    )


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    from pyfai_gridcal.io.kinds.kinds import write_distortion

    return write_distortion(wave(SHAPE, masked=True), tmp_path_factory.mktemp("detector") / "det.h5")[0]


def test_command_on_a_stack_and_its_cache(stack, detector, tmp_path):
    from pyfai_gridcal.cli import main

    out = tmp_path / "out.h5"
    assert main(["correct", str(detector), stack, "-o", str(out), "--json", str(tmp_path / "done.json")]) == 0
    assert json.loads((tmp_path / "done.json").read_text())["frames"] == COUNT
    kept = list(detector.parent.glob("det.h5.table-*.npz"))
    assert len(kept) == 1
    first = digest(out)
    stamp = kept[0].stat().st_mtime_ns
    assert main(["correct", str(detector), stack, "-o", str(out)]) == 0
    assert digest(out) == first
    assert kept[0].stat().st_mtime_ns == stamp
    kept[0].write_bytes(kept[0].read_bytes()[:-100])
    assert main(["correct", str(detector), stack, "-o", str(out)]) == 0
    assert digest(out) == first
    assert main(["correct", str(detector), stack, "-o", str(out), "--no-cache"]) == 0
    assert digest(out) == first


@pytest.mark.parametrize("more", [{}, {"coverage": 0.7, "whole": True}, {"dark": "a.edf", "flat": "b.edf"}])
def test_command_goes_on_with_what_others_began(stack, detector, tmp_path, frames, more):
    from pyfai_gridcal.cli import main
    from pyfai_gridcal.correction.opening import CorrectorFiles, open_corrector

    for name, frame in zip(("a.edf", "b.edf"), frames, strict=False):
        fabio.edfimage.EdfImage(data=frame).write(str(tmp_path / name))
    more = {name: str(tmp_path / value) if isinstance(value, str) else value for name, value in more.items()}
    words = [word for name, value in more.items() for word in (f"--{name}", *([] if value is True else [str(value)]))]
    corrector, key = open_corrector(CorrectorFiles((str(detector),), **more))
    out = tmp_path / "out.h5"
    with pytest.raises(Stop):
        correct_stack([stack], corrector, out, key=key, progress=stop_after(5))
    assert main(["correct", str(detector), stack, "-o", str(out), "--json", str(tmp_path / "done.json"), *words]) == 0
    assert json.loads((tmp_path / "done.json").read_text())["resumed"] == 5


def test_the_result_does_not_depend_on_how_files_are_named(stack, detector, tmp_path, monkeypatch):
    from pyfai_gridcal.cli import main

    assert main(["correct", str(detector), stack, "-o", str(tmp_path / "one.h5")]) == 0
    monkeypatch.chdir(detector.parent)
    assert main(["correct", detector.name, os.path.relpath(stack), "-o", str(tmp_path / "two.h5")]) == 0
    assert digest(tmp_path / "one.h5") == digest(tmp_path / "two.h5")


def test_command_on_files(detector, tmp_path, frames):
    from pyfai_gridcal.cli import main

    names = make_files(tmp_path, frames)
    assert main(["correct", str(detector), *names, "-o", f"{tmp_path}/new/", "--suffix", ".tif"]) == 0
    assert len(list((tmp_path / "new").glob("*.tif"))) == 5
    assert main(["correct", str(detector), names[0], "-o", str(tmp_path / "one.edf"), "--dummy", "-1"]) == 0
    assert (
        main(["correct", str(detector), *names, "-o", str(tmp_path / "all.h5"), "--dark", names[0], "--flat", names[1]])
        == 0
    )
    assert read(tmp_path / "all.h5").shape == (5, *SHAPE)


def test_command_with_wrong_usage(detector, tmp_path, frames, capsys):
    from pyfai_gridcal.cli import main

    names = make_files(tmp_path, frames)
    before = digest(tmp_path / "in_0.edf")
    cases = [
        (["correct", str(detector), names[0], "-o", names[0]], "one of the inputs"),
        (["correct", str(detector), *names, "-o", str(tmp_path)], "replaced"),
        (["correct", str(detector), *names, "-o", str(tmp_path / "one.edf")], "5 images"),
        (["correct", str(detector), names[0], "-o", str(tmp_path / "no" / "x.h5")], "folder"),
        (["correct", str(detector), names[0], "-o", str(tmp_path / "x.h5"), "-j", "0"], "jobs"),
        (["correct", str(detector), names[0], "-o", str(tmp_path / "x.h5"), "--compression", "zip"], "compression"),
        (["correct", names[0], names[0], "-o", str(tmp_path / "x.h5")], "does not tell"),
        (["correct", str(detector), str(tmp_path / "none.edf"), "-o", str(tmp_path / "x.h5")], "no such file"),
    ]
    for arguments, reason in cases:
        assert main(arguments) in (1, 2)
        assert reason in capsys.readouterr().err
    assert digest(tmp_path / "in_0.edf") == before


@pytest.mark.slow
def test_killed_and_started_again(detector, tmp_path):
    """The real thing: SIGKILL in the middle, then the same command; the file is the one of an unbroken run."""
    shape, count = SHAPE, 1500
    one = np.random.default_rng(2).poisson(5, (50, *shape)).astype(np.uint16)
    with h5py.File(tmp_path / "long.h5", "w") as file:
        dataset = file.create_dataset("data", (count, *shape), np.uint16, chunks=(1, *shape))
        for k in range(0, count, 50):
            dataset[k : k + 50] = one + k
    out, part = tmp_path / "out.h5", tmp_path / "out.h5.part"
    command = [
        sys.executable,
        "-m",
        "pyfai_gridcal",
        "correct",
        str(detector),
        str(tmp_path / "long.h5"),
        "-o",
        str(out),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while (
        time.monotonic() < limit and process.poll() is None and not (part.exists() and part.stat().st_size > 1_000_000)
    ):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert part.exists()
    assert not out.exists()
    again = run(*command[3:], "--json", "-")
    assert again.returncode == 0, again.stderr
    assert 0 < json.loads(again.stdout)["resumed"] < count
    first = digest(out)
    out.unlink()
    unbroken = run(*command[3:])
    assert unbroken.returncode == 0, unbroken.stderr
    assert digest(out) == first


def test_errors_are_ours(stack, corrector, tmp_path):
    with pytest.raises(GridcalError):
        correct_stack([tmp_path / "missing.h5"], corrector, tmp_path / "out.h5")
    with pytest.raises(GridcalError, match="pixels"):
        correct_stack([stack], Corrector(build_table(wave((50, 60)))), tmp_path / "out.h5")
