"""Records that tasks leave for each other and for people: JSON files, and the table of a fleet made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

#: States of a camera, the worst last.
_STATES = ("good", "unknown", "doubtful", "different", "not straight", "failed", "missing")
#: Figures of the records that are worth a column.
_FIGURES = ("output", "held_out_px", "rms_px", "reference", "misplacement_mean_pitch")


def row_of(camera: str, files: list[str]) -> dict[str, Any]:
    """What the records of a camera say; the worst of it is its state."""
    found: dict[str, Any] = {}
    said = [("good", "")]
    for file in files:
        try:
            with open(file, encoding="utf-8") as stream:
                record = json.load(stream)
        except (OSError, ValueError) as error:
            said.append(("missing", f"{file}: {error}"))
            continue
        if not _is_record(record):
            said.append(("missing", f"{file} is no record of a task"))
            continue
        if "verdict" in record:
            said.append((record["verdict"]["level"], "; ".join(record["verdict"]["reasons"])))
        elif "comparison" in record:
            same = record["comparison"] == "same"
            said.append(("good" if same else record["comparison"], record["sentence"]))
        elif not record.get("good"):
            said.append(("not straight", record.get("error", "the corrected grid is not straight")))
        found.update({name: record[name] for name in _FIGURES if record.get(name) is not None})
    state = max((one for one, _ in said), key=_STATES.index)
    return {"camera": camera, "state": state, "words": next(words for one, words in said if one == state), **found}


def _is_record(found: Any) -> bool:
    """Whether it says what the records of the tasks say: a verdict, a comparison, or whether the grid is straight."""
    if not isinstance(found, dict):
        return False
    if "verdict" in found:
        verdict = found["verdict"]
        return (
            isinstance(verdict, dict) and verdict.get("level") in _STATES and isinstance(verdict.get("reasons"), list)
        )
    if "comparison" in found:
        return found["comparison"] in ("same", *_STATES) and isinstance(found.get("sentence"), str)
    return "good" in found


def write_json(path: str, record: Mapping[str, Any]) -> None:
    """Write a record to a file, complete or not at all."""
    from ..base.atomic import replacing
    from ..base.plain import plain

    text = (
        json.dumps(
            plain(record, finite=True, record=lambda one: type(one).__name__),
            indent=1,
            ensure_ascii=False,
            allow_nan=False,
        )
        + "\n"
    )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def needs_attention(row: Mapping[str, Any]) -> bool:
    """Whether somebody should look at the camera of that row."""
    return _STATES.index(row["state"]) > _STATES.index("unknown")
