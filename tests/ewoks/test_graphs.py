"""Workflows: those that are ready, and those that are made."""

from __future__ import annotations

import json

import pytest
from ewoksrun import QUIET

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.ewoks import graphs, tasks

pytestmark = QUIET


@pytest.mark.parametrize("name", graphs.WORKFLOWS)
def test_links_of_workflows_lead_somewhere(name: str) -> None:
    graph = graphs.workflow(name)
    json.dumps(graph)
    nodes = {node["id"]: node["task_identifier"] for node in graph["nodes"]}
    for node in graph["nodes"]:
        if node["task_identifier"].startswith("pyfai_gridcal."):
            task = getattr(tasks, node["task_identifier"].rpartition(".")[2])
            assert {one["name"] for one in node["default_inputs"]} <= task.input_names()
    for link in graph["links"]:
        for end, key in (("source", "source_output"), ("target", "target_input")):
            identifier = nodes[link[end]]
            if not identifier.startswith("pyfai_gridcal."):
                continue
            task = getattr(tasks, identifier.rpartition(".")[2])
            known = task.output_names() if end == "source" else task.input_names()
            assert {one[key] for one in link["data_mapping"]} <= known


def test_examples_are_what_the_functions_make() -> None:
    cameras = {n: {"images": f"{n}.edf", "pitch": "5mm", "reference": f"{n}_*.h5"} for n in ("north", "south")}
    assert graphs.workflow("fleet") == graphs.fleet_graph(cameras, ".")
    made = graphs.correction_graph("detector.h5", "stack.h5", "corrected.h5", parts=4)
    assert graphs.workflow("correct_parts") == made
    with pytest.raises(UsageError, match="nightly_check"):
        graphs.workflow("daily")
