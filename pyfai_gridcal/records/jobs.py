"""The jobs that every door offers: what each can be told, with its text, default, choices and unit.

One record for each: the command line makes its options of it, ewoks its inputs, both build it from what they are given.
Fields that only one of them offers say so. Lengths are metres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from ..base.errors import UsageError
from ..base.geometry import as_pair
from ..base.units import Region, as_region
from .options import CLI, EWOKS, Option, documented, like, option, told
from .settings import POLARITIES, Settings
from .traits import Sensor
from .verdict import Level

#: Motion that a comparison does not count.
Alignment = Literal["rigid", "similarity", "affine", "none"]
#: What to do about frames that are not there.
Missing = Literal["error", "skip", "nan"]
_WAYS = ("median", "mean")
_RESULTS, _IMAGES, _CORRECTED = "results", "images", "corrected images"
_RINGS = "powder rings"
_HOW, _UNTOLD = "speed and memory", "what the input file does not say"

# Letters are those of pyFAI's tools.
_MASK = option(
    "pixels to ignore: not 0 in a file, or by pyFAI name",
    "files",
    metavar="FILE|DETECTOR",
    names=("-m", "--mask"),
    group=_IMAGES,
)
_DARK = option("dark image: without light, subtracted", "files", names=("-d", "--dark"), group=_IMAGES)
_FLAT = option("flat field: image of uniform light, divided by", "files", names=("-f", "--flat"), group=_IMAGES)
_CORRECTED_IMAGE = "corrected image, .edf, .tif or .h5"
_KEEP_GOING = option(
    "report a failure in the outputs instead of raising it, so that the rest of a workflow goes on",
    "flag",
    doors=(EWOKS,),
)


def _json(text: str, group: str = "", *, doors: tuple[str, ...] = (CLI, EWOKS)) -> dict[str, Option]:
    text = f"{text}; - is standard output"
    return option(text, "file", names=("--json",), group=group, doors=doors)


def corrections_of(job: Calibrate | Validate) -> dict[str, Any]:
    """The files that correct an image, where there are any: mask, dark, flat."""
    return {name: getattr(job, name) for name in ("mask", "dark", "flat") if getattr(job, name)}


@documented
@dataclass(frozen=True)
class Reading:
    """What a distortion file does not tell about itself.

    {attributes}
    """

    kind: str | None = told(None, "kind of the input", metavar="KIND", names=("--from",), group=_UNTOLD)
    shape: tuple[int, int] | None = told(None, "pixels of the detector", "shape", metavar="SLOW,FAST", group=_UNTOLD)
    pixel_size: tuple[float, float] | None = told(
        None,
        "pixel size, 50um or 50um,48um (slow, fast)",
        "lengths",
        names=("--pixel",),
        what="pixel size",
        group=_UNTOLD,
    )
    binning: tuple[int, int] = told(
        (1, 1), "pixels read out as one in the images to come: 2 or 2,1", "shape", metavar="N", group=_UNTOLD
    )
    orientation: Literal[1, 2, 3, 4] | None = told(
        None,
        "pyFAI orientation of the images that the file was made for (the result is then for orientation 3; by default "
        "it is for these images, in the orientation that the file says)",
        "choice",
        choices=(1, 2, 3, 4),
        group=_UNTOLD,
    )
    roi: Region | None = told(
        None,
        "part of the detector that the images to come show, rows and columns as slices of Python: 100:400,150:550 "
        "(after binning)",
        metavar="Y0:Y1,X0:X1",
        group=_UNTOLD,
    )
    sensor: str | None = like(
        Settings, "sensor", text="what the detector absorbs photons in, and how thick it is: CdTe,1mm", group=_UNTOLD
    )

    def __post_init__(self) -> None:
        if self.roi is not None:
            object.__setattr__(self, "roi", as_region(self.roi))
        if self.sensor is not None:
            Sensor.parse(self.sensor)


@dataclass(frozen=True, kw_only=True)
class _GridFiles:
    """Files of a calibration."""

    images: Sequence[Any] = field(
        metadata=option("image file, or file.h5::/path; several are exposures of one plate", "images", names=("image",))
    )
    output: str | None = told(
        None, "detector file, .h5 (default: beside the image)", "file", names=("-o", "--output"), group=_RESULTS
    )
    json_file: str | None = field(default=None, metadata=_json("summary with the verdict, for machines", _RESULTS))
    report: str | None = told(None, "report as one HTML page", "file", group=_RESULTS)
    corrected: str | None = told(None, _CORRECTED_IMAGE, "file", group=_RESULTS, doors=(CLI,))
    name: str = told("calibrated", "name of the detector, as pyFAI and others show it", group=_RESULTS)
    force: bool = told(
        False, "write the detector even when it is not to be trusted", "flag", group=_RESULTS, doors=(CLI,)
    )
    mask: Sequence[str] | None = field(default=None, metadata=_MASK)
    dark: Sequence[str] | None = field(default=None, metadata=_DARK)
    flat: Sequence[str] | None = field(default=None, metadata=_FLAT)
    combine: Literal["median", "mean"] | None = told(
        None, "all images are frames of one exposure: reduce them to one", "choice", choices=_WAYS, group=_IMAGES
    )
    accept: Level = told("doubtful", "worst verdict with which the detector is written", "choice", doors=(EWOKS,))
    keep_going: bool = field(default=False, metadata=_KEEP_GOING)


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class Calibrate(Settings, _GridFiles):
    """Image(s) of a plate -> detector file: the files, and every setting.

    {attributes}
    """

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that are not the defaults, as keywords of :func:`~pyfai_gridcal.calibration.calibrate`."""
        return {f.name: value for f in fields(Settings) if (value := getattr(self, f.name)) != f.default}


