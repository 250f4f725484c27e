"""Parts of a long row of images: all frames once, by whoever asks, and one dataset in the end."""

from __future__ import annotations

import fabio
import h5py
import numpy as np
import pytest
from stacks import COUNT, read

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.correction.opening import CorrectorFiles
from pyfai_gridcal.correction.parts import Work, correct_part, frames_apart, join_parts, part_path, portion
from pyfai_gridcal.correction.streams import DATA_PATH
from pyfai_gridcal.io.images.sources import open_frames


def test_names_of_parts_sort_in_their_order() -> None:
    names = [part_path("out.h5", (k, 12_345)).name for k in (0, 9, 10, 12_344)]
    assert names == sorted(names)
    assert part_path("out.h5", None).name == "out.h5"
    assert part_path("out.h5", (1, 3)).name == "out_0001of0003.h5"


@pytest.mark.parametrize("count", [1, 3, 5])
def test_joined_parts_are_the_whole(stack, detector, tmp_path, count) -> None:
    files = CorrectorFiles(str(detector))
    correct_part(Work(files, [stack], tmp_path / "whole.h5"))
    for k in range(count):
        done = correct_part(Work(files, [stack], tmp_path / "out.h5", part=(k, count)))
        again = correct_part(Work(files, [stack], tmp_path / "out.h5", part=(k, count)))
        assert (again.frames, again.resumed) == (0, done.frames)
    assert join_parts(tmp_path / "out.h5", count).frames == COUNT
    assert np.array_equal(read(tmp_path / "out.h5"), read(tmp_path / "whole.h5"), equal_nan=True)


def test_parts_of_other_work_are_not_joined(stack, detector, tmp_path) -> None:
    for k, dtype in enumerate(("float32", "uint16")):
        correct_part(Work(CorrectorFiles(str(detector)), [stack], tmp_path / "out.h5", dtype, part=(k, 2)))
    with pytest.raises(FileFormatError, match="other work"):
        join_parts(tmp_path / "out.h5", 2)
    with pytest.raises(FileFormatError, match="missing"):
        join_parts(tmp_path / "none.h5", 2)


@pytest.mark.parametrize(("dtype", "dummy"), [("uint16", 65535), ("uint64", 2**64 - 1), ("int32", -1)])
def test_frames_of_a_part_that_was_lost_are_not_known(stack, detector, tmp_path, dtype, dummy) -> None:
    for k in range(2):
        correct_part(Work(CorrectorFiles(str(detector)), [stack], tmp_path / "out.h5", dtype, part=(k, 2)))
    join_parts(tmp_path / "out.h5", 2)
    part_path(tmp_path / "out.h5", (1, 2)).unlink()
    with h5py.File(tmp_path / "out.h5") as file:
        assert file[DATA_PATH].attrs["dummy"] == dummy
        assert (file[DATA_PATH][0] != dummy).any()
        assert (file[DATA_PATH][COUNT - 1] == dummy).all()


def test_a_part_of_a_slice_is_a_slice(frames, tmp_path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = frames
    name = f"{tmp_path / 'scan.h5'}::/data[1:10:3]"
    taken = [portion([name], (k, 2)) for k in range(2)]
    assert all(len(one) == 1 for one in taken)
    found = []
    for (piece,) in taken:
        with open_frames(piece) as source:
            found += [np.array(source.read(k)) for k in range(source.count)]
    assert np.array_equal(np.stack(found), frames[1:10:3])


def test_frames_apart_are_the_frames(frames, tmp_path) -> None:
    image = fabio.edfimage.EdfImage(data=frames[0], header={"number": "0"})
    for k in (1, 2):
        image.append_frame(data=frames[k], header={"number": str(k)})
    image.write(str(tmp_path / "many.edf"))
    np.save(tmp_path / "stack.npy", frames[:3])
    np.save(tmp_path / "one.npy", frames[0])
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file["entry/data"] = np.stack(frames[:5])
    sources = {"many.edf": frames[:3], "stack.npy": frames[:3], "one.npy": frames[:1]}
    sources |= {"stack.h5": frames[:5], "stack.h5::/entry/data[1:5:2]": frames[1:5:2]}
    sources |= {f"fabio:{tmp_path}/many.edf?slice=1:3": frames[1:3]}
    for name, expected in sources.items():
        apart = frames_apart(name if name.startswith("fabio") else f"{tmp_path}/{name}")
        assert len(apart) == len(expected)
        for k, one in enumerate(apart):
            with open_frames(one) as found:
                assert found.count == 1
                assert np.array_equal(found.read(0), expected[k])
                if name == "many.edf":
                    assert found.header["number"] == str(k)
