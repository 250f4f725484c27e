"""Records that tasks leave, and the table that is made of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ewoksrun import QUIET, run

from pyfai_gridcal.ewoks import tasks
from pyfai_gridcal.ewoks.records import needs_attention, row_of, write_json

pytestmark = QUIET


@pytest.mark.parametrize(
    "text", ["[1, 2]", '{"verdict": "good"}', '{"verdict": {"level": "fine", "reasons": []}}', "{}"]
)
def test_record_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "strange.json").write_text(text)
    row = run(tasks.GatherChecks, records={"cam": tmp_path / "strange.json"})["table"][0]
    assert (row["state"], row["words"]) == ("missing", f"{tmp_path / 'strange.json'} is no record of a task")


def test_the_worst_record_is_the_state_of_a_camera(tmp_path: Path) -> None:
    """With its own words, and the figures of all."""
    write_json(str(tmp_path / "a.json"), {"verdict": {"level": "good", "reasons": []}, "held_out_px": 0.01})
    write_json(str(tmp_path / "b.json"), {"comparison": "different", "sentence": "it moved", "rms_px": np.float64(0.3)})
    row = row_of("north", [str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    assert row == {"camera": "north", "state": "different", "words": "it moved", "held_out_px": 0.01, "rms_px": 0.3}
    assert needs_attention(row)
    same = row_of("south", [str(tmp_path / "a.json")])
    assert (same["state"], same["words"]) == ("good", "")
    assert not needs_attention(same)


def test_what_was_never_written_is_missing(tmp_path: Path) -> None:
    row = row_of("north", [str(tmp_path / "nothing.json")])
    assert row["state"] == "missing"
    assert "nothing.json" in row["words"]
    assert needs_attention(row)


def test_records_hold_no_number_that_json_has_not(tmp_path: Path) -> None:
    write_json(str(tmp_path / "a.json"), {"rms_px": float("nan"), "shape": np.array([3, 4])})
    assert json.loads((tmp_path / "a.json").read_text()) == {"rms_px": None, "shape": [3, 4]}
