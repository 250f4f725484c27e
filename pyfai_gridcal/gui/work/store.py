"""What of the work goes into the result file beside the calibration, so that it can be taken up again. Free of Qt."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path

from ...base.atomic import replacing
from ...base.errors import FileFormatError
from ...base.opening import make_hdf5, reading_hdf5
from ...base.progress import Progress
from ...calibration import Calibration
from ...io.nexus.contents import find_process
from ...io.nexus.records import read_record, write_record
from ...io.nexus.result import load_result
from ...records.spots import Spots
from .draft import Draft
from .edits import Edit, edits_from_json, edits_to_json
from .state import WorkExposure, WorkState

#: Group of the process in which the work is kept: per exposure the edits, and the spots before them.
GROUP = "workspace"


def save_work(
    calibration: Calibration, state: WorkState, found: tuple[Spots, ...], path: str | Path, progress: Progress
) -> Path:
    """Write the result file with the edits of `state` and the spots `found` before them; complete or not at all."""
    # Beside the file that may be there, and in its place when it is complete.
    with replacing(path) as beside:
        calibration.save(beside, progress=progress)
        with make_hdf5(beside, "r+") as file:
            file.attrs["file_name"] = str(Path(path).absolute())
            process = find_process(file)
            assert process is not None
            group = process.create_group(GROUP)
            group.attrs["NX_class"] = "NXcollection"
            for number, exposure in enumerate(state.exposures):
                one = group.create_group(f"exposure_{number}")
                one.attrs["NX_class"] = "NXcollection"
                one["source"] = exposure.source
                one["edits"] = edits_to_json(exposure.edits)
                # Without edits the spots before them are those of the calibration.
                if exposure.edits:
                    write_record(one, "found", found[number])
    return Path(path)


def read_work(path: str | Path) -> tuple[WorkState, Calibration, tuple[Spots, ...]]:
    """Take up the work of a result file.

    Returns
    -------
    the state, the calibration, and the spots of each exposure before the edits

    Raises
    ------
    FileFormatError
        The file holds no calibration, or one without its images.
    """
    calibration = load_result(path)
    if not isinstance(calibration, Calibration):
        raise FileFormatError(
            f"{path} holds a {type(calibration).__name__}", expected="a calibration with its image", hint="use view"
        )
    if not calibration.images:
        raise FileFormatError(f"{path} holds no image", hint="open the image, and calibrate")
    settings = {f.name: getattr(calibration.settings, f.name) for f in fields(calibration.settings)}
    notes = _read_notes(path)
    exposures, found = [], []
    for number, image in enumerate(calibration.images):
        source, edits, spots = notes.get(number, ("", (), None))
        mask = calibration.masks[number] if number < len(calibration.masks) else None
        exposures.append(WorkExposure(source or _source_of(calibration, number, path), image, mask, edits))
        found.append(spots if spots is not None else calibration.spots[number])
    return WorkState(Draft(**settings), tuple(exposures)), calibration, tuple(found)


def _read_notes(path: str | Path) -> dict[int, tuple[str, tuple[Edit, ...], Spots | None]]:
    out = {}
    with reading_hdf5(path) as file:
        process = find_process(file)
        group = {} if process is None else process.get(GROUP, {})
        for number in range(len(group)):
            one = group[f"exposure_{number}"]
            spots = read_record(one["found"]) if "found" in one else None
            try:
                source, edits = (one[name][()].decode() for name in ("source", "edits"))
            except (KeyError, AttributeError, json.JSONDecodeError) as reason:
                raise FileFormatError(f"{path}: the edits of exposure {number} cannot be read ({reason})") from None
            out[number] = (source, edits_from_json(edits), spots)
    return out


def _source_of(calibration: Calibration, number: int, path: str | Path) -> str:
    images = [s for s in calibration.sources if getattr(s, "role", "image") == "image"]
    if number < len(images):
        return str(getattr(images[number], "url", "") or getattr(images[number], "path", ""))
    return os.path.basename(path)
