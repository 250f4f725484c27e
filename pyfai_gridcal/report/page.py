"""The page: one HTML file with everything in it."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.units import format_length
from ..records.result import Result
from .data import report_data
from .figures import MOST_EXPOSURES, as_data_uri, loop_pictures, pictures_of
from .redo import changed_settings, command_line, python_lines, versions
from .text import pixel_text, rounded

if TYPE_CHECKING:
    from ..judging.validation import Validation

__all__ = ["page", "write_report"]


_SECTIONS = {
    "verdict": "Verdict",
    "figures": "Figures",
    "image": "Image, spots and lattice",
    "displacement": "Displacement and its uncertainty",
    "residuals": "Residuals",
    "noise": "Is what is left noise?",
    "loop": "Closed loop",
    "model": "Choice of the model",
    "spots": "How the spots were found",
    "checks": "Checks",
    "settings": "Settings",
    "origin": "Where it comes from",
    "redo": "Do it again",
}


def page(calibration: Result, validation: Validation | None = None) -> str:
    """The whole page as text."""
    data = report_data(calibration, validation=validation)
    parts: dict[str, list[str]] = {key: [] for key in _SECTIONS}
    parts["verdict"] += _verdict(data)
    parts["figures"].append(_table(_figures(data), "figures"))
    parts["model"].append(_trials(data))
    parts["noise"].append(_pairs(data))
    parts["loop"].append(_loop(calibration, data))
    parts["checks"].append(_checks(data))
    parts["settings"].append(_settings(calibration))
    parts["origin"] += _origin(data)
    parts["redo"] += [_code(command_line(calibration)), _code(python_lines(calibration))]
    pictures = list(pictures_of(calibration))
    if validation is not None:
        pictures += loop_pictures(calibration, validation)
    order = list(_SECTIONS)
    pictures.sort(key=lambda picture: order.index(picture.section))
    for number, picture in enumerate(pictures, 1):
        parts[picture.section].append(_figure(number, picture.title, picture.caption, as_data_uri(picture)))
    if len(data["exposures"]) > MOST_EXPOSURES:
        parts["image"].append(f"<p>Only the first {MOST_EXPOSURES} exposures are drawn.</p>")
    return _document(data, parts)


def _document(data: dict[str, Any], parts: dict[str, list[str]]) -> str:
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    shown = {key: title for key, title in _SECTIONS.items() if any(parts[key])}
    menu = "".join(f'<a href="#{key}">{_e(title)}</a>' for key, title in shown.items())
    body = "".join(
        f'<section id="{key}"><h2>{_e(title)}</h2><div class="content">{"".join(parts[key])}</div></section>'
        for key, title in shown.items()
    )
    what = ", ".join(dict.fromkeys(_names(data))) or "image from memory"
    # "</" inside a script would end it
    embedded = json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
    now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Grid calibration: {_e(what)}</title><style>{style}</style></head><body>"
        f"<header><h1>Grid calibration</h1><p>{_e(what)}</p><p class='faint'>{now}</p></header>"
        f"<nav>{menu}</nav><main>{body}</main>"
        f'<script type="application/json" id="data">{embedded}</script>'
        "</body></html>\n"
    )


def _names(data: dict[str, Any]) -> Iterator[str]:
    for source in data["inputs"]:
        yield str(source["url"] if isinstance(source, dict) else source).replace("\\", "/").rsplit("/", 1)[-1]


def _e(text: object) -> str:
    return html.escape(str(text))


def _table(rows: Iterable[tuple[str, str]], kind: str = "") -> str:
    body = "".join(f"<tr><th>{_e(name)}</th><td>{_e(value)}</td></tr>" for name, value in rows)
    return f'<table class="{kind}">{body}</table>'


def _grid(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    top = "".join(f"<th>{_e(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_e(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table class="list"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _code(text: str) -> str:
    return f"<pre><code>{_e(text)}</code></pre>"


def _figure(number: int, title: str, caption: str, address: str) -> str:
    return (
        f'<figure><img src="{address}" alt="{_e(title)}"><figcaption><b>{number}. {_e(title)}.</b> {_e(caption)}'
        "</figcaption></figure>"
    )


def _verdict(data: dict[str, Any]) -> list[str]:
    level, reasons = data["verdict"]["level"], data["verdict"]["reasons"]
    words = {
        "good": "All checks passed.",
        "doubtful": "To be used with care:",
        "failed": "Not to be used:",
    }[level]
    out = [f'<p><span class="badge {level}">{level}</span> {words}</p>']
    if reasons:
        out.append("<ul>" + "".join(f"<li>{_e(reason)}</li>" for reason in reasons) + "</ul>")
    if data["notes"]:
        out.append("<p>Notes:</p><ul>" + "".join(f"<li>{_e(note)}</li>" for note in data["notes"]) + "</ul>")
    return out


def _px(value: float | None, micron: float) -> str:
    return "not known" if value is None else f"{rounded(value)} px = {rounded(value * micron)} µm rms per axis"


def _figures(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Rows of the table of figures, with their uncertainties."""
    micron = 1e6 * float(np.sqrt(np.prod(data["pixel_size_m"])))
    yield "Detector", f"{data['shape'][0]} x {data['shape'][1]} px (slow x fast)"
    yield "Pixel size", pixel_text(data)
    pitch = " x ".join(format_length(p) for p in dict.fromkeys(data["plate"]["pitch_m"]))
    known = data["plate"]["known_hole_errors"]
    yield "Plate", f"{pitch}, {data['plate']['angle_deg']:g}°" + (f", errors of {known} holes known" if known else "")
    for k, e in enumerate(data["exposures"]):
        head = f"Exposure {k + 1}: " if len(data["exposures"]) > 1 else ""
        hole = "" if e["hole_px"] is None else f" of {e['hole_px']:.1f} px"
        yield f"{head}Spots", f"{e['spots']} {e['polarity']}{hole}"
        yield (
            f"{head}Of them",
            f"{e['cut_by_border']} cut by the border, {e['found_at_second_look']} seen at a second look",
        )
        yield f"{head}Control points", f"{e['control_points']}, {e['outliers']} of them outliers"
        yield (
            f"{head}Pitch and turn",
            (f"{e['pitch_px'][0]:.2f} x {e['pitch_px'][1]:.2f} px, turned by {e['angle_deg']:.3f}°"),
        )
        if e["spot_sigma_px"] is not None:
            yield f"{head}Uncertainty of a spot", f"{rounded(e['spot_sigma_px'])} px (median)"
    yield "Model", str(data["recipe"])
    yield "Residual", _px(data["residual_px"], micron)
    yield "Held-out error", _px(data["held_out_px"], micron)
    if data["expected_error_px"] is not None:
        yield "Expected error of the field", f"{_px(data['expected_error_px'], micron)} among the holes"
    yield (
        "Scatter beyond the spots' sigma",
        _px(data["plate_sigma_px"], micron) if data["plate_sigma_px"] else "none seen",
    )
    if data["field_sigma_px"]:
        y, x = data["field_sigma_px"]
        yield (
            "Uncertainty of the displacement",
            f"dy {rounded(y)} px, dx {rounded(x)} px rms over the valid pixels",
        )
    width = data["quality"]["pulls"]["standardised_width_yx"]
    if all(w is not None for w in width) and len(width) == 2:
        yield "Width of the pulls", f"{width[0]:.2f} (slow), {width[1]:.2f} (fast); 1 is right"
    d = data["displacement_px"]
    if d["dy"]:
        yield (
            "Displacement",
            f"dy {d['dy'][0]:+.2f} to {d['dy'][1]:+.2f} px, dx {d['dx'][0]:+.2f} to {d['dx'][1]:+.2f} px",
        )
    yield "Coverage", f"{100 * data['coverage']:.2f} % of the pixels"
    yield "Gauge", str(data["gauge"])


