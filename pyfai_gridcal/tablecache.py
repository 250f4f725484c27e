"""Tables of shares, kept beside the detector file under the checksum of what they were computed from."""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from .correction import Table, build_table
from .distortion import Distortion
from .errors import GridcalError
from .io.atomic import replacing

__all__ = ["cached_table", "key_of_files"]

logger = logging.getLogger(__name__)

#: Raise when the meaning of the numbers changes.
VERSION = 1


def key_of_files(paths: Sequence[Path], *remarks: object) -> str:
    """Checksum of the content of files and of what else decides about the table."""
    digest = hashlib.sha256(repr((VERSION, *remarks)).encode())
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def cache_path(beside: Path, key: str) -> Path:
    """Where the table of that key is kept."""
    return beside.with_name(f"{beside.name}.table-{key[:16]}.npz")


def cached_table(
    distortion: Distortion | None, beside: Path, key: str, *, whole: bool, keep: bool = True
) -> Table | None:
    """The table from the cache, else computed and kept there.

    Parameters
    ----------
    distortion : None to look only into the cache
    beside : detector file; tables of its former contents are removed
    key : from :func:`key_of_files`
    whole : see :func:`~pyfai_gridcal.correction.build_table`
    keep : whether to look and to keep at all

    Returns
    -------
    None when it is not in the cache and there is no distortion.
    """
    path = cache_path(beside, key)
    if keep:
        try:
            return _load(path, key)
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, IndexError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            logger.info("the kept table %s is not usable (%s); it is computed again", path, error)
    if distortion is None:
        return None
    table = build_table(distortion, whole=whole)
    if keep:
        try:
            _save(path, key, table)
        except (GridcalError, OSError) as error:
            logger.info("the table is not kept: %s", error)
    return table


def _load(path: Path, key: str) -> Table:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        if str(archive["key"]) != key:
            raise ValueError("it belongs to something else")
        shapes = tuple(int(n) for n in archive["shapes"])
        offset = tuple(float(v) for v in archive["offset"])
        weights, columns, rows, area = (archive[name] for name in ("weights", "columns", "rows", "area"))
        mask = archive.get("mask")
        shape_in, shape_out = (shapes[0], shapes[1]), (shapes[2], shapes[3])
        table = Table(weights, columns, rows, area, shape_in, shape_out, (offset[0], offset[1]), mask)
    pixels_in, pixels_out = int(np.prod(table.shape_in)), int(np.prod(table.shape_out))
    n = len(table.columns)
    consistent = (
        len(table.weights) == n
        and len(table.area) == pixels_in
        and (table.mask is None or table.mask.shape == table.shape_in)
        and len(table.rows) == pixels_out + 1
        and int(table.rows[0]) == 0
        and int(table.rows[-1]) == n
        and bool((np.diff(table.rows) >= 0).all())
        and (n == 0 or (int(table.columns.min()) >= 0 and int(table.columns.max()) < pixels_in))
    )
    if not consistent:
        raise ValueError("its parts do not belong together")
    return table


def _save(path: Path, key: str, table: Table) -> None:
    names = ("weights", "columns", "rows", "area", *(() if table.mask is None else ("mask",)))
    arrays = {name: getattr(table, name) for name in names}
    shapes = np.array([*table.shape_in, *table.shape_out])
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, key=np.array(key), shapes=shapes, offset=np.array(table.offset), **arrays)
    stem = path.name.rsplit("-", 1)[0]
    for old in path.parent.glob(f"{stem}-*.npz"):
        if old != path:
            with suppress(OSError):
                old.unlink()
