"""What the files hold that tasks are given by name."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

from ..base.errors import FileFormatError, UsageError

__all__ = ["beside", "latest", "opened", "pair"]


def beside(image: Any) -> Path:
    """Name of the detector file beside an image."""
    if not isinstance(image, str):
        raise UsageError("an image in memory", hint="name the output")
    from ..io.nexus.contents import detector_beside

    return detector_beside(image)


def pair(value: Any) -> tuple[float, float] | None:
    """One length, or (slow, fast) -> (slow, fast)."""
    return value if value is None or isinstance(value, tuple) else (float(value), float(value))


def opened(path: str) -> Any:
    """The fit of a result, the distortion of any other file."""
    from ..io.kinds.kinds import read_distortion
    from ..io.nexus.result import load_result

    if Path(path).suffix.lower() in (".h5", ".hdf5", ".nxs"):
        try:
            result = load_result(path, images=False)
            return getattr(result, "fit", result)
        except FileFormatError:
            if not Path(path).exists():
                raise
    return read_distortion(path)


def latest(reference: str | None, other: str) -> str | None:
    """The reference; of a pattern, the last by name that is not the other file itself."""
    if reference is None:
        return None
    if not glob.has_magic(reference) or os.path.exists(reference):
        return reference
    names = sorted(glob.glob(reference))
    if os.path.exists(other):
        names = [name for name in names if not os.path.samefile(name, other)]
    return names[-1] if names else None