@documented
@dataclass(frozen=True, kw_only=True)
class CalibrateRings:
    """A detector by powder rings alone.

    {attributes}
    """

    rings: Sequence[str] | None = like(Settings, "rings")
    detector: str | None = like(Settings, "detector")
    pixel: float | tuple[float, float] | None = like(Settings, "pixel")
    model: str = like(Settings, "model", text="auto (modules where there are gaps), rigid, spline, or tiles for both")
    distances: str | None = like(Settings, "distances")
    depths: bool = like(Settings, "depths")
    gauge: Any = like(Settings, "gauge")
    max_sigma: float | None = like(Settings, "max_sigma")
    output: str | None = like(_GridFiles, "output", text="detector file, .h5")
    json_file: str | None = field(default=None, metadata=_json("figures, for machines", _RESULTS))
    name: str = like(_GridFiles, "name")
    mask: Sequence[str] | None = field(default=None, metadata=_MASK)
    keep_going: bool = field(default=False, metadata=_KEEP_GOING)


@documented
@dataclass(frozen=True, kw_only=True)
class Validate:
    """Correct an image of the grid with a detector file, and look how straight it is.

    {attributes}
    """

    detector_file: str | None = field(
        metadata=option(
            "detector file, of this program or another's", "file", metavar="DETECTOR.h5", names=("detector",)
        )
    )
    images: Sequence[Any] | None = told(
        None, "image of the grid; several are reduced to one", "images", names=("image",)
    )
    pitch: float | tuple[float, float] | None = told(
        None,
        "distance of neighbouring holes, with its unit; needed when the detector file does not hold it",
        "lengths",
        names=("-p", "--pitch"),
    )
    angle: float | None = told(
        None,
        "angle between the axes of the grid (default: that of the detector file, else 90)",
        "positive",
        unit="degrees",
    )
    polarity: Literal["auto", "bright", "dark"] = told("auto", "bright or dark holes", "choice", choices=POLARITIES)
    tolerance: float = told(
        0.01,
        "mean misplacement, in pitch, above which it is not good: exit status 1 (default: {default})",
        "positive",
        unit="pitch",
        limits={"gt": 0},
    )
    rings: Any = told(None, "image of powder rings, in place of the grid", "file", metavar="IMAGE", group=_RINGS)
    poni: str | None = told(
        None, "PONI file of that image: geometry, wavelength, detector before", "file", group=_RINGS
    )
    calibrant: str | None = told(None, "powder (default: as in the PONI file, or CeO2)", metavar="NAME", group=_RINGS)
    picture: str | None = told(None, "residuals of the rings over the azimuth, and as maps", "file", group=_RINGS)
    output: str | None = told(None, _CORRECTED_IMAGE, "file", names=("-o", "--output"), group=_RESULTS)
    json_file: str | None = field(default=None, metadata=_json("results for machines", _RESULTS))
    mask: Sequence[str] | None = field(default=None, metadata=_MASK)
    dark: Sequence[str] | None = field(default=None, metadata=_DARK)
    flat: Sequence[str] | None = field(default=None, metadata=_FLAT)
    combine: Literal["median", "mean"] = told(
        "median", "how several images of the grid are reduced to one", "choice", choices=_WAYS, group=_IMAGES
    )
    keep_going: bool = field(default=False, metadata=_KEEP_GOING)


