"""One file for one calibration: a detector for pyFAI, plots for silx, and everything needed to take the calibration
up again.

::

    entry_0000                       NXentry, opens on the displacement map in silx view
        pyFAI/<name>                 NXdetector: what pyFAI reads
        control_points               y, x, i, j, residual_y, residual_x, sigma_y, sigma_x, ...
        grid_calibration             NXprocess: program, version, date, configuration, inputs, report
            displacement, sigma, residuals, histogram, smoothness, grid_image, before_after...    NXdata
            record                   the records themselves, field by field
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...base.arrays import AnyArray
from ...base.atomic import replacing
from ...base.errors import FileFormatError
from ...base.opening import make_hdf5, reading_hdf5, text_of
from ...base.plain import plain
from ...base.progress import Progress, untold
from ...records.budget import PlateBudget
from ...records.distortion import Distortion
from ...records.fit import DistortionFit
from ...records.settings import Settings
from ...records.spots import SpotFlag, Spots
from .contents import TRAITS, find_process
from .groups import detector_nodes, new_entry, new_group, now, package_version, platform, write_data, write_detector
from .packing import write_array
from .products import Products, make_products, write_budget, write_products
from .readback import read_back
from .records import read_record, write_record

__all__ = ["FORMAT", "load_result", "save_result"]

#: Version of the layout: (major, minor). A higher minor only adds, a higher major cannot be read by older programs.
FORMAT = (2, 2)

_SHORT = 64  # numbers, at most, of an array that is told in words for people
_VERSIONS = ("earliest", "v110")  # of HDF5 that can read the file


def save_result(
    result: object,
    path: str | PathLike[str],
    *,
    name: str = "calibrated",
    settings: object = None,
    spots: Sequence[Spots] | None = None,
    images: Sequence[AnyArray] | None = None,
    inputs: Sequence[object] | None = None,
    report: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a result to an HDF5 file that pyFAI opens as a detector. An existing file is replaced once the new one
    has been read back.

    Parameters
    ----------
    result : Calibration, DistortionFit or Distortion
        :func:`load_result` gives back the same, with equal fields.
    path : of the file; should end in ``.h5``, for pyFAI's dialogs go by that
    name : of the detector, as pyFAI will show it
    settings, spots, images, inputs, report : provenance, taken from `result` where it has them
        A record or dict, one Spots and one 2D array per exposure, records or dicts of the source files, text.
    progress : called with a fraction and what is going on

    Raises
    ------
    UsageError
        Nothing can be written there.
    FileFormatError
        The new file does not read back bit by bit as it was meant; nothing was replaced then.
    """
    parts = _Parts(result, settings, spots, images, inputs, report)
    tell = progress or untold
    frame = parts.distortion
    with replacing(path) as beside, ThreadPoolExecutor(1) as thread:
        # First what pyFAI reads: the corners of all pixels, which are most of the numbers; the maps meanwhile.
        making = thread.submit(make_products, frame, parts.images)
        tell(0.0, "evaluating pixel corners")
        nodes = detector_nodes(frame)
        tell(0.1, "writing the detector")
        with make_hdf5(beside, libver=_VERSIONS) as file:
            entry = new_entry(file, f"Distortion of {name} from the image of a grid")
            file.attrs["file_name"] = Path(path).name
            group, seal = write_detector(entry, frame, name=name, nodes=nodes)
            mine = {id(getattr(frame.traits, own)): group[theirs] for own, theirs in TRAITS.items() if theirs in group}
            # Then what this package and silx read: records, maps, pictures.
            tell(0.3, "writing the rest")
            _write_process(entry, parts, making, mine)
            entry["end_time"] = now()
        # The file is complete now; only what comes back from the disk as it was meant takes the place of an old one.
        tell(0.7, "reading back")
        read_back(beside, nodes, frame, seal)
    tell(1.0, "written")
    return Path(path)


