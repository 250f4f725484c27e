"""``pyFAI-gridcal correct``: images without their distortion."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import UsageError
from ._distortions import add_reading, given_reading, split_pair
from ._files import write_json
from ._parser import positive
from ._progress import ProgressLine

if TYPE_CHECKING:
    from ..correction.corrector import Corrector

EPILOG = """examples:
  pyFAI-gridcal correct detector.h5 image.edf -o corrected.edf
  pyFAI-gridcal correct detector.h5 scan_*.edf -o corrected/          (as many files, headers kept)
  pyFAI-gridcal correct detector.h5 scan.h5::/entry/data -o corrected.h5
  pyFAI-gridcal correct camera.spline scan_*.tif -o corrected.h5      (one stack)

Killed in the middle, the same command goes on where it was: OUT appears when it is complete; until then OUT.part
holds what is done."""

HDF5 = (".h5", ".hdf5", ".nxs")


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "correct",
        help="correct images by a detector file",
        description="Put the counts of images where they belong, by the area of each pixel: none is lost or invented. "
        "Masked pixels give nothing; corrected pixels that are not known get the dummy.",
        epilog=EPILOG,
    )
    parser.add_argument("detector", metavar="DETECTOR", help="distortion file of any kind that convert reads")
    parser.add_argument("image", nargs="+", metavar="IMAGE", help="file, file.h5::/path, or a stack")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help=".h5 for one stack, a folder for files, or a file"
    )
    images = parser.add_argument_group("images")
    images.add_argument("--mask", action="append", metavar="FILE|DETECTOR", help="more pixels to ignore")
    images.add_argument("--dark", action="append", metavar="FILE", help="image without light, subtracted")
    images.add_argument("--flat", action="append", metavar="FILE", help="image of uniform light, divided by")
    out = parser.add_argument_group("corrected images")
    out.add_argument(
        "--dummy", type=float, default=float("nan"), help="value of pixels that are not known (default: nan)"
    )
    out.add_argument(
        "--coverage",
        type=positive("coverage"),
        default=0.5,
        metavar="SHARE",
        help="least known part of a corrected pixel, 0 to 1 (default: %(default)s); it is scaled up from that",
    )
    out.add_argument("--whole", action="store_true", help="as large as the corrected detector, nothing is cut off")
    out.add_argument("--dtype", help="float32 (default), float64, same, or a type of whole numbers (rounded)")
    out.add_argument(
        "--suffix", help="kind of the files in a folder: .edf, .tif, .npy (default: as the input, else .edf)"
    )
    out.add_argument(
        "--compression", default="gzip:1", help="of .h5: gzip:1 to gzip:9, bitshuffle, none (default: %(default)s)"
    )
    how = parser.add_argument_group("how")
    how.add_argument("-j", "--jobs", type=int, metavar="N", help="threads (default: all processors)")
    how.add_argument("--device", help="OpenCL device of pyFAI: gpu, cpu or PLATFORM,DEVICE (needs pyopencl)")
    how.add_argument("--no-cache", action="store_true", help="do not keep the look-up table beside the detector file")
    how.add_argument("--json", metavar="FILE", help="what was done, for machines; - is standard output")
    add_reading(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    from ..correction.streams import correct_files, correct_stack
    from ..io.nexus.packing import Packing

    packing = Packing.parse(options.compression)
    if options.jobs is not None and options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs}", expected="1 or more")
    plan = _plan(options)
    with ProgressLine() as progress:
        progress(0.0, "look-up table")
        corrector, key, remarks = _corrector(options)
        common = {"key": key, "dtype": options.dtype, "workers": options.jobs, "progress": progress}
        if plan is None:
            done = correct_stack(options.image, corrector, options.output, packing=packing, remarks=remarks, **common)
        else:
            done = correct_files(options.image, corrector, plan, **common)
    if options.json:
        record = {
            "written": [str(p) for p in done.written],
            "frames": done.frames,
            "resumed": done.resumed,
            "shape": list(done.shape),
            "lost_share": corrector.lost(),
        }
        write_json(record, options.json)
    if options.json != "-":
        again = f" ({done.resumed} more were done before)" if done.resumed else ""
        frames = "1 frame" if done.frames == 1 else f"{done.frames} frames"
        print(f"corrected: {frames}{again}, {done.shape[0]} x {done.shape[1]} pixels")
        lost = corrector.lost()
        if lost > 1e-4:
            print(
                f"note:      {100 * lost:.2g} % of an even illumination falls outside of the image (--whole keeps it)"
            )
        where = (
            str(done.written[0]) if len(done.written) == 1 else f"{done.written[0].parent} ({len(done.written)} files)"
        )
        print(f"written:   {where}")
    return 0


def _plan(options: argparse.Namespace) -> list[Path] | None:
    """Names of the files to write, None for one stack."""
    from ..io.images.frames import parse_address

    out = Path(options.output)
    files = [Path(parse_address(one).file) for one in options.image]
    if options.suffix and options.suffix.lower() not in (".edf", ".tif", ".tiff", ".npy"):
        raise UsageError(f"--suffix {options.suffix}", expected=".edf, .tif or .npy")
    inside = [f for f in files if f.resolve() == out.resolve()]
    if inside or Path(str(options.detector)).resolve() == out.resolve():
        raise UsageError(f"output {out} is one of the inputs", hint="choose another name with -o")
    if out.suffix.lower() in HDF5:
        return None
    if not out.is_dir() and not str(options.output).endswith(("/", "\\")) and len(files) == 1:
        return [out]
    if not out.is_dir():
        if out.suffix and not str(options.output).endswith(("/", "\\")):
            raise UsageError(
                f"{len(files)} images for the one output {out}",
                hint="name a folder (with a / at its end) or an .h5 file",
            )
        out.mkdir()
    kept = (".edf", ".tif", ".tiff", ".npy")
    names = [f.stem + (options.suffix or (f.suffix.lower() if f.suffix.lower() in kept else ".edf")) for f in files]
    plan = [out / name for name in names]
    if {p.resolve() for p in plan} & {f.resolve() for f in files}:
        raise UsageError(f"images in {out} would be replaced by corrected ones", hint="choose another folder")
    if len(set(names)) < len(names):
        raise UsageError(
            "several images have the same name", hint="correct them into different folders, or into one .h5"
        )
    return plan


def _corrector(options: argparse.Namespace) -> tuple[Corrector, str, dict[str, str]]:
    """The corrector, what identifies it, and remarks for the file."""
    from ..correction.opening import CorrectorFiles, open_corrector
    from ..io.kinds.kinds import locate

    files = CorrectorFiles(
        split_pair(options.detector),
        options.mask,
        options.dark,
        options.flat,
        reading=given_reading(options),
        whole=options.whole,
        coverage=options.coverage,
        dummy=options.dummy,
        keep_table=not options.no_cache,
    )
    device: Any = options.device
    if device and "," in device:
        device = tuple(int(n) for n in device.split(","))
    corrector, key = open_corrector(files, device=device, image=options.image[0])
    named = locate(files.detector, files.reading)[1][0]
    remarks = {"detector": str(named.absolute()), "dark": str(options.dark or ""), "flat": str(options.flat or "")}
    return corrector, key, remarks
