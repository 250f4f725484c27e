"""Graphs of tasks: those that are ready as JSON, and those whose number of nodes depends on the work.

A graph is a plain dict, which ``ewokscore.execute_graph`` takes as it is and ``json.dump`` writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from ..base.errors import UsageError

Graph = dict[str, Any]

_TASKS = "pyfai_gridcal.ewoks.tasks"

#: Workflows that are ready, and what they do.
WORKFLOWS: dict[str, str] = {
    "calibrate": "calibrate a detector, and look at the grid again in the corrected image",
    "calibrate_integrate": "calibrate a detector, then integrate an image with it (needs ewoksxrpd)",
    "nightly_check": "calibrate a camera and compare it with its last calibration",
    "fleet": "the nightly check of two cameras and one table; see fleet_graph for any number",
    "correct": "correct images into one file",
    "correct_parts": "correct a stack in four parts, joined to one dataset; see correction_graph for any number",
}


def workflow(name: str) -> Graph:
    """One of the workflows that are ready, see :data:`WORKFLOWS`."""
    if name not in WORKFLOWS:
        raise UsageError(f"workflow {name!r}", expected=", ".join(WORKFLOWS))
    text = files(f"{__package__}.workflows").joinpath(f"{name}.json").read_text(encoding="utf-8")
    out: Graph = json.loads(text)
    return out


def correction_graph(
    detector_file: str | PathLike[str] | Sequence[str],
    images: str | PathLike[str] | Sequence[str],
    output: str | PathLike[str],
    *,
    parts: int,
    **options: Any,
) -> Graph:
    """Correction of many frames in parts, each by whatever worker is free, and one dataset of all of them in the end.

    Parameters
    ----------
    detector_file : distortion file of any kind
    images : stacks or images, in order
    output : HDF5 file that shows all parts as one dataset; they are beside it, ``*_0000of0008.h5``
    parts : how many. A few for each worker: a part that is lost with its worker is what has to be done again, at most
    options : other inputs of CorrectImages
    """
    if parts < 1:
        raise UsageError(f"{parts} parts", expected="1 or more")
    output = fspath(output)
    common = {"detector_file": _plain(detector_file), "images": _plain(images), "output": output, **options}
    width = len(str(parts - 1))
    names = [f"part{k:0{width}}" for k in range(parts)]
    nodes = [_node(name, "CorrectImages", {**common, "part": [k, parts]}) for k, name in enumerate(names)]
    nodes.append(_node("join", "JoinCorrected", {"output": output, "parts": parts}))
    return _graph("pyfai_gridcal_correct_parts", "correction in parts", nodes, [_link(name, "join") for name in names])


def fleet_graph(
    cameras: Mapping[str, Mapping[str, Any]], folder: str | PathLike[str], *, table: str | PathLike[str] | None = None
) -> Graph:
    """Calibration of many cameras, each compared with its last calibration, and one table of all of them.

    A camera that fails does not stop the others.

    Parameters
    ----------
    cameras : name -> inputs of CalibrateGrid (images, pitch, ...), and ``reference``: file or pattern of its last
        calibration, ``tolerance``: difference that does not matter, px. ``output`` is ``folder/name.h5`` by default.
    folder : where results and records go
    table : JSON file, ``folder/fleet.json`` by default
    """
    folder = Path(folder)
    nodes, links, records = [], [], {}
    for name, inputs in cameras.items():
        own = {"output": str(folder / f"{name}.h5"), **inputs}
        against = {key: own.pop(key) for key in ("reference", "tolerance", "gauge") if key in own}
        found, compared = str(folder / f"{name}.json"), str(folder / f"{name}_compared.json")
        nodes.append(
            _node(f"calibrate_{name}", "CalibrateGrid", {**_plain(own), "json_file": found, "keep_going": True})
        )
        nodes.append(
            _node(
                f"compare_{name}",
                "CompareCalibrations",
                {"reference": None, **_plain(against), "json_file": compared, "keep_going": True},
            )
        )
        links.append(_link(f"calibrate_{name}", f"compare_{name}", "detector_file"))
        links.append(_link(f"compare_{name}", "gather"))
        records[name] = [found, compared]
    target = fspath(table) if table is not None else str(folder / "fleet.json")
    nodes.append(_node("gather", "GatherChecks", {"records": records, "output": target}))
    return _graph("pyfai_gridcal_fleet", "a fleet of cameras against their last calibrations", nodes, links)


def _graph(name: str, label: str, nodes: list[Graph], links: list[Graph]) -> Graph:
    return {"graph": {"id": name, "label": label, "schema_version": "1.2"}, "nodes": nodes, "links": links}


def _node(name: str, task: str, inputs: Mapping[str, Any]) -> Graph:
    return {
        "id": name,
        "label": name.replace("_", " "),
        "task_type": "class",
        "task_identifier": f"{_TASKS}.{task}",
        "default_inputs": [{"name": key, "value": value} for key, value in inputs.items()],
    }


def _link(source: str, target: str, *outputs: str) -> Graph:
    """From one task to the next, with the outputs that go along under their own names; without, only the order."""
    mapping = [{"source_output": name, "target_input": name} for name in outputs]
    return {"source": source, "target": target, "data_mapping": mapping}


def _plain(value: Any) -> Any:
    """`value` in the types of JSON."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return fspath(value) if isinstance(value, PathLike) else value
