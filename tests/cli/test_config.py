"""Settings from a file, and those of an earlier calibration written as one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from calibrated import demo
from commands import Core, run

from pyfai_gridcal.base.errors import FileFormatError, UsageError
from pyfai_gridcal.cli._config import read_config
from pyfai_gridcal.records.settings import Settings
from pyfai_gridcal.report.redo import changed_settings, settings_toml

TOLD = """pitch = "3mm,2mm"
pixel = "50um"
origin = [10.5, 20.0]
max-sigma = 0.1
comment = "beamline \\"7\\""
positions = "-1.5mm,0mm;0.04mm,7mm"
mask = "Pilatus1M"
"""


def test_a_file_stands_for_options_and_options_count_more(
    core: Core, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(TOLD.replace('mask = "Pilatus1M"\n', "").replace("positions", "# positions"))
    assert run("calibrate", image, "--config", config, "--pixel", "48um", "-o", tmp_path / "o.h5") == 0
    given = core.calls[0][1]
    assert given["pitch"] == "3mm,2mm"
    assert given["pixel"] == (48e-6, 48e-6)
    assert given["origin"] == [10.5, 20.0]
    assert given["max_sigma"] == 0.1
    config.write_text('pixel = "50um"')
    assert run("calibrate", image, "--config", config, "-o", tmp_path / "o.h5") == 2
    assert "--pitch" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["toml", "json", "h5"])
def test_the_settings_of_a_result_come_back(tmp_path: Path, kind: str) -> None:
    said = {k: v for k, v in read_config_of(TOLD, tmp_path).items() if k != "mask"}
    made = replace(demo(), settings=Settings(**said))
    path = tmp_path / f"old.{kind}"
    if kind == "toml":
        path.write_text(settings_toml(made.settings))
    elif kind == "json":
        path.write_text(json.dumps(made.summary()))
    else:
        made.save(path)
    again = Settings(**read_config(str(path)))
    assert changed_settings(again) == changed_settings(made.settings)


def test_the_report_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = demo().save(tmp_path / "detector.h5")
    assert run("report", result, "-o", tmp_path / "settings.toml") == 0
    assert Settings(**read_config(str(tmp_path / "settings.toml"))).pitches == pytest.approx(demo().settings.pitches)


def read_config_of(text: str, folder: Path, name: str = "a.toml") -> dict[str, object]:
    (folder / name).write_text(text)
    return read_config(str(folder / name))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.toml", "pich = '5mm'", "unknown setting pich.*did you mean pitch"),
        ("a.toml", "pitch = 5mm", "lines such as"),
        ("a.json", "[]", "calibrate --json"),
        ("a.json", "{}", "calibrate --json"),
        ("a.txt", "pitch", "HDF5"),
    ],
)
def test_what_is_no_such_file_is_told(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises((FileFormatError, UsageError), match=says):
        read_config_of(text, tmp_path, name)
    with pytest.raises(FileFormatError, match="is missing"):
        read_config(str(tmp_path / "none.toml"))
