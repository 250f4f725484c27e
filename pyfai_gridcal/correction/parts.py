"""A long row of images corrected in parts, by as many workers as there are, and shown as one dataset in the end.

Each part has its own file, so that no two workers write to the same one. A part that is complete is known by the
checksum of its work, which it carries: asked for once more, by a scheduler that lost the answer, it is left as it is. A
part that was begun goes on behind its last complete frame. The joined file holds no frames, only where they are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import h5py
import numpy as np

from ..base.arrays import AnyArray
from ..base.atomic import check_writable, replacing
from ..base.errors import FileFormatError, UsageError
from ..base.opening import make_hdf5, members, open_hdf5
from ..base.progress import Progress
from ..io.images.frames import parse_address
from ..io.images.sources import open_frames
from ..io.nexus.packing import Packing
from .corrector import Corrector
from .opening import CorrectorFiles, open_corrector
from .spool import checksum
from .streams import DATA_PATH, Corrected, correct_stack

#: Where a part tells what it is.
_PROCESS = DATA_PATH.rsplit("/", 2)[0] + "/correction"
#: Seconds between two looks at a file that another process writes.
_PAUSE = 0.5


#: Name of images (path or silx URL), or an array of them.
Images = str | os.PathLike[str] | AnyArray


@dataclass(frozen=True)
class Work:
    """What is to be corrected, and how.

    Attributes
    ----------
    files : detector, mask, dark, flat
    images : names of images or stacks, in order, or arrays
    output : HDF5 file of the whole
    dtype, compression : of the corrected frames
    part : (k, n), the k-th of n parts; None for all in one
    workers : threads
    patience : seconds to wait for another process that writes the same file
    """

    files: CorrectorFiles
    images: Sequence[Images]
    output: Path
    dtype: str | None = None
    compression: str = "gzip:1"
    part: tuple[int, int] | None = None
    workers: int | None = None
    patience: float = field(default=600.0, compare=False)


def part_path(output: str | os.PathLike[str], part: tuple[int, int] | None) -> Path:
    """File of a part; that of the whole for None."""
    output = Path(output)
    if part is None:
        return output
    width = max(4, len(str(part[1])))
    return output.with_name(f"{output.stem}_{part[0]:0{width}}of{part[1]:0{width}}{output.suffix}")


def portion(images: Sequence[Images], part: tuple[int, int]) -> list[Images]:
    """The images of the k-th of n parts, in order: whole sources where there are enough, else ranges of frames.

    Parameters
    ----------
    images : names (paths, silx URLs) or arrays
    part : (k, n)
    """
    k, n = part
    if len(images) >= n:
        return list(images[k * len(images) // n : (k + 1) * len(images) // n])
    counts = []
    for one in images:
        with open_frames(one) as frames:
            counts.append(frames.count)
    total = sum(counts)
    low, high = k * total // n, (k + 1) * total // n
    out, start = [], 0
    for one, count in zip(images, counts, strict=True):
        first, last = max(low - start, 0), min(high - start, count)
        if first < last:
            out.append(one if (first, last) == (0, count) else _frames_of(one, first, last))
        start += count
    return out


def _frames_of(source: Images, first: int, last: int) -> Images:
    """A range of frames of a source: its name, or the part of an array."""
    if not isinstance(source, str | os.PathLike):
        return np.asarray(source)[first:last]
    with open_frames(source) as frames:
        name = _name_of_frames(frames.url or os.fspath(source), first, last)
    with open_frames(name) as frames:
        if frames.count != last - first:
            raise UsageError(f"frames {first} to {last} of {source}", hint="name one dataset of three dimensions")
    return name


def frames_apart(source: str) -> list[str]:
    """Names of the frames of a source, one by one; its own where it holds no more than one."""
    with open_frames(source) as frames:
        count, url = frames.count, frames.url
    if count > 1:
        _frames_of(source, 0, count)  # or an error
    return [_name_of_frames(url, k, k + 1) for k in range(count)] if count > 1 else [source]


def _name_of_frames(url: str, first: int, last: int) -> str:
    address = parse_address(url)
    if not address.data_path and address.index is None:
        return f"fabio:{address.file}?slice={first}:{last}"
    index = f"{first}:{last}" if address.index is None else _chosen(address.index, first, last)
    if not address.data_path:
        return f"fabio:{address.file}?slice={index}"
    return f"{address.file}::{address.data_path}[{index}]"


def _chosen(index: tuple[Any, ...], first: int, last: int) -> str:
    """Text of the index that picks frames `first` to `last` out of those that `index` picks."""
    outer = index[0]
    if not isinstance(outer, slice) or (outer.step or 1) < 1 or (outer.start or 0) < 0:
        raise UsageError(f"a part of the frames [{outer}]", expected="a range of frames such as [10:1000]")
    step, begin = outer.step or 1, outer.start or 0
    inner = [":" if one == slice(None) else f"{one.start or ''}:{one.stop or ''}" for one in index[1:]]
    return ",".join([f"{begin + first * step}:{begin + (last - 1) * step + 1}:{step}", *inner])


@lru_cache(maxsize=1)
def _corrector(files: CorrectorFiles, _when: tuple[object, ...]) -> tuple[Corrector, str]:
    """The corrector of the last work, kept: a worker gets many parts of the same one."""
    corrector, key = open_corrector(files)
    return corrector.prepare(), key


_lock = Lock()


def _ready(files: CorrectorFiles) -> tuple[Corrector, str]:
    names = [files.detector, files.mask, files.dark, files.flat]
    flat = [one for name in names if name for one in ([name] if isinstance(name, str | os.PathLike) else name)]
    when = tuple(_stamp(one) for one in flat)
    with _lock:
        return _corrector(files, when)


def _stamp(source: Images) -> tuple[object, ...]:
    """What tells a source from another of the same name."""
    if not isinstance(source, str | os.PathLike):
        with open_frames(source) as frames:
            return (frames.sha256(),)
    file = parse_address(source).file
    try:
        stat = os.stat(file)
    except OSError:
        return (os.fspath(source),)
    return os.fspath(source), stat.st_size, stat.st_mtime_ns


def correct_part(work: Work, progress: Progress | None = None) -> Corrected:
    """Correct one part (or all) of the images into its own file, unless it is there already.

    Raises
    ------
    UsageError
        Another process still writes the file when patience ends, or it cannot be written.
    """
    target = check_writable(part_path(work.output, work.part))
    corrector, key = _ready(work.files)
    stamps = [_stamp(one) for one in work.images]
    job = checksum(key, stamps, work.dtype, work.compression)
    mine = f"{job} {work.part}"
    deadline = time.monotonic() + work.patience
    while True:
        done = _finished(target, mine)
        if done is not None:
            return done
        images = list(work.images) if work.part is None else portion(work.images, work.part)
        if not images:
            return _nothing(target, corrector, mine, job)
        try:
            return correct_stack(
                images,
                corrector,
                target,
                key=mine,
                packing=Packing.parse(work.compression),
                dtype=work.dtype,
                workers=work.workers or (None if work.part is None else 1),
                remarks={"work": mine, "job": job, "part": "" if work.part is None else "{}/{}".format(*work.part)},
                finished=lambda: _finished(target, mine),
                progress=progress,
            )
        except UsageError as error:
            if not error.what.startswith("another process") or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def _finished(path: Path, work: str) -> Corrected | None:
    """What a complete file of the same work holds; None when there is none."""
    try:
        found = _told(path)
    except FileFormatError:
        return None
    if found["work"] != work:
        return None
    return Corrected((path,), 0, found["shape"][0], found["shape"][1:])


def _told(path: Path) -> dict[str, Any]:
    """Texts that a part carries, shape and type of its frames."""
    try:
        with open_hdf5(path) as file:
            process, data = file[_PROCESS], file[DATA_PATH]
            texts = {name: item.asstr()[()] for name, item in members(process).items() if item.dtype.kind == "O"}
            return {**texts, "shape": data.shape, "dtype": data.dtype, "dummy": data.attrs["dummy"]}
    except (OSError, KeyError, FileFormatError) as error:
        if not path.exists():
            missing = f"{path} is missing: no complete part of corrected images"
            raise FileFormatError(missing, hint="correct it") from None
        raise FileFormatError(f"{path} is no complete part of corrected images ({error})") from error


def _nothing(path: Path, corrector: Corrector, work: str, job: str) -> Corrected:
    """A part without a frame: there are more parts than frames."""
    with replacing(path) as temporary, make_hdf5(temporary) as file:
        process = file.create_group(_PROCESS)
        process["work"], process["job"] = work, job
        data = file.create_dataset(DATA_PATH, (0, *corrector.table.shape_out), np.float32)
        data.attrs["dummy"] = corrector.dummy
    return Corrected((path,), 0, 0, corrector.table.shape_out)


# -- one dataset
def join_parts(output: str | os.PathLike[str], parts: int) -> Corrected:
    """Write the file that shows all parts as one dataset (virtual: the frames stay where they are).

    Raises
    ------
    FileFormatError
        A part is missing, is not complete, or belongs to other work.
    """
    target = check_writable(output)
    paths = [part_path(target, (k, parts)) for k in range(parts)]
    told = [_told(path) for path in paths]
    strangers = [path.name for path, one in zip(paths, told, strict=True) if one.get("job") != told[0].get("job")]
    if strangers:
        raise FileFormatError(f"{strangers[0]} belongs to other work than {paths[0].name}", hint="correct it again")
    filled = [(path, one) for path, one in zip(paths, told, strict=True) if one["shape"][0]]
    if not filled:
        raise FileFormatError(f"the {parts} parts of {target.name} hold no frame")
    total = sum(one["shape"][0] for _, one in filled)
    shape, dtype = filled[0][1]["shape"][1:], filled[0][1]["dtype"]
    layout = h5py.VirtualLayout((total, *shape), dtype)
    start = 0
    for path, one in filled:
        count = one["shape"][0]
        # By name only: the files may be moved together.
        layout[start : start + count] = h5py.VirtualSource(path.name, DATA_PATH, one["shape"], dtype)
        start += count
    with replacing(target) as temporary, make_hdf5(temporary, libver=("v110", "v110")) as file:
        with open_hdf5(filled[0][0]) as first:
            _copy_frame(first, file)
        dummy = filled[0][1]["dummy"]
        dataset = file[DATA_PATH.rsplit("/", 1)[0]].create_virtual_dataset(
            "data", layout, fillvalue=dummy if dtype.kind == "f" or np.isfinite(dummy) else 0
        )
        dataset.attrs["interpretation"], dataset.attrs["dummy"] = "image", dummy
    return Corrected((target,), total, 0, (shape[0], shape[1]))


def _copy_frame(first: h5py.File, file: h5py.File) -> None:
    """All that is around the data in a part."""
    file.attrs.update(first.attrs)
    entry, group = DATA_PATH.split("/")[1:3]
    new = file.create_group(entry)
    new.attrs.update(first[entry].attrs)
    for name, item in members(first[entry]).items():
        if name != group:
            first.copy(item, new, name)
    new.create_group(group).attrs.update(first[entry][group].attrs)
