"""Many images corrected one after another: memory for a few frames, all processors, nothing lost when killed."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..base.arrays import AnyArray
from ..base.atomic import check_writable, replacing
from ..base.errors import ImageError, UsageError
from ..base.opening import make_hdf5
from ..base.progress import Progress, untold
from ..base.threads import processors
from ..io.images.frames import Frames, parse_address
from ..io.images.sources import open_frames
from ..io.kinds.rasters import image_of
from ..io.nexus.groups import new_group, write_sensor
from ..io.nexus.packing import Packing
from ..records.jobs import Missing
from .corrector import Corrector
from .frames import DType, FrameReader, require
from .spool import Journal, Spool, checksum

_Answer = TypeVar("_Answer")
#: Where the frames are in an HDF5 file that is written.
DATA_PATH = "/entry_0000/corrected/data"
#: Suffixes of files that hold one image each, with its header where the format has one.
IMAGE_SUFFIXES = (".edf", ".tif", ".tiff", ".npy")


@dataclass(frozen=True)
class Corrected:
    """What became of the images.

    Attributes
    ----------
    written : files
    frames : corrected in this run
    resumed : frames that an earlier, interrupted run had done already
    shape : of a corrected frame
    notes : remarks on the images, in words
    """

    written: tuple[Path, ...]
    frames: int
    resumed: int
    shape: tuple[int, int] = field(default=(0, 0))
    notes: tuple[str, ...] = ()


def workers_by_default() -> int:
    """As many as processors that this process may use, at most 16."""
    return min(16, processors())


def in_order(work: Callable[[int], _Answer], numbers: Sequence[int], workers: int | None) -> Iterator[_Answer]:
    """Results of ``work(number)`` in order, computed ahead by `workers` threads, never more than twice as many at a
    time.
    """
    workers = workers or workers_by_default()
    if workers <= 1:
        yield from (work(n) for n in numbers)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="correct") as pool:
        waiting: deque[Future[_Answer]] = deque()
        try:
            for n in numbers:
                waiting.append(pool.submit(work, n))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


# -- one stack
def correct_stack(
    sources: Sequence[object],
    corrector: Corrector,
    output: str | PathLike[str],
    *,
    key: str = "",
    packing: Packing | None = None,
    dtype: str | None = None,
    workers: int | None = None,
    missing: Missing = "error",
    remarks: dict[str, str] | None = None,
    finished: Callable[[], Corrected | None] = lambda: None,
    progress: Progress | None = None,
) -> Corrected:
    """Correct all frames of the sources into one HDF5 file (NeXus).

    Parameters
    ----------
    sources : paths, silx URLs or arrays, as for :func:`~pyfai_gridcal.io.images.sources.open_frames`; all frames of
        one shape
    corrector : of the detector
    output : file; it appears when it is complete. Until then ``output`` + ``.part`` beside it holds what is done, and
        the next call with the same arguments goes on from there.
    key : what identifies detector and options, for that
    packing : compression
    dtype : of the corrected frames; float32 by default, float64 for float64 frames. Whole numbers are rounded.
    workers : threads; all processors by default
    missing : what to do about frames that are not there; the file says how many there were
    remarks : texts for the file
    finished : asked once no other process can write the output any more; what it returns, if anything, is the outcome
    progress : called with a fraction and a text; what it raises stops the work (which can be resumed)

    Raises
    ------
    ImageError
        A frame is missing, damaged or of another shape; the frames before it stay in the ``.part`` file.
    UsageError
        The output cannot be written, or another process is writing it.
    """
    target, packing, say = check_writable(output), packing or Packing(), progress or untold
    with FrameReader([open_frames(s, missing=missing) for s in sources]) as reader:
        reader.require(corrector.table.shape_in, corrector.region)
        out_dtype = _out_dtype(reader.dtype, dtype, corrector)
        # What is done already: pieces of the very same work, told by the checksum of all that decides about them.
        work = checksum(key, reader.identity(), str(packing), str(out_dtype), corrector.dummy, corrector.coverage)
        with Spool(target.with_name(target.name + ".part"), work) as spool:
            if (outcome := finished()) is not None:
                spool.close(remove=True)
                return outcome
            resumed = min(spool.count, reader.count)
            # What is left, computed ahead by the threads, kept in order.
            make = partial(_piece, reader, corrector.prepare(), packing, out_dtype)
            for done, piece in enumerate(in_order(make, range(resumed, reader.count), workers), resumed + 1):
                spool.append(piece)
                say(done / reader.count, f"frame {done} of {reader.count}")
            # All of it as one file, which appears when it is complete.
            with replacing(target) as temporary:
                _write_nexus(temporary, spool, reader, corrector, packing, out_dtype, remarks or {})
            spool.close(remove=True)
    return Corrected((target,), reader.count - resumed, resumed, corrector.table.shape_out, reader.notes)


def _piece(reader: FrameReader, corrector: Corrector, packing: Packing, dtype: DType, number: int) -> bytes:
    """One corrected frame, as it stands in the file."""
    return packing.pack(corrector.as_type(reader.read(number), dtype))


def _out_dtype(recorded: DType, wanted: str | None, corrector: Corrector) -> DType:
    """The type of the corrected numbers, which holds the dummy, or an error."""
    if wanted is None:
        return np.dtype(np.float64 if recorded == np.float64 else np.float32)
    if wanted == "same":
        wanted = str(recorded) if recorded.kind in "fiu" else "uint8"
    try:
        dtype = np.dtype(wanted)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "fiu":
        raise UsageError(
            f"type {wanted!r}", expected="float32, float64, same, or a type of whole numbers such as uint32"
        )
    corrector.stand_in(dtype)
    return dtype


def _write_nexus(
    path: Path,
    spool: Spool,
    reader: FrameReader,
    corrector: Corrector,
    packing: Packing,
    dtype: DType,
    remarks: dict[str, str],
) -> None:
    """Write the finished frames; the same bytes for the same work, whenever it is done, hence without a date.

    The earliest format of HDF5 has no times in its groups; in later ones h5py leaves them away only since 3.16.
    """
    shape = corrector.table.shape_out
    with make_hdf5(path, libver="earliest") as file:
        file.attrs.update({"NX_class": "NXroot", "default": "entry_0000", "creator": "pyFAI-gridcal correct"})
        entry = new_group(file, "entry_0000", "NXentry")
        entry.attrs["default"] = "corrected"
        entry["title"] = f"{reader.name}, distortion corrected"
        process = new_group(entry, "correction", "NXprocess")
        notes = "\n".join((*corrector.notes, *reader.notes))
        told = {"program": "pyFAI-gridcal", "input": reader.name, **({"notes": notes} if notes else {}), **remarks}
        for name, text in told.items():
            process[name] = text
        process["offset"] = np.array(corrector.table.offset)
        process["offset"].attrs["units"] = "px"
        if (sensor := corrector.traits.sensor) is not None:
            detector = new_group(new_group(entry, "instrument", "NXinstrument"), "detector", "NXdetector")
            write_sensor(detector, sensor)
        data = new_group(entry, "corrected", "NXdata")
        data.attrs.update({"signal": "data", "interpretation": "image"})
        dataset = data.create_dataset("data", (reader.count, *shape), dtype, chunks=(1, *shape), **packing.options())
        dataset.attrs.update({"interpretation": "image", "dummy": corrector.stand_in(dtype)})
        dataset.attrs.update(reader.attributes)
        for number, chunk in zip(range(reader.count), spool, strict=False):
            dataset.id.write_direct_chunk((number, 0, 0), chunk)


# -- single images
def correct_files(
    sources: Sequence[str | PathLike[str]],
    corrector: Corrector,
    outputs: Sequence[str | PathLike[str]],
    *,
    key: str = "",
    dtype: str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Corrected:
    """Correct images file by file, headers kept where both formats have them.

    Parameters
    ----------
    sources, outputs : as many output files (EDF, TIFF or npy, told by the suffix) as sources of one frame
    corrector : of the detector
    key : what identifies detector and options: outputs that an earlier run has written with the same are not written
        again
    dtype, workers, progress : as for :func:`correct_stack`
    """
    targets = [check_writable(path) for path in outputs]
    if len(set(targets)) != len(targets) or len(targets) != len(sources):
        raise UsageError("two images would be written to the same file", hint="choose another folder or suffix")
    for target in targets:
        if target.suffix.lower() not in IMAGE_SUFFIXES:
            raise UsageError(
                f"output {target.name}", expected=f"one of {', '.join(IMAGE_SUFFIXES)}, or .h5 for a stack"
            )
    say = progress or untold
    corrector.prepare()
    with Journal(targets[0].parent / ".pyfai-gridcal-correct.jsonl") as journal:

        def one(number: int) -> bool:
            source, target = sources[number], targets[number]
            work = checksum(key, _identity(source), str(dtype), corrector.dummy, corrector.coverage)
            if journal.has(target, work):
                return False
            _correct_file(source, corrector, target, dtype)
            journal.add(target, work)
            return True

        count = 0
        for done, fresh in enumerate(in_order(one, range(len(sources)), workers), 1):
            count += fresh
            say(done / len(sources), f"image {done} of {len(sources)}")
        journal.close(remove=True)
    return Corrected(tuple(targets), count, len(sources) - count, corrector.table.shape_out)


def _correct_file(source: str | PathLike[str], corrector: Corrector, target: Path, dtype: str | None) -> None:
    """Correct the one image of a file."""
    with open_frames(source) as frames:
        if frames.count != 1:
            raise ImageError(f"{source} holds {frames.count} frames", hint="name an .h5 file as output, or one frame")
        recorded = frames.read(0)
        require(frames, corrector.table.shape_in, corrector.region)
        out_dtype = _out_dtype(recorded.dtype, dtype, corrector)
        header = _kept_header(frames, corrector.stand_in(out_dtype))
        header |= {"sensor": str(sensor)} if (sensor := corrector.traits.sensor) is not None else {}
        _write_image(target, corrector.as_type(recorded, out_dtype), header)


def _identity(source: str | PathLike[str]) -> tuple[str, int, int]:
    """What tells a file from another of the same name."""
    stat = os.stat(parse_address(source).file)
    return os.fspath(source), stat.st_size, stat.st_mtime_ns


#: Header entries that describe the file instead of the image.
_STRUCTURE = re.compile(
    r"(?i)^(edf_|headerid|byteorder|datatype|dim_\d|size$|image$|compression|x-binary|content-|conversions|general)"
)


def _kept_header(frames: Frames, dummy: float) -> dict[str, str]:
    header = {k: v for k, v in frames.header.items() if not _STRUCTURE.match(k)}
    return {**header, "distortion_corrected": "pyFAI-gridcal", "dummy": repr(dummy)}


def _write_image(path: Path, data: AnyArray, header: dict[str, str]) -> None:
    with replacing(path) as temporary:
        if path.suffix.lower() == ".npy":
            np.save(temporary, data)
        else:
            image_of(path.suffix.lower(), data, header).write(str(temporary))
