"""``pyFAI-gridcal demo``: draw an example with a known distortion, calibrate it, compare with the truth."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..base.atomic import save_figure
from ..base.errors import FileFormatError, UsageError
from ..base.progress import Progress, part_of
from ..base.units import format_length, parse_shape
from ._files import make_folder
from ._parser import typed
from ._progress import ProgressLine

PITCH_PX = 38.3
_SAME_PX = 1e-3  # float32, in which corners are stored, holds a ten-thousandth of a pixel on the largest detectors

DESCRIPTION = (
    "Draw the image of a grid of holes as a distorted camera sees it, calibrate it without being told "
    "more than the pitch, and print what was found beside the truth."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", default="gridcal-demo", help="where to write (default: %(default)s)"
    )
    parser.add_argument(
        "--shape",
        type=typed(parse_shape, "shape"),
        default=(1280, 1400),
        metavar="Y,X",
        help="pixels (default: 1280,1400)",
    )
    parser.add_argument("--seed", type=int, default=5, help="another seed is another camera (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    folder = Path(options.output)
    if min(options.shape) < 6 * PITCH_PX:
        raise UsageError(f"shape {options.shape}", expected="at least 230 pixels along both axes")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", expected="the name of a folder")
    make_folder(folder)
    with ProgressLine() as progress:
        calibration, picture, files = _make(options, folder, progress)
    pitch = format_length(picture.scene.plate.pitch_m)
    print(f"The same by hand:  pyFAI-gridcal calibrate {files[0]} --pitch {pitch.replace(' ', '')}\n")
    print(calibration.report().rstrip() + "\n")
    for line in _beside_truth(calibration, picture):
        print(line)
    print(_opened_by_pyfai(files[1], calibration))
    print("\nwritten:")
    for file in files:
        print(f"  {file}")
    return 0 if calibration.verdict.level != "failed" else 1


def _make(options: argparse.Namespace, folder: Path, progress: Progress) -> tuple[Any, Any, list[Path]]:
    """Draw, calibrate and write: the calibration, the picture with its truth, and the files."""
    import fabio
    import numpy as np

    from ..calibration import calibrate
    from ..io.images.images import load_image
    from ..judging.validation import validate
    from ..report import write_report
    from ..synthetic import demo_scene

    files = [folder / "grid.edf", folder / "detector.h5", folder / "result.png", folder / "report.html"]
    progress(0.0, "drawing the image")
    scene = demo_scene(options.shape, pitch_px=PITCH_PX, seed=options.seed)
    picture = scene.render(np.random.default_rng(options.seed))
    fabio.edfimage.EdfImage(data=picture.image).write(str(files[0]))
    calibration = calibrate(load_image(files[0]), pitch=scene.plate.pitch_m, progress=part_of(progress, 0.05, 0.5))
    calibration.save(files[1], progress=part_of(progress, 0.5, 0.6))
    progress(0.6, "drawing the result")
    save_picture(calibration, files[2])
    validation = validate(calibration, progress=part_of(progress, 0.65, 0.85))
    progress(0.85, "drawing the report")
    write_report(calibration, files[3], validation=validation, detector=files[1])
    return calibration, picture, files


def save_picture(calibration: Any, path: Path) -> None:
    """Write a picture of a calibration: image with spots, displacement, residuals, pulls."""
    from matplotlib.figure import Figure

    from ..report import plots

    # "constrained" cuts the labels off where axes of a fixed aspect stand beside others.
    figure = Figure(figsize=(13.0, 10.5), layout="compressed")
    axes = figure.subplots(2, 2)
    found, fit = calibration.spots[0], calibration.fit
    plots.spots(found, ax=axes[0, 0], data=calibration.images[0])
    axes[0, 0].set_title("image and spots", loc="left", fontsize="medium")
    plots.displacement(fit.distortion, ax=axes[0, 1])
    plots.vectors(fit.distortion, ax=axes[0, 1])
    axes[0, 1].set_title("displacement: corrected - observed", loc="left", fontsize="medium")
    plots.residuals(fit, ax=axes[1, 0])
    plots.pulls(fit, ax=axes[1, 1])
    axes[1, 1].set_title("residuals over their uncertainty", loc="left", fontsize="medium")
    save_figure(figure, path)


def _beside_truth(calibration: Any, picture: Any) -> Iterable[str]:
    """Lines of a table: found, true."""
    from ..records.spots import SpotFlag
    from ..synthetic import field_error, match_spots

    points = calibration.fit.points[0]
    score = match_spots(points, picture.truth)
    # cut holes and those that something else shines into have a sigma of their own, and no place beside one bound
    clean = match_spots(points.select((points.flags & ~SpotFlag.PREDICTED) == 0), picture.truth)
    field = field_error(calibration.fit.distortion, picture.distortion, spots=picture.truth)
    found, true = calibration.distortion, _in_the_same_frame(picture.distortion, calibration.distortion)
    whole = int(picture.truth.whole.sum())
    rows = [
        ("", "found", "true"),
        ("holes", f"{len(points)}", f"{len(picture.truth)}, {whole} of them whole"),
        ("wrong indices", f"{score.wrong_index}", "0"),
        ("error of a whole spot, rms", f"{clean.rms_px:.4f} px", f"{_bound(picture):.4f} px at best"),
        ("error over claimed uncertainty", f"{score.over_sigma:.2f}", "1"),
        ("pixel size", format_length(found.pixel_size), format_length(true.pixel_size)),
        ("largest displacement", f"{found.largest_px:.2f} px", f"{true.largest_px:.2f} px"),
        ("error of the distortion, rms", f"{field.rms_px:.4f} px", "0"),
        ("part of the grid that is covered", f"{100 * field.coverage:.1f} %", "100 %"),
    ]
    for name, ours, theirs in rows:
        yield f"{name:34}{ours:<22}{theirs}"
    yield ""
    yield "Both are shown in the reference frame that makes the displacement smallest: no image of a grid tells how the"
    yield "detector is scaled, turned and shifted as a whole, so that is taken out of the truth too."


def _in_the_same_frame(truth: Any, found: Any) -> Any:
    """The true distortion in the frame, and with the pixel size, that make its displacement smallest over the pixels
    that were calibrated."""
    import numpy as np

    from ..fitting.fitting import some_valid
    from ..fitting.gauge import best_gauge

    places = some_valid(np.zeros(found.shape, bool) if found.mask is None else found.mask)
    change = best_gauge(
        truth.field, places, truth.pixel_size, gauge="least displacement", shape=truth.shape, nominal=False
    )
    return replace(truth, field=change.field(truth.field), pixel_size=change.new, mask=found.mask)


def _opened_by_pyfai(path: Path, calibration: Any) -> str:
    """Let the pyFAI that is installed open the detector file, and say that it has what was written.

    Raises
    ------
    FileFormatError
        It does not open it, or makes something else of it.
    """
    import numpy as np
    import pyFAI
    from pyFAI.detectors import detector_factory

    meant = calibration.distortion
    try:
        found = detector_factory(str(path))
        gap = np.abs(np.asarray(found.get_pixel_corners()) - meant.pixel_corners())[..., 1:] / meant.pixel_size
    except Exception as error:  # whatever a pyFAI that knows another form of such files raises
        raise FileFormatError(f"pyFAI {pyFAI.version} does not open {path}: {error}", hint="update pyFAI") from error
    mask = np.zeros(meant.shape, bool) if meant.mask is None else meant.mask
    size = (found.pixel1, found.pixel2)
    same = np.array_equal(np.asarray(found.mask) != 0, mask) and np.allclose(size, meant.pixel_size, rtol=1e-12, atol=0)
    if not (same and int(found.orientation) == 3 and gap.max() < _SAME_PX):
        raise FileFormatError(f"pyFAI {pyFAI.version} makes another detector of {path}", hint="update pyFAI")
    return f"\npyFAI {pyFAI.version} opens the detector file: corners within {gap.max():.1g} px, and the same mask"


def _bound(picture: Any) -> float:
    import numpy as np

    sigma = picture.truth.sigma_yx[picture.truth.whole]
    return float(np.sqrt(np.mean(sigma**2)))
