"""Nothing half-written, nothing left behind, nothing lost."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from pyfai_gridcal.base.atomic import check_suffix, check_writable, leftovers, replacing
from pyfai_gridcal.base.errors import UsageError


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_new_file_appears_at_the_end(tmp_path):
    path = tmp_path / "a.h5"
    with replacing(path) as beside:
        assert beside.suffix == ".h5"
        assert beside.parent == tmp_path
        beside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.h5"]


def test_old_file_survives_failure(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        beside.write_text(str(1 // 0))
    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        beside.write_text(str(beside.write_text("new") // 0))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_mode_and_link_are_kept(tmp_path):
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    with replacing(link) as beside:
        beside.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_new_file_gets_ordinary_rights(tmp_path):
    umask = os.umask(0o027)
    try:
        with replacing(tmp_path / "a") as beside:
            beside.write_text("x")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    finally:
        os.umask(umask)


@pytest.mark.parametrize("name", ["missing/a.h5", "folder", "a" * 300 + ".h5", "file.txt/a.h5"])
def test_impossible_places_are_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").touch()
    with pytest.raises(UsageError, match=r"folder|written"):
        check_writable(tmp_path / name)
    with pytest.raises(UsageError, match=r"folder|written"), replacing(tmp_path / name):
        raise AssertionError("must not get here")
    assert names(tmp_path) == ["file.txt", "folder"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the super-user may write everywhere")
def test_folder_without_rights(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written"):
        check_writable(tmp_path / "a.h5")


def test_full_disk_is_told_plainly(tmp_path):
    path = tmp_path / "a.h5"
    path.write_text("old")
    with pytest.raises(UsageError, match=r"cannot be written: No space.*left as they were"), replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old"


def test_other_trouble_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.h5"):
        (tmp_path / "input that is missing").read_text()
    assert names(tmp_path) == []


def test_names_say_what_is_in_files():
    assert check_suffix("a.H5", (".h5", ".nxs", ""), "it is HDF5") == Path("a.H5")
    assert check_suffix("detector", (".h5", ""), "it is HDF5").name == "detector"
    with pytest.raises(UsageError, match=r"a.xyz: it is HDF5; expected a name that ends in \.h5 or \.nxs; convert it"):
        check_suffix("a.xyz", (".h5", ".nxs", ""), "it is HDF5", "convert it")


def test_check_writable_leaves_no_trace(tmp_path):
    assert check_writable(str(tmp_path / "b.h5")) == tmp_path / "b.h5"
    assert names(tmp_path) == []


def test_leftovers_are_those_of_the_same_file_only(tmp_path):
    half = [tmp_path / name for name in (".a-0123abcd.h5", "..a-0123abcd-89abcdef.h5")]
    for one in (*half, tmp_path / "a.h5", tmp_path / ".a.h5", tmp_path / ".ab-0123abcd.h5", tmp_path / ".a-mine.h5"):
        one.touch()
    with replacing(tmp_path / "a.h5") as beside:
        assert sorted(leftovers(tmp_path / "a.h5")) == sorted([*half, beside])
    assert leftovers(tmp_path / "gone" / "a.h5") == []