@documented
@dataclass(frozen=True, kw_only=True)
class Convert:
    """From one kind of distortion file to another.

    {attributes}
    """

    detector_file: Sequence[str] = field(
        metadata=option(
            "distortion file, one of a pair of maps, or both of them: X.edf,Y.edf",
            "files",
            metavar="IN",
            names=("input",),
        )
    )
    output: str = field(
        metadata=option("file to write; of a pair, the name of one of them", "file", metavar="OUT", names=("output",))
    )
    kind: str | None = told(None, "kind of the output", metavar="KIND", names=("--to",))
    tolerance: float = told(
        0.01,
        "largest deviation of a spline; it gets as few knots as possible (default: {default})",
        "positive",
        unit="px",
        limits={"gt": 0},
    )
    force: bool = told(False, "write a spline even if the distortion jumps or the deviation is larger", "flag")
    name: str = told("calibrated", "name of the detector, as pyFAI shows it")
    like_poni: str | None = told(
        None,
        "of a .poni: the PONI file whose distance, rotations, wavelength and parallax it keeps; the beam stays where "
        "it was in the image",
        "file",
        metavar="OLD.poni",
        names=("--like",),
    )
    relative: bool = told(
        False, "of a .poni or .json: name the detector relative to it, so that both can be moved together", "flag"
    )
    json_file: str | None = field(default=None, metadata=_json("what was done, for machines", doors=(CLI,)))
    from_kind: str | None = like(Reading, "kind")
    shape: tuple[int, int] | None = like(Reading, "shape")
    pixel: tuple[float, float] | float | None = like(Reading, "pixel_size")
    binning: tuple[int, int] = like(Reading, "binning")
    orientation: Literal[1, 2, 3, 4] | None = like(Reading, "orientation")
    roi: Region | None = like(Reading, "roi")
    sensor: str | None = like(Reading, "sensor")

    @property
    def reading(self) -> Reading:
        """What the input does not tell about itself."""
        size = None if self.pixel is None else as_pair(self.pixel)
        return Reading(self.from_kind, self.shape, size, self.binning, self.orientation, self.roi, self.sensor)


