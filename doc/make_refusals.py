"""Write the table of refusals again: ``python3 doc/make_refusals.py``.

Every image that holds no calibration, as the tests draw them (``tests/helpers/zoo.py``), with what comes out. A test
sees to it that the table has them all.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "helpers"))

import zoo  # noqa: E402  (the tests are no package)

SEED = 1


def row_of(kind: zoo.Kind) -> str:
    """The outcome, and that of its reasons which is the right one."""
    level, said = kind.outcome(SEED)
    reasons = [reason for reason in said.split("; ") if kind.explains(reason)] or [said]
    return f"| {kind.name} | {level} | {reasons[0]} |"


def main() -> None:
    lines = ["| image | outcome | what is said |", "|---|---|---|", *map(row_of, zoo.KINDS.values())]
    (HERE / "images" / "refusals.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
