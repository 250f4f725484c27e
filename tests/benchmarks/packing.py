"""Which filter, library and layout of chunks is quickest for the corners of a detector: a table for the benchmark page.

    python tests/benchmarks/packing.py detector.h5

takes the corners of a detector file (every fourth chunk), in one thread, and prints processor time and room for all of
them. Needs isal and zlib-ng beside the package; bitshuffle needs hdf5plugin, and so does whoever reads it.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Callable
from functools import partial

import h5py
import numpy as np

from pyfai_gridcal.io.nexus import packing
from pyfai_gridcal.io.nexus.packing import Packing, inflated, shuffled

Maker = Callable[[np.ndarray], bytes]


def whole(compress: Callable[[bytes, int], bytes], level: int) -> Maker:
    """A whole chunk after shuffle by one call of a library, as HDF5 does it."""
    return lambda block: compress(shuffled(block).tobytes(), level)


def ways(middle: np.ndarray, isal: object) -> dict[str, tuple[Maker, object]]:
    """What makes a chunk, and with which library ours works."""
    from isal import isal_zlib
    from zlib_ng import zlib_ng

    plan = Packing().plan(middle)
    by_planes: Maker = lambda block: packing._quick(shuffled(block), plan, repeats=True)  # noqa: E731
    return {
        "gzip 1, zlib": (whole(zlib.compress, 1), None),
        "gzip 4, zlib": (whole(zlib.compress, 4), None),
        "gzip 1, zlib-ng": (whole(zlib_ng.compress, 1), None),
        "gzip 2, zlib-ng": (whole(zlib_ng.compress, 2), None),
        "gzip 1, isal": (whole(isal_zlib.compress, 1), isal),
        "by planes, zlib (ours)": (by_planes, None),
        "by planes, isal (ours)": (by_planes, isal),
        "bitshuffle and LZ4": (Packing("bitshuffle").pack, None),
    }


def processor_seconds(work: Callable[[], list[object]]) -> tuple[float, list[object]]:
    start = time.process_time()
    done = work()
    return time.process_time() - start, done


def main() -> None:
    isal = packing._isal
    with h5py.File(sys.argv[1]) as file:
        corners = file["entry_0000/pyFAI/calibrated/pixel_corners"][()]
    ny, nx = corners.shape[:2]
    for rows, columns in ((64, 256), (256, 64), (16, 1024), (256, 256)):
        starts = [(r, c) for r in range(0, ny - rows + 1, rows) for c in range(0, nx - columns + 1, columns)][::4]
        blocks = [np.ascontiguousarray(corners[r : r + rows, c : c + columns, :, k]) for r, c in starts for k in (1, 2)]
        share = sum(block.nbytes for block in blocks) / (corners.nbytes * 2 / 3)
        for name, (make, library) in ways(blocks[len(blocks) // 2], isal).items():
            packing._isal = library
            packed_in, chunks = processor_seconds(partial(list, map(make, blocks)))
            read = "-"
            if name[0] != "b" or "planes" in name:
                unpack = partial(inflated, size=blocks[0].nbytes)
                read = f"{processor_seconds(partial(list, map(unpack, chunks)))[0] / share:.2f}"
            room = sum(map(len, chunks)) / share / 1e6
            print(f"{rows:4d} x {columns:4d} | {name:24s} | {packed_in / share:.2f} s | {room:6.1f} MB | read {read} s")


if __name__ == "__main__":
    main()
