"""How often the calibration fits into the time and memory of the tutorial's procedure: ``python speed_ratios.py``.

A script, not a test: what it measures depends on what else the machine does. Both are measured in turn, in processes of
their own, from the image in memory to the detector object.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pyfai_gridcal.benchmark import machine, measure

#: Scene, least ratio of the seconds, largest ratio of the memory (None: not asked for).
WANTED = (("taper", 8.0, None), ("fine", 15.0, 0.1))


def main(repeat: int = 3) -> int:
    """Measure and print; 0 when all that is wanted is reached."""
    here = machine()
    print(f"{here['cores']} cores of {here['processor']}")
    reached = True
    with tempfile.TemporaryDirectory() as folder:
        for scene, times, share in WANTED:
            own = measure(scene, "gridcal", Path(folder), repeat=repeat)
            other = measure(scene, "tutorial", Path(folder), repeat=1 if scene == "fine" else repeat)
            if own.best is None or other.best is None:
                print(f"{scene}: failed: {own.figures.get('failed') or other.figures.get('failed')}")
                reached = False
                continue
            seconds, cpu = (other.best[key] / own.best[key] for key in ("seconds", "cpu"))
            memory = own.peak_mb / max(other.peak_mb, other.figures.get("matrix_mb", 0.0))
            print(f"{scene}: {seconds:.1f} times as fast ({cpu:.1f} by processor time), wanted {times:g};")
            print(f"  {own.best['seconds']:.2f} s and {other.best['seconds']:.2f} s; {memory:.3f} of the memory")
            reached &= seconds >= times and (share is None or memory <= share)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
