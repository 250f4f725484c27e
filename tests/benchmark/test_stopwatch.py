"""Seconds and memory of stages."""

from __future__ import annotations

import subprocess
import sys
import time

from pyfai_gridcal.benchmark.stopwatch import Stopwatch, memory


def test_stopwatch() -> None:
    watch = Stopwatch()
    watch("sleep")
    time.sleep(0.02)
    watch("more")
    watch("more")  # the same stage goes on
    watch("less")
    watch.stop()
    assert [stage.name for stage in watch.stages] == ["sleep", "more", "less"]
    assert watch.stages[0].seconds >= 0.02
    now, most = memory()
    assert 0 < now <= most * 1.01


def test_memory_of_a_stage() -> None:
    # In a process of its own, as it is used: one that has done much gives memory back meanwhile.
    code = (
        "import numpy as np; from pyfai_gridcal.benchmark.stopwatch import Stopwatch; watch = Stopwatch(); "
        "watch('memory'); block = np.ones(8_000_000); watch.stop(); print(watch.stages[0].peak_mb)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 50 < float(done.stdout) < 120
