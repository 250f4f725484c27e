"""The pages of the documentation, their scripts and what is fenced in them."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pyfai_gridcal import cli

ROOT = Path(__file__).parents[2]
DOC = ROOT / "doc"
PAGES = sorted(p for p in DOC.rglob("*.md") if p.relative_to(DOC).parts[0] not in ("_build", "commands", "examples"))
EVERY = [*PAGES, ROOT / "README.md"]
SCRIPTS = sorted(p for p in (DOC / "gallery").glob("*.py") if not p.name.startswith("_"))
COMMANDS = set(cli.COMMANDS)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fences(page: Path) -> Iterator[tuple[str, str, int]]:
    """(kind, text, line) of the fenced blocks of a page."""
    kind, lines, start = None, [], 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        mark = re.match(r"\s*```(.*)", line)
        if mark and kind is None:
            kind, lines, start = mark[1].strip(), [], number
        elif mark:
            yield str(kind), "\n".join(lines), start
            kind = None
        elif kind is not None:
            lines.append(line)
    assert kind is None, f"{page.name}:{start}: block without end"


def run_script(script: Path, folder: Path, *parts: str) -> dict[str, Any]:
    """Run a script of the gallery as its command would, and look at what it drew into `folder`; its names."""
    with patch("sys.argv", [str(script), str(folder), *parts]):
        names = runpy.run_path(str(script), run_name="__main__")
    drawn = {p.name for p in folder.iterdir()}
    assert drawn
    assert all(name.startswith(script.stem) for name in drawn)
    kept = DOC / "images" / "gallery"
    assert {name for name in drawn if (kept / name).exists()} == drawn, "run doc/make_images.py"
    return names
