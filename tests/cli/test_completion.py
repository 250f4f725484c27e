"""What a shell is told completes commands, options, choices and files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from commands import run

pytest.importorskip("shtab")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cal"], {"calibrate", "calib2"}),
        (["calibrate", "--pi"], {"--pitch", "--pitch-tolerance", "--pixel"}),
        (["calibrate", "--lattice", "sq"], {"square"}),
        (["correct", "detector.h5", "gri"], {"grid.edf"}),
    ],
)
def test_bash_completes(
    words: list[str], expected: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("completion", "bash") == 0
    (tmp_path / "grid.edf").touch()
    (tmp_path / "it.bash").write_text(capsys.readouterr().out)
    line = f"COMP_WORDS=(pyFAI-gridcal {' '.join(words)}); COMP_CWORD={len(words)}; COMP_TYPE=9"
    script = f'source it.bash; {line}; _shtab_pyFAI_gridcal; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert set(done.stdout.split()) == expected


def test_zsh_gets_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("completion", "zsh") == 0
    out = capsys.readouterr().out
    assert out.startswith("#compdef pyFAI-gridcal")
    assert "--max-sigma" in out
