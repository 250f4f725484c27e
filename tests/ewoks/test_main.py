"""The command that writes workflows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ewoksrun import QUIET

from pyfai_gridcal.ewoks import __main__ as command
from pyfai_gridcal.ewoks import graphs

pytestmark = QUIET


def test_command_writes_workflows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command.main(["nightly_check"]) == 0
    assert json.loads(capsys.readouterr().out) == graphs.workflow("nightly_check")
    assert command.main(["--parts", "3", "d.h5", "a.h5", "b.h5", "out.h5"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made == graphs.correction_graph("d.h5", ["a.h5", "b.h5"], "out.h5", parts=3)
    (tmp_path / "cameras.json").write_text('{"one": {"images": "a.edf", "pitch": "5mm"}}')
    assert command.main(["--fleet", str(tmp_path / "cameras.json"), "there"]) == 0
    assert len(json.loads(capsys.readouterr().out)["nodes"]) == 3
    assert command.main(["nonsense"]) == 2
    assert "nightly_check" in capsys.readouterr().err