class _Parts:
    """What there is in a result, whatever its kind."""

    def __init__(
        self,
        result: object,
        settings: object,
        spots: Sequence[Spots] | None,
        images: Sequence[AnyArray] | None,
        inputs: Sequence[object] | None,
        report: str | None,
    ) -> None:
        self.result = result
        self.fit: DistortionFit | None = result if isinstance(result, DistortionFit) else getattr(result, "fit", None)
        if isinstance(result, Distortion):
            self.distortion = result
        elif self.fit is not None:
            self.distortion = self.fit.distortion
        else:
            raise TypeError(f"{type(result).__name__} given, expected a Calibration, DistortionFit or Distortion")
        self.settings = settings if settings is not None else getattr(result, "settings", None)
        self.spots: tuple[Spots, ...] = tuple(spots if spots is not None else getattr(result, "spots", ()))
        self.images: tuple[AnyArray, ...] = tuple(images if images is not None else getattr(result, "images", ()))
        self.inputs = tuple(inputs if inputs is not None else getattr(result, "sources", ()))
        self.verdict = getattr(result, "verdict", None)
        self._report = report

    @property
    def report(self) -> str | None:
        """Given or told; it takes its time, so this is asked for beside other work."""
        tell = getattr(self.result, "report", None)
        return str(tell()) if self._report is None and callable(tell) else self._report


def _write_process(
    entry: h5py.Group, parts: _Parts, making: Future[Products], written: dict[int, h5py.Dataset]
) -> None:
    if parts.fit is not None:
        _write_control_points(entry, parts)
    group = new_group(entry, "grid_calibration", "NXprocess")
    entry.attrs["default"] = "grid_calibration"
    group.attrs["default"] = "displacement"
    group["program"] = "pyFAI-gridcal"
    group["version"] = package_version("pyfai-gridcal")
    group["date"] = now()
    group["sequence_index"] = 1
    group["format_version"] = ".".join(map(str, FORMAT))
    group["gauge"] = parts.distortion.gauge
    if parts.settings is not None:
        _write_note(
            group, "configuration", json.dumps(plain(parts.settings, largest=_SHORT), indent=1), "application/json"
        )
    if parts.verdict is not None:
        _write_note(group, "verdict", json.dumps(plain(parts.verdict, largest=_SHORT), indent=1), "application/json")
    if report := parts.report:
        _write_note(group, "report", report, "text/plain")
    versions = new_group(group, "versions", "NXcollection")
    for what, number in platform().items():
        versions[what] = number
    if parts.inputs:
        _write_inputs(group, parts.inputs)
    products = making.result()
    known = written | write_products(group, products, parts.images)
    if isinstance(parts.settings, Settings):
        write_budget(group, products.sigma, parts.distortion, PlateBudget.of(parts.settings))
    if parts.fit is not None:
        _write_residuals(group, entry["control_points"])
        _write_trials(group, parts.fit)
    write_record(group, "record", parts.result, known=known)


def _write_note(group: h5py.Group, name: str, text: str, kind: str) -> None:
    note = new_group(group, name, "NXnote")
    note["type"] = kind
    note["data"] = text


def _write_inputs(group: h5py.Group, inputs: Sequence[object]) -> None:
    collection = new_group(group, "inputs", "NXcollection")
    for k, source in enumerate(inputs):
        note = new_group(collection, f"input_{k}", "NXnote")
        told = plain(source, largest=_SHORT)
        members = told if isinstance(told, dict) else {"file_name": told}
        for key, value in members.items():
            simple = isinstance(value, str | int | float | bool)
            note[re.sub(r"\W", "_", key)] = value if simple else json.dumps(value)


def _write_control_points(entry: h5py.Group, parts: _Parts) -> None:
    fit = parts.fit
    assert fit is not None
    group = new_group(entry, "control_points", "NXcollection")
    columns: dict[str, tuple[AnyArray, str]] = {}

    def pair(name: str, arrays: Sequence[AnyArray], unit: str, split: str = "yx") -> None:
        joined = np.concatenate([np.asarray(a) for a in arrays]) if arrays else np.empty((0, 2))
        for k, axis in enumerate(split):
            columns[f"{name}_{axis}" if name else axis] = np.ascontiguousarray(joined[:, k]), unit

    pair("", [p.yx for p in fit.points], "px")
    pair("", [p.ij for p in fit.points], "", "ij")
    pair("sigma", [p.sigma_yx for p in fit.points], "px")
    pair("residual", fit.residual_yx, "px")
    pair("held_out", fit.held_out_yx, "px")
    columns["used"] = np.concatenate(fit.used).astype(np.uint8), ""
    columns["flags"] = np.concatenate([p.flags for p in fit.points]), ""
    columns["exposure"] = np.repeat(np.arange(len(fit.points)), [len(p) for p in fit.points]), ""
    if parts.spots and len(parts.spots) == len(fit.points):
        rows = [p.spot for p in fit.points]
        if all(not len(r) or (r.min() >= 0 and r.max() < len(s)) for r, s in zip(rows, parts.spots, strict=True)):
            for column, unit in (("amplitude", "counts"), ("background", "counts"), ("chi2", "")):
                values = [getattr(s, column)[r] for r, s in zip(rows, parts.spots, strict=True)]
                columns[column] = np.concatenate(values), unit
    for key, (column_values, unit) in columns.items():
        write_array(group, key, column_values).attrs["units"] = unit
    group["y"].attrs["long_name"] = "slow coordinate, the centre of the first pixel is 0"
    group["x"].attrs["long_name"] = "fast coordinate, the centre of the first pixel is 0"
    group["residual_y"].attrs["long_name"] = "corrected position minus node"
    group["held_out_y"].attrs["long_name"] = "the same when the point itself is left out of the fit"
    group["flags"].attrs["bits"] = ", ".join(f"{flag.value} {flag.name}" for flag in SpotFlag)


