"""``pyFAI-gridcal compare``: difference of calibrations, in px and in sigma."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..base.atomic import save_figure
from ..base.errors import UsageError
from ..records.jobs import Compare
from ._distortions import add_reading, reading_of, split_pair
from ._files import check_outputs, tell_both
from ._options import add_fields

if TYPE_CHECKING:
    from ..judging.comparison import Comparison

DESCRIPTION = (
    "Compare calibrations of one detector with the first of them: the difference of the pixel "
    "positions after removing shift and rotation, in px and in units of the combined uncertainty."
)
EPILOG = """examples:
  pyFAI-gridcal compare march.h5 april.h5
  pyFAI-gridcal compare 2026-*.h5 --picture drift.png        (a series: each one with the first)

exit status: 0 compared, 1 not possible, or different and --strict, 2 wrong usage"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="+", metavar="FILE", help="results of calibrate, or other distortion files")
    add_fields(parser, Compare)
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    from ..judging.comparison import drift, read_to_compare

    if len(options.file) < 2:
        raise UsageError(f"{len(options.file)} file", expected="at least two to compare")
    check_outputs([options.json_file, options.picture], options.file)
    names = [os.path.basename(name) for name in options.file]
    reading = reading_of(options)
    found = [read_to_compare(split_pair(name), reading) for name in options.file]
    comparisons = drift(found, gauge=options.gauge)
    different = [c.verdict == "different" for c in comparisons]
    pairs = zip(options.file[1:], comparisons, strict=True)
    record = {"reference": options.file[0], "others": [_record(name, c) for name, c in pairs]}
    tell_both(record, options.json_file, "\n".join(_table(names, comparisons)))
    if options.picture:
        _draw(names, comparisons, options.picture)
        if options.json_file != "-":
            print(f"written: {options.picture}")
    return 1 if options.strict and any(different) else 0


def _record(name: str, c: Comparison) -> dict[str, Any]:
    return {"path": name, "verdict": c.verdict, "sentence": c.sentence, **c.figures()}


def _table(names: Sequence[str], comparisons: Sequence[Comparison]) -> list[str]:
    import numpy as np

    if len(comparisons) == 1:
        c = comparisons[0]
        turn = f"turned by {np.rad2deg(c.angle_rad):+.4f}°, moved by {c.shift_px[0]:+.3f}, {c.shift_px[1]:+.3f} px"
        return [
            f"{names[1]}, compared with {names[0]}: {c.sentence}",
            f"rms {c.rms_px:.4f} px, largest {c.worst_px:.4f} px, scale {c.scale:.7f}, {turn}",
        ]
    width = max(map(len, names))
    lines = [
        f"compared with {names[0]}:",
        f"{'':{width}}  {'rms px':>9} {'worst px':>9} {'sigma':>7} {'turn °':>9} {'scale - 1':>10}  verdict",
    ]
    for name, c in zip(names[1:], comparisons, strict=True):
        sigma = float(np.sqrt(c.chi2))
        lines.append(
            f"{name:{width}}  {c.rms_px:9.4f} {c.worst_px:9.4f} {sigma:7.2f} {np.rad2deg(c.angle_rad):9.4f} "
            f"{c.scale - 1:10.1e}  {c.sentence}"
        )
    return lines


def _draw(names: Sequence[str], comparisons: Sequence[Comparison], path: str) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    last = comparisons[-1]
    figure = Figure(figsize=(12.0, 4.2), layout="constrained")
    maps = figure.subplots(1, 3)
    top = max(1e-9, float(np.percentile(np.abs(last.difference[last.valid]), 99)))
    for k, title in enumerate(("dy (slow), px", "dx (fast), px")):
        shown = np.where(last.valid, last.difference[..., k], np.nan)
        drawn = maps[k].pcolormesh(last.x, last.y, shown, cmap="RdBu_r", vmin=-top, vmax=top, shading="nearest")
        figure.colorbar(drawn, ax=maps[k], label=title)
        maps[k].set(aspect="equal", xlabel="fast (x), px", ylabel="slow (y), px")
    maps[0].set_title(f"{names[-1]} - {names[0]}", loc="left", fontsize="medium")
    if len(comparisons) > 1:
        at = np.arange(1, len(names))
        maps[2].plot(at, [c.rms_px for c in comparisons], "o-", label="difference, rms")
        maps[2].plot(at, [float(np.sqrt(np.mean(c.sigma[c.valid] ** 2) * 2)) for c in comparisons], "--", label="sigma")
        maps[2].set_xticks(at, names[1:], rotation=60, fontsize="x-small", ha="right")
        maps[2].set_ylabel("px")
    else:
        pulls = last.z[last.valid].ravel()
        maps[2].hist(pulls[np.isfinite(pulls)], bins=60, density=True)
        maps[2].set(xlabel="difference / sigma", ylabel="density")
    handles, _ = maps[2].get_legend_handles_labels()
    if handles:
        maps[2].legend()
    save_figure(figure, path)