def _trials(data: dict[str, Any]) -> str:
    rows = [
        (
            t["name"] + (" (taken)" if t["chosen"] else ""),
            "-" if t["held_out_px"] is None else rounded(t["held_out_px"]),
            t["note"],
        )
        for t in data["trials"]
    ]
    return _grid(("model", "held-out error, px", "remark"), rows) if rows else ""


def _pairs(data: dict[str, Any]) -> str:
    kinds = ("before_px", "after_px", "held_out_px")
    rows = [
        (p["steps"], p["pairs"], *("-" if p[k] is None else f"{p[k]:.4f}" for k in kinds))
        for p in data["quality"]["pair_distances"]
    ]
    return _grid(("distance, pitches", "pairs", "as recorded, rms px", "corrected", "held out"), rows) if rows else ""


def _loop(calibration: Result, data: dict[str, Any]) -> str:
    v = data["validation"]
    if v is None:
        return (
            "<p>Not done. <code>pyFAI-gridcal validate</code> corrects the image of the grid and measures what "
            "distortion is left.</p>"
        )
    before = _before(calibration)
    rows = [
        ("spots", f"{v['spots_expected']}", f"{v['spots']}"),
        ("mean misplacement, pitch", f"{before['mean']:.5f}", f"{v['misplacement_mean_pitch']:.5f}"),
        ("largest misplacement, pitch", f"{before['max']:.5f}", f"{v['misplacement_max_pitch']:.5f}"),
        ("rms per axis, px", f"{before['rms']:.4f}", f"{v['rms_px']:.4f}"),
        (
            "range of one coordinate, px",
            f"{before['low']:+.3f} to {before['high']:+.3f}",
            f"{v['displacement_left_px'][0]:+.3f} to {v['displacement_left_px'][1]:+.3f}",
        ),
    ]
    text = (
        "<p>The image was corrected by pyFAI with the detector of this calibration; spots and lattice were then found "
        "anew, and the plate laid on them by a turn and a shift. <i>Before</i>: the same for the image as recorded.</p>"
    )
    return text + _grid(("", "before", "after"), rows)


