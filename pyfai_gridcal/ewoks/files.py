"""Names of files that tasks make, or choose."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from ..base.errors import UsageError


def beside(image: object) -> Path:
    """Name of the detector file beside an image."""
    if not isinstance(image, str):
        raise UsageError("an image in memory", hint="name the output")
    from ..io.nexus.contents import detector_beside

    return detector_beside(image)


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
