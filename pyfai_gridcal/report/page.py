"""The page: one HTML file with everything in it."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..base.atomic import replacing
from ..base.robust import rms
from ..fitting.rigid import place
from ..io.kinds.certificate import certificate_text
from ..records.budget import PlateBudget
from ..records.result import Result
from .data import Data, report_data, report_name
from .figures import MOST_EXPOSURES, PageFigure, as_data_uri, figures_of, loop_figures
from .redo import changed_settings, command_line, computed_by, python_lines, settings_toml
from .text import ReportRow, exposure_rows, figure_rows, rounded, sentence, worst_words

if TYPE_CHECKING:
    from ..judging.validation import Validation


#: Sections of the page in their order, with their headings.
_SECTIONS = {
    "verdict": "Summary",
    "image": "Image, spots and lattice",
    "displacement": "Displacement and its uncertainty",
    "residuals": "Residuals",
    "noise": "Are the residuals only noise?",
    "loop": "Check: the image corrected and measured again",
    "rings": "Check: powder rings without and with it",
    "model": "Choice of the model",
    "spots": "How the spots were found",
    "checks": "Checks",
    "settings": "Settings",
    "origin": "Inputs and versions",
    "redo": "Do it again",
}


@dataclass(frozen=True)
class PagePart:
    """A check that others have made.

    Attributes
    ----------
    section : of the page, by its key, which is that of the plain data, too
    text : a sentence
    head, rows : a table
    figures : in this section
    data : plain
    """

    section: str
    text: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: Sequence[PageFigure]
    data: Data


def page(
    calibration: Result,
    validation: Validation | None = None,
    detector: str | None = None,
    further: PagePart | None = None,
) -> str:
    """The whole page as text; `detector` is the name of the file that has been written."""
    data = report_data(calibration, validation=validation)
    parts: dict[str, list[str]] = {key: [] for key in _SECTIONS}
    parts["verdict"] += [*_verdict(data, detector), _table(_figures(data), "figures"), _worst(data)]
    parts["image"].append(_table((row.label, row.value) for row in exposure_rows(data)))
    parts["model"].append(_trials(data))
    parts["noise"].append(_pairs(data))
    parts["loop"].append(_loop(calibration, data))
    parts["checks"].append(_checks(data))
    parts["settings"].append(_settings(calibration))
    parts["origin"] += _origin(data)
    parts["redo"] += [_code(command_line(calibration)), _code(python_lines(calibration))]
    drawn = list(figures_of(calibration))
    if validation is not None:
        drawn += loop_figures(calibration, validation)
    if further is not None:
        data[further.section] = further.data
        parts[further.section] += [f"<p>{_e(further.text)}</p>", _grid(further.head, further.rows)]
        drawn += further.figures
    order = list(_SECTIONS)
    drawn.sort(key=lambda figure: order.index(figure.section))
    for number, figure in enumerate(drawn, 1):
        parts[figure.section].append(_figure(number, figure, as_data_uri(figure)))
    if len(data["exposures"]) > MOST_EXPOSURES:
        parts["image"].append(f"<p>Only the first {MOST_EXPOSURES} exposures are drawn.</p>")
    return _document(data, parts)


def _document(data: Data, parts: dict[str, list[str]]) -> str:
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


def _names(data: Data) -> Iterator[str]:
    for source in data["inputs"]:
        yield str(source["url"] if isinstance(source, dict) else source).replace("\\", "/").rsplit("/", 1)[-1]


def _e(text: object) -> str:
    return html.escape(str(text))


class _Badge(str):
    """A level of the verdict; in a table it stands in its colour."""

    __slots__ = ()


def _cell(value: object) -> str:
    return f'<span class="badge {value}">{value}</span>' if isinstance(value, _Badge) else _e(value)


def _table(rows: Iterable[tuple[str, str]], kind: str = "") -> str:
    body = "".join(f"<tr><th>{_e(name)}</th><td>{_e(value)}</td></tr>" for name, value in rows)
    return f'<table class="{kind}">{body}</table>'


def _grid(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    top = "".join(f"<th>{_e(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table class="list"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _code(text: str) -> str:
    return f"<pre><code>{_e(text)}</code></pre>"


def _figure(number: int, figure: PageFigure, address: str) -> str:
    return (
        f'<figure><img src="{address}" alt="{_e(figure.title)}"><figcaption><b>{number}. {_e(figure.title)}.</b> '
        f"{_e(figure.caption)}</figcaption></figure>"
    )


def _verdict(data: Data, detector: str | None) -> list[str]:
    level = data["verdict"]["level"]
    out = [f'<p class="lead">{_cell(_Badge(level))} {_e(sentence(data, detector))}</p>']
    return [*out, "<p>Notes:</p>", _bullets(data["notes"])] if data["notes"] else out


def _bullets(texts: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{_e(text)}</li>" for text in texts) + "</ul>" if texts else ""


def _figures(data: Data) -> Iterator[tuple[str, str]]:
    """Rows of the table of figures, with their uncertainties."""
    rows = list(figure_rows(data))
    width = data["quality"]["pulls"]["standardised_width_yx"]
    if len(width) == 2 and None not in width:
        spreads = f"{width[0]:.2f} (slow), {width[1]:.2f} (fast); ideal: 1"
        rows.append(ReportRow("Residual / uncertainty, its spread", spreads))
    return ((row.label, row.value) for row in rows)


def _worst(data: Data) -> str:
    """Table of the worst spots, numbered as their rings in the pictures."""
    rows = [(k, *worst_words(one, len(data["exposures"]))) for k, one in enumerate(data["worst_spots"], 1)]
    return _grid(("worst spot", "place", "hole", "residual", "what is special"), rows) if rows else ""


def _trials(data: Data) -> str:
    rows = [
        (t["name"] + " (taken)" * t["chosen"], _or_dash(t["held_out_px"], rounded), t["note"]) for t in data["trials"]
    ]
    return _grid(("model", "prediction error at left-out holes, px", "remark"), rows) if rows else ""


def _pairs(data: Data) -> str:
    kinds = ("before_px", "after_px", "held_out_px")
    rows = [
        (p["steps"], p["pairs"], *(_or_dash(p[k], "{:.4f}".format) for k in kinds))
        for p in data["quality"]["pair_distances"]
    ]
    return _grid(("distance, pitches", "pairs", "as recorded, rms px", "corrected", "left out"), rows) if rows else ""


def _or_dash(value: float | None, words: Callable[[float], str]) -> str:
    return "-" if value is None else words(value)


def _loop(calibration: Result, data: Data) -> str:
    v = data["validation"]
    if v is None:
        return (
            "<p>Not done. <code>pyFAI-gridcal validate</code> corrects the image of the grid and measures what "
            "distortion is left.</p>"
        )
    before, left = _before(calibration), v["displacement_left_px"]
    ends = f"{before['low']:+.3f} to {before['high']:+.3f}", f"{left[0]:+.3f} to {left[1]:+.3f}"
    rows = [
        ("spots", f"{v['spots_expected']}", f"{v['spots']}"),
        ("mean misplacement, pitch", f"{before['mean']:.5f}", f"{v['misplacement_mean_pitch']:.5f}"),
        ("largest misplacement, pitch", f"{before['max']:.5f}", f"{v['misplacement_max_pitch']:.5f}"),
        ("rms per axis, px", f"{before['rms']:.4f}", f"{v['rms_px']:.4f}"),
        ("range of one coordinate, px", *ends),
    ]
    text = (
        "<p>The image was corrected by pyFAI with the detector of this calibration; spots and lattice were then found "
        "anew, and the plate laid on them by a turn and a shift. <i>Before</i>: the same for the image as recorded.</p>"
    )
    return text + _grid(("", "before", "after"), rows)


def _before(calibration: Result, exposure: int = 0) -> dict[str, float]:
    """Misplacement of the spots as recorded, with the pixel size of the corrected frame."""
    fit, points, used = calibration.fit, calibration.points[exposure], calibration.fit.used[exposure]
    size, positions = fit.distortion.pixel_size, fit.plate.positions(points.ij)
    laid = place(positions, points.yx, weights=used.astype(float) + 1e-12, pixel_size=size)
    left = (points.yx - laid.pose.corrected(positions, size))[used]
    far = np.hypot(*(left * size).T) / min(fit.plate.pitch_m)
    figures = {"mean": far.mean(), "max": far.max(), "rms": rms(left), "low": left.min(), "high": left.max()}
    return {name: float(value) for name, value in figures.items()}


def _checks(data: Data) -> str:
    rows = (
        (c["name"], *(_number(c[key]) for key in ("value", "doubtful", "failed")), _Badge(c["level"]))
        for c in data["verdict"]["checks"]
    )
    return _grid(("check", "value", "doubtful beyond", "failed beyond", ""), rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _settings(calibration: Result) -> str:
    rows = [(name, str(value)) for name, value in changed_settings(calibration.settings).items()]
    return _table(rows) + "<p class='faint'>Lengths in metres. Everything else was left to the image.</p>"


def _origin(data: Data) -> list[str]:
    rows = [_source(one) for one in data["inputs"]]
    inputs = _grid(("role", "input", "frames", "SHA-256"), rows) if rows else "<p>Arrays in memory, without a file.</p>"
    return [inputs, _table(computed_by().items())]


def _source(one: object) -> tuple[object, ...]:
    if not isinstance(one, dict):
        return "image", one, 1, ""
    return one.get("role", "image"), one["url"], one.get("frames", 1), one.get("sha256", "")


def write_report(
    calibration: Result,
    path: str | PathLike[str],
    *,
    validation: Validation | None = None,
    detector: str | PathLike[str] | None = None,
    further: PagePart | None = None,
) -> Path:
    """Write everything that a reviewer of a calibration may want to see to one file.

    Parameters
    ----------
    calibration : to be reported
    path : of the page, ``.html``: one file without any other, opened by every browser without a network. With the
        suffix ``.json``, the same content as plain data, see :func:`~pyfai_gridcal.report.schema`; with ``.toml``,
        the settings only; with ``.csv``, the errors of the holes of the plate, for other calibrations with it.
    validation : of the same calibration, from :func:`~pyfai_gridcal.judging.validation.validate`; the page says so
        when there is none
    detector : file that the reader shall use, named in the first sentence
    further : a check that others have made, for the page and the plain data

    Returns
    -------
    the path

    Raises
    ------
    UsageError
        Another suffix, or nothing can be written there.
    """
    path = report_name(path)
    if path.suffix.lower() == ".toml":
        text = settings_toml(calibration.settings)
    elif path.suffix.lower() == ".csv":
        stretch = PlateBudget.of(calibration.settings).stretch
        text = certificate_text(calibration.plate.scaled(1 / stretch))
    elif path.suffix.lower() == ".json":
        data = report_data(calibration, validation=validation)
        data |= {} if further is None else {further.section: further.data}
        text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    else:
        text = page(calibration, validation, None if detector is None else Path(detector).name, further)
    with replacing(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
    return path
