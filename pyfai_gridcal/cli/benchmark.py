"""``pyFAI-gridcal benchmark``: accuracy, time and memory on this machine."""

from __future__ import annotations

import argparse

from ..base.errors import UsageError
from ..base.units import parse_positive
from ._files import make_folder, write_json
from ._parser import typed
from ._progress import ProgressLine

SCENES = ("quick", "taper", "dark", "fine", "wide")
METHODS = ("gridcal", "tutorial", "discorpy", "opencv")

DESCRIPTION = (
    "Draw scenes of which everything is known, calibrate them, and say how near to the truth, how "
    "quick and with how much memory; beside it the procedure of pyFAI's tutorial, and discorpy and OpenCV where "
    "they are installed."
)
EPILOG = """scenes: quick (0.3 Mpx), taper (4 Mpx, 500 spots), dark (3 Mpx, 3 300 dark dots), fine (4 Mpx, 38 000
spots), wide (16 Mpx, 149 000 spots)

examples:
  pyFAI-gridcal benchmark --scene quick
  pyFAI-gridcal benchmark -o benchmark                 (table, JSON and picture of taper, dark and fine)
  pyFAI-gridcal benchmark --scaling --method gridcal   (growth from 1 to 16 Mpx as well)"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scene", action="append", choices=SCENES, help="one of the scenes; may be given several times"
    )
    parser.add_argument(
        "--method", action="append", choices=METHODS, help="one of the methods, may be given several times"
    )
    parser.add_argument("--scaling", action="store_true", help="also the growth with pixels and spots, up to 16 Mpx")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs, the quickest counts (default: 3)")
    parser.add_argument(
        "--patience",
        type=typed(parse_positive, "patience"),
        default=600.0,
        metavar="S",
        help="seconds for one method (default: 600)",
    )
    parser.add_argument("-o", "--output", metavar="FOLDER", help="write benchmark.json and benchmark.png there")
    parser.add_argument("--json", metavar="FILE", help="the figures, for machines; - is standard output")


def run(options: argparse.Namespace) -> int:
    from ..benchmark import BenchmarkPlan, machine, run, text_table

    if options.repeat < 1:
        raise UsageError(f"--repeat {options.repeat}", expected="1 or more")
    folder = None if options.output is None else make_folder(options.output)
    default = BenchmarkPlan()
    plan = BenchmarkPlan(
        tuple(dict.fromkeys(options.scene or default.scenes)),
        tuple(dict.fromkeys(options.method or default.methods)),
        options.scaling,
        options.repeat,
        options.patience,
    )
    with ProgressLine() as progress:
        measured = run(plan, progress=progress)
    here = machine()
    record = {"machine": here, "measurements": [one.record() for one in measured]}
    if options.json:
        write_json(record, options.json)
    if options.json != "-":
        memory = f", {here['memory_gb']} GB" if here["memory_gb"] else ""
        print(f"{here['cores']} cores of {here['processor']}{memory}, Python {here['python']}\n")
        print("\n".join(text_table(measured)).rstrip())
    if folder is not None:
        from ..benchmark.plot import draw

        write_json(record, folder / "benchmark.json")
        draw(measured, folder / "benchmark.png")
        if options.json != "-":
            print(f"\nwritten: {folder / 'benchmark.json'}, {folder / 'benchmark.png'}")
    own = [one for one in measured if one.method == "gridcal"]
    return 1 if any("failed" in one.figures for one in own) else 0
