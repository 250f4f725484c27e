"""The measurements in words: table, ratios, growth, and the machine."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..base.threads import processors
from ..report.redo import versions
from .measurement import Measurement, scaling
from .scenes import SCENES, scene_of
from .worker import Figures

#: Whose version a measurement depends on.
_PACKAGES = ("pyfai-gridcal", "numpy", "scipy", "pyFAI", "silx", "h5py", "discorpy", "opencv-python-headless")
#: Figures of a table: key, title, and how they are written.
COLUMNS = (
    ("method", "method", "{}"),
    ("spots", "spots", "{:d}"),
    ("recall", "found", "{:.3f}"),
    ("wrong_index", "wrong", "{:d}"),
    ("spot_rms_px", "spot px", "{:.4f}"),
    ("over_crlb", "/ limit", "{:.2f}"),
    ("field_rms_px", "field px", "{:.4f}"),
    ("coverage", "cover", "{:.3f}"),
    ("seconds", "seconds", "{:.2f}"),
    ("cpu", "cpu s", "{:.2f}"),
    ("peak_mb", "MB", "{:.0f}"),
)


def machine() -> Figures:
    """What the figures were measured on."""
    return {
        "cores": processors(),
        "processor": _processor(),
        "memory_gb": _memory(),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": versions(_PACKAGES),
    }


def _processor() -> str:
    try:
        match = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        match = None
    return match[1].strip() if match else platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _row(one: Measurement) -> Figures:
    return {"method": one.method, **one.figures, **(one.best or {}), "peak_mb": one.peak_mb}


def text_table(measurements: Sequence[Measurement]) -> list[str]:
    """Lines of a table for each scene, with the ratios below."""
    lines: list[str] = []
    for scene in dict.fromkeys(one.scene for one in measurements):
        if scene not in SCENES:
            continue
        rows = [_row(one) for one in measurements if one.scene == scene]
        lines += [f"{scene}: {SCENES[scene].text}", *_aligned(rows), ""]
        notes = [f"  {row['method']}: {row['note']}" for row in rows if row.get("note")]
        notes += [f"  {line}" for line in ratios(measurements, scene)]
        lines += [*notes, ""] if notes else []
    grown = growth(measurements)
    if grown:
        lines += ["growth of gridcal", *(f"  {line}" for line in grown), ""]
    return lines


def _aligned(rows: Iterable[Figures]) -> list[str]:
    table = [[title for _, title, _ in COLUMNS]]
    for row in rows:
        if row.get("failed"):
            table.append([row["method"], row["failed"]])
        else:
            table.append(["-" if row.get(key) is None else form.format(row[key]) for key, _, form in COLUMNS])
    widths = [max(len(line[k]) for line in table if len(line) == len(COLUMNS)) for k in range(len(COLUMNS))]
    widths[0] = max(len(line[0]) for line in table)
    out = []
    for line in table:
        if len(line) < len(COLUMNS):
            out.append(f"  {line[0]:<{widths[0]}}  failed: {line[1]}")
        else:
            cells = [f"{line[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(line[1:], widths[1:], strict=True))]
            out.append("  " + "  ".join(cells))
    return out


def ratios(measurements: Sequence[Measurement], scene: str) -> list[str]:
    """How often gridcal's processor time and memory fit into those of each other method."""
    here = {one.method: one for one in measurements if one.scene == scene and one.best}
    own = here.pop("gridcal", None)
    if own is None or own.best is None:
        return []
    out = []
    for name, other in here.items():
        best = other.best
        assert best is not None
        cpu, seconds = (best[key] / own.best[key] for key in ("cpu", "seconds"))
        matrix = other.figures.get("matrix_mb", 0.0)
        memory = max(other.peak_mb, matrix) / max(own.peak_mb, 1.0)
        whole = " (with its matrix of distances in one piece)" if matrix > other.peak_mb else ""
        out.append(
            f"{name} takes {cpu:.1f} times the processor time, {seconds:.1f} times the seconds, "
            f"{memory:.1f} times the memory{whole}"
        )
    return out


def growth(measurements: Sequence[Measurement]) -> list[str]:
    """Seconds per megapixel and per thousand spots, and the power with which they grow."""
    out = []
    for kind in ("pixels", "spots"):
        rows, size, cpu = scaling(measurements, kind)
        if len(rows) < 2:
            continue
        peak = [one.peak_mb for one in rows]
        name = "Mpx" if kind == "pixels" else "thousand spots"
        what = scene_of(rows[0].scene).text.split(", ")[1 if kind == "pixels" else 0]
        out.append(f"{name:>14}  {'spots':>7}  {'cpu s':>7}  {'MB':>6}   {what}")
        out += [
            f"{s:14.2f}  {one.figures['spots']:7d}  {c:7.2f}  {p:6.0f}"
            for s, c, p, one in zip(size, cpu, peak, rows, strict=True)
        ]
        slope = np.polyfit(np.log(size), np.log(cpu), 1)[0]
        last = np.log(cpu[-1] / cpu[-2]) / np.log(size[-1] / size[-2])
        out.append(f"grows as the {slope:.2f}th power, {last:.2f} at the end (1 is linear)")
    return out
