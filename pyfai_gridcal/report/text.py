"""The report in words: one list of figures for the terminal, the page and the card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..base.units import format_length
from ..records.result import Result
from ..records.traits import Sensor
from .data import Data, summary

#: Worst spots that the terminal shows.
_SHOWN = 3


@dataclass(frozen=True)
class ReportRow:
    """A figure in words.

    Attributes
    ----------
    label : in full, for the page
    value : the figure with its unit
    short : label for the terminal and the card; empty for what they leave out
    """

    label: str
    value: str
    short: str = ""


def rounded(value: float) -> str:
    """A positive figure as an uncertainty is written: two digits when small, three when not."""
    return f"{value:.2g}" if value < 0.1 else f"{value:.3g}"


def figure_rows(s: Data) -> Iterator[ReportRow]:
    """What a summary says about plate, detector, model and errors."""
    plate, known = s["plate"], s["plate"]["known_hole_errors"]
    pitch = " x ".join(format_length(p) for p in dict.fromkeys(plate["pitch_m"]))
    errors = f", errors of {known} holes known" if known else ""
    yield ReportRow("Detector", f"{s['shape'][0]} x {s['shape'][1]} px (slow x fast)")
    told = s["settings"]
    for name, value in (("Type", told["detector"]), ("Serial number", told["serial"]), ("Comment", told["comment"])):
        if value:
            yield ReportRow(name, str(value), name.lower() if name == "Comment" else name.split()[0].lower())
    yield ReportRow("Plate", f"{pitch}, {plate['angle_deg']:g}°{errors}", "plate")
    yield ReportRow("Pixel size", _pixel(s), "pixel size")
    if s["sensor"]:
        yield ReportRow("Sensor", str(Sensor(**s["sensor"])), "sensor")
    if s["carried"]:
        yield ReportRow("In the file, too", ", ".join(s["carried"]))
    yield ReportRow("Model", str(s["recipe"]), "model")
    yield ReportRow("Residual", f"{_px(s, 'residual_px')}, weighted: uncertain spots count less", "residual")
    yield ReportRow("Residual, unweighted", f"{_px(s, 'plain_residual_px')}, all spots count alike", "unweighted")
    yield ReportRow("Prediction error", f"{_px(s, 'held_out_px')}, at left-out holes", "prediction")
    if s["expected_error_px"] is not None:
        error = f"{_px(s, 'expected_error_px')}, between the holes"
        yield ReportRow("Expected position error", error, "position")
    yield from _budget_rows(s)
    extra = _px(s, "plate_sigma_px") if s["plate_sigma_px"] else "none seen"
    yield ReportRow("Extra scatter that photon noise does not explain", extra)
    if s["field_sigma_px"]:
        y, x = map(rounded, s["field_sigma_px"])
        value = f"dy {y} px, dx {x} px rms over all calibrated pixels"
        yield ReportRow("Uncertainty of the displacement", value, "uncertainty")
    d = s["displacement_px"]
    if d["dy"]:
        dy, dx = (f"{low:+.2f} to {high:+.2f} px" for low, high in (d["dy"], d["dx"]))
        largest = f"up to {s['largest_displacement_px']:.2f} px"
        yield ReportRow("Displacement", f"{largest}; dy {dy}, dx {dx}", "displacement")
    yield ReportRow("Coverage", f"{100 * s['coverage']:.2f} % of the pixels", "coverage")
    yield ReportRow("Reference frame of the correction", str(s["gauge"]))


def _budget_rows(s: Data) -> Iterator[ReportRow]:
    """What the plate itself adds, and what is assumed of it."""
    b = s["plate_budget"]
    if b["plate_px"]:
        plate, scale = rounded(b["plate_px"]), rounded(b["scale_px"])
        value = f"{_length_px(s, b['with_plate_px'])} rms per axis: the plate {plate} px, of it common scale {scale} px"
        yield ReportRow("The same with the plate", f"{value} ({', '.join(b['told'])})", "with plate")
    if b["assumed"] and b["tilt_px"][0][1] is not None:
        told = ", ".join(
            f"{rounded(px)} px {'in a parallel beam' if source is None else f'with a source at {source:g} m'}"
            for source, px in b["tilt_px"]
        )
        tilt = f"; a tilt of 0.1° would be {told}" if not b["plate_px"] else ""
        yield ReportRow("Assumed of the plate", f"{', '.join(b['assumed'])}{tilt}", "assumed")


def sentence(s: Data, detector: str | None = None) -> str:
    """What a manager wants to know: may it be used, how good is it, and which file is to be used."""
    verdict = s["verdict"]
    if verdict["level"] == "failed":
        return f"Do not use this calibration: {'; '.join(verdict['reasons']) or 'the checks failed'}."
    care = f"Use with care ({'; '.join(verdict['reasons'])}): " if verdict["level"] == "doubtful" else ""
    which = "every pixel is" if s["coverage"] == 1 else f"{100 * s['coverage']:.4g} % of the pixels are"
    sigma = s["field_sigma_px"]
    size = f" to {_length_px(s, float(np.hypot(*sigma) / np.sqrt(2)))} (rms per axis)" if sigma else ""
    first = f"{care}{which} known{size}"
    return f"{first[0].upper()}{first[1:]}; use {detector or 'the detector file'}."


def worst_words(one: Data, exposures: int) -> tuple[str, str, str, str]:
    """Of one of the worst spots: its place, its hole, its residual with the uncertainty, and what is special."""
    where = f" in exposure {one['exposure'] + 1}" if exposures > 1 else ""
    (y, x), (i, j) = one["place_yx_px"], one["node_ij"]
    size = f"{rounded(one['residual_px'])} ± {rounded(one['sigma_px'])} px"
    return f"(y, x) = ({y:.1f}, {x:.1f}){where}", f"(i, j) = ({i}, {j})", size, one["why"]


def exposure_rows(s: Data) -> Iterator[ReportRow]:
    """What it says about each exposure, for the page."""
    for k, e in enumerate(s["exposures"]):
        head = f"Exposure {k + 1}: " if len(s["exposures"]) > 1 else ""
        yield ReportRow(f"{head}Spots", f"{e['spots']} {e['polarity']}{_hole(e)}")
        seen = f"{e['cut_by_border']} cut by the border, {e['found_at_second_look']} seen at a second look"
        yield ReportRow(f"{head}Of them", seen)
        counts = f"{e['control_points']} assigned to the grid, {e['outliers']} rejected as outliers"
        yield ReportRow(f"{head}Control points", counts)
        yield ReportRow(f"{head}Pitch and turn", f"{_pitch(e)}, turned by {e['angle_deg']:.3f}°")
        if e["spot_sigma_px"] is not None:
            yield ReportRow(f"{head}Uncertainty of a spot", f"{rounded(e['spot_sigma_px'])} px (median)")


def text_report(calibration: Result) -> str:
    """The report that the command line prints."""
    s = summary(calibration)
    lines = [*_exposures(s)]
    lines += [f"{row.short:<12} {row.value}" for row in figure_rows(s) if row.short]
    worst = [worst_words(one, len(s["exposures"])) for one in s["worst_spots"][:_SHOWN]]
    lines += [f"worst spot   {size} at {where}, hole {node}: {why}" for where, node, size, why in worst]
    lines += [f"note         {note}" for note in s["notes"]]
    lines.append(f"verdict      {s['verdict']['level'].upper()}")
    lines += [f"             {text}" for text in (*s["verdict"]["reasons"], sentence(s))]
    return "\n".join(lines) + "\n"


def _pixel(s: Data) -> str:
    """Pixel size, with its uncertainty."""
    both = zip(s["pixel_size_m"], s["pixel_size_sigma_m"], ("slow", "fast"), strict=True)
    texts = [f"{format_length(size, sigma or None, digits=6)} ({name})" for size, sigma, name in both]
    return " x ".join(texts) + (", nominal" if not any(s["pixel_size_sigma_m"]) else "")


def _px(s: Data, key: str) -> str:
    """An error, also as a length on the detector."""
    if s[key] is None:
        return "not known"
    return f"{_length_px(s, s[key])} rms per axis"


def _length_px(s: Data, value: float) -> str:
    """A length in px, and on the detector."""
    return f"{rounded(value)} px = {rounded(value * 1e6 * float(np.sqrt(np.prod(s['pixel_size_m']))))} µm"


def _hole(e: Data) -> str:
    return "" if e["hole_px"] is None else f" of {e['hole_px']:.1f} px"


def _pitch(e: Data) -> str:
    return f"{e['pitch_px'][0]:.2f} x {e['pitch_px'][1]:.2f} px"


def _exposures(s: Data) -> Iterator[str]:
    """Lines about each exposure, for the terminal."""
    for k, e in enumerate(s["exposures"]):
        head = f"exposure {k + 1}: " if len(s["exposures"]) > 1 else ""
        yield (
            f"{head}{e['spots']} {e['polarity']} spots{_hole(e)}, {e['control_points']} assigned to the grid, "
            f"{e['outliers']} rejected as outliers; pitch {_pitch(e)}, turned by {e['angle_deg']:.2f}°"
        )
        if e["spot_sigma_px"] is not None:
            yield f"{' ' * len(head)}spot positions known to {rounded(e['spot_sigma_px'])} px (median)"
