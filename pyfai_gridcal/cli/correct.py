"""``pyFAI-gridcal correct``: images without their distortion."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import UsageError
from ..records.jobs import Correct
from ._distortions import add_reading, reading_of, split_pair
from ._files import check_images, check_outputs, tell_both
from ._options import add_fields, job_of
from ._progress import ProgressLine

if TYPE_CHECKING:
    from ..correction.corrector import Corrector

DESCRIPTION = (
    "Flux-conserving correction of images: the counts of each pixel are split among the corrected "
    "pixels that it covers. Masked pixels do not count. Corrected pixels without data get the dummy value."
)
EPILOG = """examples:
  pyFAI-gridcal correct detector.h5 image.edf -o corrected.edf
  pyFAI-gridcal correct detector.h5 scan_*.edf -o corrected/          (as many files, headers kept)
  pyFAI-gridcal correct detector.h5 many.edf -o corrected/            (many_0000.edf, many_0001.edf ... of its frames)
  pyFAI-gridcal correct detector.h5 scan.h5::/entry/data -o corrected.h5
  pyFAI-gridcal correct camera.spline scan_*.tif -o corrected.h5      (one stack)

Killed in the middle, the same command goes on where it was: OUT appears when it is complete; until then OUT.part
holds what is done."""

HDF5 = (".h5", ".hdf5", ".nxs")


def add_options(parser: argparse.ArgumentParser) -> None:
    add_fields(parser, Correct)
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    from ..correction.streams import correct_files, correct_stack
    from ..io.nexus.packing import Packing

    packing = Packing.parse(options.compression)
    job = job_of(Correct, options)
    check_images(job.images, after="correct")
    check_outputs([options.json_file], [*job.detector_file, *job.images])
    images, plan = _plan(options)
    with ProgressLine() as progress:
        progress(0.0, "look-up table")
        corrector, key, remarks = _corrector(job, options)
        common: dict[str, Any] = {"key": key, "dtype": job.dtype, "workers": job.workers, "progress": progress}
        if plan is None:
            done = correct_stack(
                job.images, corrector, job.output, packing=packing, missing=job.missing, remarks=remarks, **common
            )
        else:
            done = correct_files(images, corrector, plan, **common)
    lost, notes = corrector.lost(), [*corrector.notes, *done.notes]
    record = {
        "written": [str(p) for p in done.written],
        "frames": done.frames,
        "resumed": done.resumed,
        "shape": list(done.shape),
        "lost_share": lost,
        "notes": notes,
    }
    again = f" ({done.resumed} more were done before)" if done.resumed else ""
    frames = "1 frame" if done.frames == 1 else f"{done.frames} frames"
    lines = [f"corrected: {frames}{again}, {done.shape[0]} x {done.shape[1]} pixels"]
    if lost > 1e-4:
        share = f"{100 * lost:.2g} % of an even illumination falls outside of the image (--whole keeps it)"
        notes = [*notes, share]
    lines += [f"note:      {note}" for note in notes]
    first, many = done.written[0], len(done.written)
    lines.append(f"written:   {first if many == 1 else f'{first.parent} ({many} files)'}")
    tell_both(record, options.json_file, "\n".join(lines))
    return 0


def _plan(options: argparse.Namespace) -> tuple[list[str], list[Path] | None]:
    """Names of the images and of the files to write, None for one stack; each frame has a file of its own."""
    from ..correction.parts import frames_apart
    from ..io.images.frames import parse_address

    out = Path(options.output)
    files = [Path(parse_address(one).file) for one in options.images]
    if options.suffix and options.suffix.lower() not in (".edf", ".tif", ".tiff", ".npy"):
        raise UsageError(f"--suffix {options.suffix}", expected=".edf, .tif or .npy")
    inside = [f for f in files if f.resolve() == out.resolve()]
    if inside or Path(str(options.detector_file)).resolve() == out.resolve():
        raise UsageError(f"output {out} is one of the inputs", hint="choose another name with -o")
    if out.suffix.lower() in HDF5:
        return options.images, None
    frames = [frames_apart(one) for one in options.images]
    images = [one for several in frames for one in several]
    folder = out.is_dir() or str(options.output).endswith(("/", "\\"))
    if not folder and len(images) == 1:
        return images, [out]
    if not out.is_dir():
        if out.suffix and not folder:
            raise UsageError(
                f"{len(images)} images for the one output {out}",
                hint="name a folder (with a / at its end) or an .h5 file",
            )
        out.mkdir()
    kept = (".edf", ".tif", ".tiff", ".npy")
    plan = []
    for file, several in zip(files, frames, strict=True):
        suffix = options.suffix or (file.suffix.lower() if file.suffix.lower() in kept else ".edf")
        numbers = [f"_{k:04d}" for k in range(len(several))] if len(several) > 1 else [""]
        plan += [out / f"{file.stem}{number}{suffix}" for number in numbers]
    if {p.resolve() for p in plan} & {f.resolve() for f in files}:
        raise UsageError(f"images in {out} would be replaced by corrected ones", hint="choose another folder")
    if len(set(plan)) < len(plan):
        raise UsageError(
            "several images have the same name", hint="correct them into different folders, or into one .h5"
        )
    return images, plan


def _corrector(job: Correct, options: argparse.Namespace) -> tuple[Corrector, str, dict[str, str]]:
    """The corrector, what identifies it, and remarks for the file."""
    from ..correction.opening import files_of, open_corrector
    from ..io.kinds.kinds import locate

    files = files_of(job, split_pair(options.detector_file), reading_of(options))
    corrector, key = open_corrector(files, device=job.device, image=job.images[0], missing=job.missing)
    named = locate(files.detector, files.reading)[1][0]
    remarks = {"detector": str(named.absolute()), "dark": str(job.dark or ""), "flat": str(job.flat or "")}
    return corrector, key, remarks
