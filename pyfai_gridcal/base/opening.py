"""Members of an HDF5 group, without the lock that h5py's own views hold while they are gone through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

__all__ = ["members"]


def members(group: h5py.Group) -> dict[str, Any]:
    """Name -> member of a group, all opened at once; None for a dangling link.

    To be used instead of ``group.values()`` and ``group.items()``. Their iterators hold the lock of h5py, one for the
    whole process, from the first member to the last. One that is left before its end releases the lock only when it is
    deleted, and only in the thread that began it. A profiler that keeps frames of other threads (each worker of dask
    has one) may delete it in its own: the lock is then held for ever, and the next other thread that uses an object of
    h5py, or only forgets one, waits without end.
    """
    return dict(group.items())