def _before(calibration: Result, exposure: int = 0) -> dict[str, float]:
    """Misplacement of the spots as recorded, with the pixel size of the corrected frame."""
    from ..fitting.rigid import place

    fit, points = calibration.fit, calibration.points[exposure]
    positions = fit.plate.positions(points.ij)
    used = fit.used[exposure]
    size = fit.distortion.pixel_size
    laid = place(positions, points.yx, weights=used.astype(float) + 1e-12, pixel_size=size)
    left = (points.yx - laid.pose.corrected(positions, size))[used]
    misplaced = np.hypot(*(left * size).T) / min(fit.plate.pitch_m)
    return {
        "mean": float(misplaced.mean()),
        "max": float(misplaced.max()),
        "rms": float(np.sqrt(np.mean(left**2))),
        "low": float(left.min()),
        "high": float(left.max()),
    }


def _checks(data: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{_e(c['name'])}</td><td>{_number(c['value'])}</td><td>{_number(c['doubtful'])}</td>"
        f'<td>{_number(c["failed"])}</td><td><span class="badge {c["level"]}">{c["level"]}</span></td></tr>'
        for c in data["verdict"]["checks"]
    )
    head = "<th>check</th><th>value</th><th>doubtful beyond</th><th>failed beyond</th><th></th>"
    return f'<div class="scroll"><table class="list"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _settings(calibration: Result) -> str:
    rows = [(name, str(value)) for name, value in changed_settings(calibration.settings).items()]
    return _table(rows) + "<p class='faint'>Lengths in metres. Everything else was left to the image.</p>"


def _origin(data: dict[str, Any]) -> list[str]:
    rows = [_source(one) for one in data["inputs"]]
    inputs = _grid(("role", "input", "frames", "SHA-256"), rows) if rows else "<p>Arrays in memory, without a file.</p>"
    return [inputs, _table(versions().items())]


def _source(one: Any) -> tuple[object, ...]:
    if not isinstance(one, dict):
        return "image", one, 1, ""
    return one.get("role", "image"), one["url"], one.get("frames", 1), one.get("sha256", "")


def write_report(calibration: Result, path: str | PathLike[str], *, validation: Validation | None = None) -> Path:
    """Write everything that a reviewer of a calibration may want to see to one file.

    Parameters
    ----------
    calibration : to be reported
    path : of the page, ``.html``: one file without any other, opened by every browser without a network. With the
        suffix ``.json``, the same content as plain data, see :func:`~pyfai_gridcal.report.schema`.
    validation : of the same calibration, from :func:`~pyfai_gridcal.judging.validation.validate`; the page says so
    when there
        is none

    Returns
    -------
    the path
    """
    from ..base.atomic import replacing

    path = Path(path)
    if path.suffix.lower() == ".json":
        text = json.dumps(report_data(calibration, validation=validation), indent=1, ensure_ascii=False) + "\n"
    else:
        text = page(calibration, validation)
    with replacing(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
    return path