def _write_residuals(group: h5py.Group, points: h5py.Group) -> None:
    used = points["used"][()].astype(bool)
    residual = np.stack([points["residual_y"][()], points["residual_x"][()]], axis=1)
    held_out = np.stack([points["held_out_y"][()], points["held_out_x"][()]], axis=1)
    write_data(
        group,
        "residuals",
        "residual",
        {"residual": np.hypot(*residual.T), **{k: points[k] for k in ("residual_x", "residual_y", "x", "y")}},
        axes=("x", "y"),
        auxiliary=("residual_x", "residual_y"),
        title="Residuals of the control points, px",
        units={"residual": "px"},
    )
    if not used.any():
        return
    values = residual[used].ravel()
    reach = max(float(np.percentile(np.abs(held_out[used]), 99)), float(np.percentile(np.abs(values), 99)), 1e-6)
    bins = np.linspace(-1.2 * reach, 1.2 * reach, int(np.clip(np.sqrt(len(values)), 15, 101)) | 1)
    count = np.histogram(values, bins)[0].astype(np.float64)
    outside = np.histogram(held_out[used].ravel(), bins)[0].astype(np.float64)
    write_data(
        group,
        "histogram",
        "residuals",
        {
            "residuals": count,
            "residuals_errors": np.sqrt(count),
            "held_out": outside,
            "centre": (bins[1:] + bins[:-1]) / 2,
        },
        axes=("centre",),
        auxiliary=("held_out",),
        title="Residuals of both coordinates",
        units={"centre": "px"},
        long_names={"centre": "residual, px", "residuals": "coordinates per bin"},
    )


def _write_trials(group: h5py.Group, fit: DistortionFit) -> None:
    trials = new_group(group, "trials", "NXcollection")
    for k, trial in enumerate(fit.trials):
        one = new_group(trials, f"trial_{k}", "NXcollection")
        for key, value in asdict(trial).items():
            one[key] = np.asarray(value, float).reshape(-1, 2) if key == "curve" else value
    chosen = next((t for t in fit.trials if t.chosen and len(t.curve) > 1), None)
    if chosen is not None:
        smoothness, held_out = np.array(sorted(chosen.curve), float).T
        write_data(
            group,
            "smoothness",
            "held_out",
            {"held_out": held_out, "smoothness": smoothness},
            axes=("smoothness",),
            title=f"Prediction error of {chosen.name}",
            units={"held_out": "px"},
            long_names={"smoothness": "log10 of the smoothness, relative to the chosen one", "held_out": "rms, px"},
        )


def load_result(path: str | PathLike[str], *, images: bool = True) -> Any:
    """Read back what :func:`save_result` was given: Calibration, DistortionFit or Distortion, with equal fields.

    Parameters
    ----------
    path : file
    images : False leaves the images out, which are most of the file

    Raises
    ------
    FileFormatError
        Not such a file, not complete, or of a newer format.
    """
    with reading_hdf5(path, expected="a file of pyFAI-gridcal") as file:
        group = find_process(file)
        if group is None:
            raise FileFormatError(
                f"{file.filename} holds no calibration",
                expected="a file written by pyFAI-gridcal",
                hint="a detector of other origin can be read, but knows nothing of control points",
            )
        _check_format(group, str(path))
        return read_record(group["record"], skip=() if images else ("images",))


def _check_format(group: h5py.Group, path: str) -> None:
    text = text_of(group["format_version"][()]) if "format_version" in group else "1.0"
    if int(text.split(".")[0]) > FORMAT[0]:
        raise FileFormatError(
            f"{path} has format {text}",
            expected=f"at most {FORMAT[0]}.x",
            hint="it was written by a newer version: update",
        )
