"""Files that a command writes: where to, and whether they may be."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..base.atomic import check_writable, replacing
from ..base.errors import FileFormatError, UsageError
from ..base.plain import plain


def check_outputs(outputs: Iterable[str | Path | None], inputs: Iterable[str]) -> None:
    """Refuse at once what would be found out only after the work: unwritable places, inputs that would be overwritten.

    Raises
    ------
    UsageError
        With the first output that cannot be.
    """
    sources = {os.path.realpath(one.split("::")[0]) for one in inputs}
    seen: set[str] = set()
    for output in outputs:
        if output is None or str(output) == "-":
            continue
        path = Path(output)
        real = os.path.realpath(path)
        if real in sources:
            raise UsageError(f"output {path} is one of the inputs", hint="choose another name with -o")
        if real in seen:
            raise UsageError(f"{path} is named for two outputs", expected="different files")
        seen.add(real)
        check_writable(path)
        if path.exists() and not os.access(path, os.W_OK):
            raise UsageError(f"output {path} is write-protected")


def check_inputs(inputs: Iterable[Any], rings: Iterable[str] = ()) -> list[Any]:
    """Refuse at once files besides the images that are not there or may not be read; all of them, rings last.

    Raises
    ------
    FileFormatError
        With the first that cannot be read.
    """
    files = [one for one in inputs if one is not None]
    if rings:
        from ..rings.points import ring_files

        files += [file for named in rings for file in ring_files(named)]
    for one in files:
        try:
            with open(one, "rb"):
                pass
        except OSError as error:
            raise FileFormatError(f"{one} cannot be read: {error.strerror}", expected="a file") from error
    return files


def check_geometry(rings: str | None, poni: str | None) -> None:
    """Refuse an image of rings without a PONI file, or with one that cannot be read."""
    if rings and not poni:
        raise UsageError("--rings without a geometry", expected="--poni, the PONI file of that image")
    check_inputs([poni])


def check_images(images: Iterable[str], *, after: str = "") -> None:
    """Refuse detector files that stand where an image should, before anything is made of what is in them.

    Parameters
    ----------
    after : command that takes the detector file first, and then the images
    """
    from ..io.nexus.contents import holds_detector

    for one in images:
        if one.endswith((".spline", ".poni")) or ("::" not in one and holds_detector(one)):
            hint = f"the detector file comes first: pyFAI-gridcal {after} {one} IMAGE"
            if not after:
                hint = f"--config {one} takes the settings of a result, {one}::/PATH an image that is in it"
            raise UsageError(f"{one} is a detector file", expected="an image", hint=hint)


def make_folder(name: str | Path) -> Path:
    """A folder to write to, made where there is none."""
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"folder {folder} cannot be made: {error.strerror}") from None
    return folder


def tell_both(record: Mapping[str, Any], target: str | None, text: str) -> None:
    """The outcome for machines, as :func:`write_json` where a file for it is named; in words, unless it is ``-``."""
    if target:
        write_json(record, target)
    if target != "-":
        print(text)


def write_json(record: Mapping[str, Any], target: str | Path) -> None:
    """Write a record as JSON to a file (complete or not at all), or to standard output for ``-``."""
    told = str(target) == "-"  # in an encoding that may not hold all signs
    text = json.dumps(plain(record, finite=True), indent=2, ensure_ascii=told, allow_nan=False) + "\n"
    if told:
        sys.stdout.write(text)
        return
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