@documented
@dataclass(frozen=True, kw_only=True)
class Correct:
    """Images without their distortion.

    {attributes}
    """

    detector_file: Sequence[str] = field(
        metadata=option(
            "distortion file of any kind that convert reads", "files", metavar="DETECTOR", names=("detector",)
        )
    )
    images: Sequence[Any] = field(metadata=option("image file, file.h5::/path, or a stack", "images", names=("image",)))
    output: str = field(
        metadata=option(
            ".h5 for one stack, a folder for files, or a file", "file", metavar="OUT", names=("-o", "--output")
        )
    )
    mask: Sequence[str] | None = told(
        None, "more pixels to ignore", "files", metavar="FILE|DETECTOR", names=("-m", "--mask"), group=_IMAGES
    )
    dark: Sequence[str] | None = field(default=None, metadata=_DARK)
    flat: Sequence[str] | None = field(default=None, metadata=_FLAT)
    dummy: float = told(math.nan, "value of pixels that are not known (default: nan)", "number", group=_CORRECTED)
    coverage: float = told(
        0.5,
        "smallest known part of a corrected pixel, 0 to 1 (default: {default}); its counts are scaled up",
        "positive",
        metavar="SHARE",
        group=_CORRECTED,
        limits={"gt": 0, "le": 1},
    )
    whole: bool = told(
        False, "make the image as large as the corrected detector, so that nothing is cut off", "flag", group=_CORRECTED
    )
    dtype: str | None = told(
        None, "float32 (default), float64, same, or a type of whole numbers (rounded)", group=_CORRECTED
    )
    missing: Missing = told(
        "error",
        "frames without data: an error (default); or skip them, or fill them with nan, in a stack",
        "choice",
        choices=get_args(Missing),
        group=_CORRECTED,
        doors=(CLI,),
    )
    suffix: str | None = told(
        None,
        "kind of the files in a folder: .edf, .tif, .npy (default: as the input, else .edf)",
        group=_CORRECTED,
        doors=(CLI,),
    )
    compression: str = told(
        "gzip:1", "of .h5: gzip:1 to gzip:9, bitshuffle, none (default: {default})", group=_CORRECTED
    )
    workers: int | None = told(
        None,
        "threads (default: all processors; one for a part)",
        "count",
        metavar="N",
        names=("-j", "--jobs"),
        group=_HOW,
        limits={"ge": 1},
    )
    device: str | tuple[int, int] | None = told(
        None, "OpenCL device of pyFAI: gpu, cpu or PLATFORM,DEVICE (needs pyopencl)", "device", group=_HOW, doors=(CLI,)
    )
    no_cache: bool = told(
        False, "do not keep the look-up table beside the detector file", "flag", group=_HOW, doors=(CLI,)
    )
    json_file: str | None = field(default=None, metadata=_json("what was done, for machines", _HOW, doors=(CLI,)))
    part: tuple[int, int] | None = told(
        None, "(k, n): only the k-th of n parts, k from 0, to its own file", "pair", doors=(EWOKS,)
    )
    patience: float = told(
        600.0,
        "seconds to wait for another process that writes the same file",
        "number",
        limits={"ge": 0},
        doors=(EWOKS,),
    )

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"--jobs {self.workers}", expected="1 or more")
        if self.part is not None and not 0 <= self.part[0] < self.part[1]:
            raise UsageError(f"part {self.part}", expected="(k, n) with k from 0 to n - 1")


@documented
@dataclass(frozen=True, kw_only=True)
class Compare:
    """Has the detector changed? Calibrations in px and in units of their uncertainty.

    {attributes}
    """

    reference: str | None = field(
        metadata=option(
            "calibration to compare with; of a pattern (cam_*.h5), the last by name", "file", doors=(EWOKS,)
        )
    )
    detector_file: str | None = field(metadata=option("the calibration that is looked at", "file", doors=(EWOKS,)))
    gauge: Alignment = told(
        "rigid",
        "what is removed before comparing: shift and rotation (rigid, default), a common scale too, any linear map, or "
        "nothing",
        "choice",
        choices=get_args(Alignment),
    )
    tolerance: float = told(
        0.0,
        "rms difference that does not matter, px, however certain it is",
        "number",
        limits={"ge": 0},
        doors=(EWOKS,),
    )
    strict: bool = told(False, "exit with status 1, or raise, when one is different", "flag")
    json_file: str | None = field(default=None, metadata=_json("the same for machines"))
    picture: str | None = told(None, "maps of the differences; the drift, for a series", "file", doors=(CLI,))
    keep_going: bool = field(default=False, metadata=_KEEP_GOING)
