"""Commands run as a user would, and a stand-in for the core that they call."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyfai_gridcal import cli


@dataclass
class Verdict:
    level: str = "good"
    reasons: tuple[str, ...] = ()


@dataclass
class Calibration:
    """What the command needs of one."""

    verdict: Verdict
    saved: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        return {
            "verdict": {"level": self.verdict.level, "reasons": self.verdict.reasons},
            "pixel": np.array([5e-5, np.nan]),
            "spots": np.int64(12),
        }

    def report(self) -> str:
        return "\n".join(["12 spots, fine", *self.verdict.reasons, ""])

    def save(self, path: Path, *, name: str = "", progress: object = None) -> None:
        Path(path).write_text("detector" if name == "calibrated" else f"detector {name}")
        self.saved.append(str(path))


@dataclass
class Core:
    """Stand-in for the module ``calibration``."""

    result: Calibration = field(default_factory=lambda: Calibration(Verdict()))
    error: BaseException | None = None
    calls: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)

    def calibrate(self, images: Any, **settings: Any) -> Calibration:
        settings.pop("progress")
        self.calls.append((images, settings))
        if self.error is not None:
            raise self.error
        return self.result


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])
