"""Nothing of the package keeps the lock of h5py when it is done with a file, whoever looks at its frames meanwhile.

In a process of its own: if the lock were kept, nothing in it could use h5py any more.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_gridcal import synthetic
from pyfai_gridcal.base.errors import FileFormatError, ImageError
from pyfai_gridcal.base.opening import is_hdf5, make_hdf5, members, open_hdf5, reading_hdf5, text_of
from pyfai_gridcal.io.images.sources import open_frames
from pyfai_gridcal.io.kinds.kinds import write_distortion

#: A thread reads, its frames are kept as a profiler keeps them, and another thread needs the lock afterwards.
SCRIPT = """
import os, sys, threading
import h5py, numpy as np

def kept(read):
    frames, errors, done = [], [], threading.Event()

    def watched():
        sys.setprofile(lambda frame, event, value: frames.append(frame))
        try:
            read()
        except BaseException as error:
            errors.append(repr(error))
        finally:
            sys.setprofile(None)
        done.set()
        threading.Event().wait()  # a new thread may get the number of one that has ended, and with it its locks

    threading.Thread(target=watched, daemon=True).start()
    done.wait()
    other = threading.Thread(target=lambda: h5py.File("memory", "w", driver="core", backing_store=False), daemon=True)
    other.start()
    other.join(60)
    print(("kept" if other.is_alive() else "free") + " ".join(errors), flush=True)
    os._exit(0)

folder = sys.argv[1]
"""

READERS = {
    "distortion": "from pyfai_gridcal.io.kinds.kinds import read_distortion as r\n"
    "kept(lambda: r(f'{folder}/detector.h5'))",
    "mask": "from pyfai_gridcal.io.images.masks import load_mask as r\n"
    "kept(lambda: r(f'{folder}/detector.h5', (60, 70)))",
    "result": "from pyfai_gridcal.io.nexus.result import load_result as r; kept(lambda: r(f'{folder}/result.h5'))",
    "part": "from pyfai_gridcal.correction.opening import CorrectorFiles\n"
    "from pyfai_gridcal.correction.parts import Work, correct_part, join_parts\n"
    "def r():\n"
    "    for k in (0, 1, 1):\n"
    "        files = CorrectorFiles(f'{folder}/detector.h5', keep_table=False)\n"
    "        correct_part(Work(files, [f'{folder}/stack.h5'], f'{folder}/out.h5', part=(k, 2)))\n"
    "    join_parts(f'{folder}/out.h5', 2)\n"
    "kept(r)",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector, a result and a stack of two frames."""
    folder = tmp_path_factory.mktemp("members")
    write_distortion(synthetic.demo_scene((60, 70), pitch_px=12.0).distortion, folder / "detector.h5")
    with h5py.File(folder / "stack.h5", "w") as file:
        file["entry/data"] = np.ones((2, 60, 70), np.uint16)
    old = Path(__file__).parents[1] / "data" / "result_1_0.h5.gz"
    (folder / "result.h5").write_bytes(gzip.decompress(old.read_bytes()))
    return folder


@pytest.mark.parametrize("reader", [*(r for r in READERS if r != "part"), pytest.param("part", marks=pytest.mark.slow)])
def test_lock_is_free_afterwards(reader: str, folder: Path) -> None:
    # A debugger or a coverage tool would watch the frames itself.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + READERS[reader], str(folder)], capture_output=True, text=True, env=environment
    )
    assert done.stdout == "free\n", done.stderr


def test_members(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["b"], file["a/c"] = 1, 2
        file["gone"] = h5py.SoftLink("/nowhere")
        found = members(file)
        assert sorted(found) == ["a", "b", "gone"]
        assert found["gone"] is None
        assert isinstance(found["a"], h5py.Group)
        assert found["b"][()] == 1
        assert list(members(file["a"])) == ["c"]


def test_opening(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["words"], file["number"] = "text", 3
    (tmp_path / "text.h5").write_text("no HDF5 at all")
    with open_hdf5(tmp_path / "file.h5") as file:
        assert file.mode == "r"
        assert text_of(file["words"][()]) == text_of("text") == "text"
    assert is_hdf5(tmp_path / "file.h5")
    assert not is_hdf5(tmp_path / "text.h5")
    for path, says in (("missing.h5", "no such file: .*missing"), ("text.h5", "cannot be read as HDF5.*a detector")):
        with pytest.raises(FileFormatError, match=says), reading_hdf5(tmp_path / path, expected="a detector"):
            pass


def test_damage_that_shows_while_reading_is_told_in_the_same_words(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("data", data=np.arange(4096), chunks=(4096,), compression="gzip")
        place = file["data"].id.get_chunk_info(0)
    content = bytearray((tmp_path / "file.h5").read_bytes())
    content[place.byte_offset + 5 : place.byte_offset + 25] = b"x" * 20
    (tmp_path / "file.h5").write_bytes(content)
    with pytest.raises(FileFormatError, match="cannot be read as HDF5"), reading_hdf5(tmp_path / "file.h5") as file:
        file["data"][()]
    with h5py.File(tmp_path / "file.h5", "r"):
        pass  # it was closed


def test_a_file_that_is_kept_locked_is_read_all_the_same(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="no such locks here")
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["number"] = 3
    with (tmp_path / "file.h5").open("r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with open_hdf5(tmp_path / "file.h5") as file:
            assert file["number"][()] == 3


def test_a_file_of_our_own_needs_no_lock(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="no such locks here")
    (tmp_path / "file.h5").touch()
    with (tmp_path / "file.h5").open("r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # as on a file system without locks, none is to be had
        with make_hdf5(tmp_path / "file.h5") as file:
            file["number"] = 3
        with make_hdf5(tmp_path / "file.h5", "r+") as file:
            assert file["number"][()] == 3


@pytest.mark.parametrize("for_readers", [True, False])
def test_a_file_that_is_being_written_is_not_called_damaged(tmp_path: Path, for_readers: bool) -> None:
    """The copy of a file in use bears the marks that HDF5 puts into it, as its readers see them."""
    with h5py.File(tmp_path / "writing.h5", "w", libver="latest") as file:
        file["number"] = 3
        if for_readers:
            file.swmr_mode = True
        file.flush()
        shutil.copy(tmp_path / "writing.h5", tmp_path / "seen.h5")
    if for_readers:
        with open_hdf5(tmp_path / "seen.h5") as file:
            assert file["number"][()] == 3
        return
    with pytest.raises(FileFormatError, match=r"open for writing.*again when it is closed.* a copy of it") as caught:
        open_hdf5(tmp_path / "seen.h5")
    assert "damaged" not in str(caught.value)
    with pytest.raises(ImageError, match=r"open for writing.*again when it is closed"):
        open_frames(tmp_path / "seen.h5")
