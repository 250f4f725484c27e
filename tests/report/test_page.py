"""The report: its data follow the schema, its page needs nothing else and says what the data say."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfai_gridcal import calibrate
from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.judging import measures
from pyfai_gridcal.judging.validation import Validation, validate
from pyfai_gridcal.records.fit import DistortionFit
from pyfai_gridcal.records.verdict import Verdict
from pyfai_gridcal.report import html_card, report_data, schema, summary, text_report, write_report
from pyfai_gridcal.report.pictures import contrasts_of
from pyfai_gridcal.report.redo import command_line, python_lines
from pyfai_gridcal.synthetic import demo_scene

SHAPE, PITCH_PX = (300, 356), 24.7


@pytest.fixture(scope="module")
def made() -> Calibration:
    scene = demo_scene(SHAPE, pitch_px=PITCH_PX, seed=3)
    return calibrate(scene.render(np.random.default_rng(3), bounds=False).image, pitch=scene.plate.pitch_m[0])


@pytest.fixture(scope="module")
def loop(made: Calibration) -> Validation:
    return validate(made)


@pytest.fixture(scope="module")
def page(made: Calibration, loop: Validation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(made, tmp_path_factory.mktemp("report") / "report.html", validation=loop)


# -- data


def mismatches(value: Any, form: dict[str, Any], whole: dict[str, Any], where: str = "$") -> list[str]:
    """What contradicts a JSON schema, for the words that ours uses; any other word is a mismatch too."""
    if "$ref" in form:
        return mismatches(value, whole["$defs"][form["$ref"].removeprefix("#/$defs/")], whole, where)
    known = {
        "$schema",
        "$defs",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "items",
        "minItems",
        "maxItems",
    }
    known |= {"enum", "const", "oneOf", "minimum", "maximum", "exclusiveMinimum"}
    out = [f"{where}: unknown word {word}" for word in set(form) - known]
    if "oneOf" in form:
        good = [f for f in form["oneOf"] if not mismatches(value, f, whole, where)]
        return out + ([] if len(good) == 1 else [f"{where}: fits {len(good)} of the alternatives: {value!r:.80}"])
    if ("const" in form and value != form["const"]) or ("enum" in form and value not in form["enum"]):
        out.append(f"{where}: {value!r}")
    kinds = form.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_a(value, kind) for kind in kinds):
        return [*out, f"{where}: {value!r:.80} is not {kinds}"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = form.get("minimum", -np.inf), form.get("maximum", np.inf)
        if not low <= value <= high or not value > form.get("exclusiveMinimum", -np.inf):
            out.append(f"{where}: {value} out of range")
    if isinstance(value, list):
        if not form.get("minItems", 0) <= len(value) <= form.get("maxItems", np.inf):
            out.append(f"{where}: {len(value)} items")
        for k, item in enumerate(value):
            out += mismatches(item, form.get("items", {}), whole, f"{where}[{k}]")
    if isinstance(value, dict):
        out += [f"{where}: no {name}" for name in form.get("required", []) if name not in value]
        for name, part in form.get("properties", {}).items():
            if name in value:
                out += mismatches(value[name], part, whole, f"{where}.{name}")
    return out


def is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    number = isinstance(value, int | float)
    return {
        "null": value is None,
        "string": isinstance(value, str),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
        "integer": isinstance(value, int),
        "number": number,
    }[kind]


def test_data_follow_the_schema(made: Calibration, loop: Validation) -> None:
    form = schema()
    for data in (summary(made), report_data(made), report_data(made, validation=loop)):
        again = json.loads(json.dumps(data, allow_nan=False))
        assert mismatches(again, form, form) == []


def test_schema_states_every_key(made: Calibration, loop: Validation) -> None:
    form = schema()

    def unstated(value: Any, part: dict[str, Any], where: str) -> list[str]:
        if "$ref" in part:
            part = form["$defs"][part["$ref"].removeprefix("#/$defs/")]
        if "oneOf" in part:
            part = next(p for p in part["oneOf"] if p.get("type") != "null")
            return unstated(value, part, where) if value is not None and not isinstance(value, str) else []
        if isinstance(value, list):
            return [w for item in value[:2] for w in unstated(item, part.get("items", {}), where)]
        if not isinstance(value, dict) or "properties" not in part:
            return []
        found = [f"{where}.{key}" for key in value if key not in part["properties"]]
        return found + [
            w for key, item in value.items() for w in unstated(item, part["properties"].get(key, {}), f"{where}.{key}")
        ]

    data = report_data(made, validation=loop)
    data.pop("settings")
    assert unstated(data, form, "$") == []


def test_a_wrong_summary_is_seen(made: Calibration) -> None:
    form, data = schema(), summary(made)
    for key, value in (("schema", "other/1"), ("coverage", 1.5), ("shape", [1]), ("pixel_size_m", ["a", "b"])):
        assert mismatches({**data, key: value}, form, form)
    assert mismatches({k: v for k, v in data.items() if k != "verdict"}, form, form)


def test_json_file_holds_the_data(made: Calibration, tmp_path: Path) -> None:
    path = write_report(made, tmp_path / "report.json")
    assert json.loads(path.read_text(encoding="utf-8")) == report_data(made)


# -- measures


@pytest.fixture(scope="module")
def known(made: Calibration) -> DistortionFit:
    """The fit with residuals that are pure noise of 0.01 px."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, made.points[0].yx.shape)
    points = replace(made.points[0], sigma_yx=np.full_like(noise, 0.01))
    return replace(
        made.fit,
        points=(points,),
        residual_yx=(noise,),
        held_out_yx=(noise,),
        used=(np.ones(len(noise), bool),),
        plate_sigma_px=0.0,
    )


def test_distances_of_noise_are_equally_wrong_at_all_ranges(known: DistortionFit) -> None:
    pairs = measures.pair_distances(known)
    assert [p.steps for p in pairs] == sorted({p.steps for p in pairs})
    assert pairs[0].steps == 1
    assert pairs[-1].steps >= 6
    for p in pairs:
        assert np.std(p.after) == pytest.approx(0.01 * np.sqrt(2), rel=0.25)


def test_a_wrong_scale_shows_at_long_range_only(known: DistortionFit) -> None:
    pixel = known.distortion.pixel_size
    node = known.poses[0].corrected(known.plate.positions(known.points[0].ij), pixel)
    wrong = replace(known, residual_yx=(1e-3 * (node - node.mean(axis=0)),))
    first, *_, last = measures.pair_distances(wrong)
    assert np.mean(last.after) / np.mean(first.after) == pytest.approx(last.steps, rel=0.05)
    assert np.mean(first.after) == pytest.approx(1e-3 * PITCH_PX, rel=0.15)


def test_correlation(known: DistortionFit) -> None:
    for _, value, sigma in measures.residual_correlation(known):
        assert abs(value) < 4.5 * sigma
    waves = np.sin(known.points[0].yx / 100)
    steps, value, _ = measures.residual_correlation(replace(known, residual_yx=(waves,)))[0]
    assert steps == 1
    assert value > 0.8


def test_pulls_of_honest_noise_have_width_one(known: DistortionFit) -> None:
    figures = measures.quality(known)["pulls"]
    assert figures["width_yx"] == pytest.approx([1, 1], abs=0.25)
    assert figures["within_1_sigma"] == pytest.approx(0.68, abs=0.08)
    assert figures["standardised_width_yx"] == pytest.approx(figures["width_yx"])
    twice = replace(known, held_out_yx=(2 * known.held_out_yx[0],))
    assert measures.quality(twice)["pulls"]["width_yx"] == pytest.approx([2, 2], abs=0.5)


def test_a_spot_that_is_hardly_known_does_not_decide(known: DistortionFit) -> None:
    """A spoiled hole, a pixel off, with an uncertainty that says so: the figures are those of all others."""
    at = int(np.argmin(np.hypot(*(known.points[0].yx - known.points[0].yx.mean(axis=0)).T)))
    sigma, residual = known.points[0].sigma_yx.copy(), known.residual_yx[0].copy()
    sigma[at], residual[at] = 0.3, 1.0
    odd = replace(
        known,
        points=(replace(known.points[0], sigma_yx=sigma),),
        residual_yx=(residual,),
        held_out_yx=(residual,),
    )
    before, after = measures.quality(known), measures.quality(odd)
    for key in ("after_px", "held_out_px"):
        for one, other in zip(before["pair_distances"], after["pair_distances"], strict=True):
            assert other[key] == pytest.approx(one[key], rel=0.25)
    for one, other in zip(before["subpixel_bias"], after["subpixel_bias"], strict=True):
        assert other["mean_px"] == pytest.approx(one["mean_px"], abs=4e-3)
    waves = 0.01 * np.sin(known.points[0].yx / 100)
    waves[at] = 1.0
    assert measures.residual_correlation(replace(odd, residual_yx=(waves,)))[0][1] > 0.7


def test_subpixel_bias_sees_a_pull_to_the_middle(known: DistortionFit) -> None:
    yx = known.points[0].yx
    pulled = replace(known, residual_yx=(np.stack([-0.02 * (yx - np.rint(yx))[:, 0], 0 * yx[:, 1]], axis=1),))
    rows = list(measures.subpixel_bias(pulled))
    phase, mean = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    assert phase == pytest.approx(np.arange(10) / 10 - 0.45)
    assert mean[:, 0] == pytest.approx(-0.02 * phase, abs=1.1e-3)
    assert np.all(mean[:, 1] == 0)


def test_threshold_stands_between_holes_and_dirt(made: Calibration) -> None:
    found = contrasts_of(made.images[0], None, made.spots[0], made.points[0])
    assert found is not None
    assert found.is_spot.sum() > 0.9 * len(made.points[0])
    assert np.median(found.relative[found.is_spot]) > 2 * found.threshold
    assert found.relative.min() < found.threshold or found.is_spot.all()


# -- page


class Links(HTMLParser):
    """Everything that a page fetches or leads to, its headings and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.anchors: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.fetched += [v for k, v in given.items() if k in ("src", "data", "poster", "action") and v]
        if tag == "a":
            self.anchors.append(given.get("href") or "")
        elif "href" in given:
            self.fetched.append(given["href"] or "")
        if "id" in given:
            self.ids.append(given["id"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data + " "


def parsed(path: Path) -> Links:
    links = Links()
    links.feed(path.read_text(encoding="utf-8"))
    assert links.open == []
    return links


def test_page_stands_alone(page: Path) -> None:
    links = parsed(page)
    assert links.fetched
    assert all(address.startswith("data:image/png;base64,") for address in links.fetched)
    assert all(a.startswith("#") and a[1:] in links.ids for a in links.anchors)
    text = page.read_text(encoding="utf-8")
    assert "@import" not in text
    assert "url(" not in text
    assert page.stat().st_size < 5_000_000


def test_pictures_are_pictures(page: Path) -> None:
    from PIL import Image

    addresses = parsed(page).fetched
    assert len(addresses) >= 18
    for address in addresses:
        with Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1]))) as picture:
            pixels = np.asarray(picture.convert("L"))
        assert min(pixels.shape) > 200
        assert np.ptp(pixels) > 50
    assert len(set(addresses)) == len(addresses)


def test_page_says_what_the_data_say(page: Path, made: Calibration, loop: Validation) -> None:
    text, data = parsed(page).text, report_data(made, validation=loop)
    for piece in ("good", "300 x 356", f"{data['exposures'][0]['control_points']}, ", "Held-out error", "Closed loop"):
        assert piece in text
    assert f"{loop.max_misplacement:.5f}" in text
    embedded = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert embedded is not None
    assert json.loads(embedded[1]) == data


def test_page_without_closed_loop_says_so(made: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyfai_gridcal.report.page.as_data_uri", lambda figure: "data:,")
    text = parsed(write_report(made, tmp_path / "r.html")).text
    assert "Not done" in text
    assert "Corrected, with what is left" not in text


def test_names_cannot_break_the_page(made: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyfai_gridcal.report.page.as_data_uri", lambda figure: "data:,")
    bad = "</script><b onclick=x>&"
    verdict = Verdict("failed", (bad,), made.verdict.checks)
    hostile = replace(made, sources=(bad,), notes=(bad,), verdict=verdict)
    links = parsed(write_report(hostile, tmp_path / "r.html"))
    assert links.text.count(bad) >= 3
    assert "Not to be used" in links.text


def test_report_without_image_and_with_many_exposures(made: Calibration, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("pyfai_gridcal.report.page.as_data_uri", lambda figure: "data:,")
    fit, n = made.fit, 6
    repeated = {k: getattr(fit, k) * n for k in ("points", "poses", "residual_yx", "held_out_yx", "used")}
    many = replace(made, images=(), masks=(), spots=made.spots * n, fit=replace(fit, **repeated))
    text = parsed(write_report(many, tmp_path / "r.html")).text
    assert "Exposure 6: Control points" in text
    assert "Only the first 4 exposures" in text


def test_text_and_card(made: Calibration) -> None:
    text = text_report(made)
    assert "verdict      GOOD" in text
    assert "held out" in text
    assert "± " in text
    card = html_card(made)
    assert "good" in card.lower()
    assert "<script" not in card


# -- how to do it again


def test_command_does_it_again(made: Calibration) -> None:
    from pyfai_gridcal.cli import build_parser
    from pyfai_gridcal.cli._options import given_settings

    settings = replace(
        made.settings, pitch=(3e-3, 2.5e-3), pixel=51.7e-6, origin=(10.5, 20.0), lattice="rectangular", gauge=(5.0, 7.5)
    )
    words = command_line(replace(made, settings=settings)).split()
    assert words[:3] == ["pyFAI-gridcal", "calibrate", "IMAGE"]
    options = build_parser("calibrate").parse_args(words[1:])
    assert options.pitch == pytest.approx(settings.pitch, rel=1e-12)
    given = given_settings(options)
    assert given["pixel"] == pytest.approx((51.7e-6, 51.7e-6), rel=1e-12)
    assert given["origin"] == settings.origin
    assert given["lattice"] == "rectangular"
    assert given["gauge"] == settings.gauge


def test_positions_come_back_from_the_command(made: Calibration) -> None:
    import shlex

    from pyfai_gridcal.cli import build_parser

    where = ((-1.5e-3, 0.0), (40e-6, 7e-3))
    words = shlex.split(command_line(replace(made, settings=replace(made.settings, positions=where))))
    options = build_parser("calibrate").parse_args(words[1:])
    assert np.allclose(options.positions, where, rtol=1e-12)


def test_python_lines_are_python(made: Calibration) -> None:
    lines = python_lines(replace(made, settings=replace(made.settings, model="spline")))
    compile(lines, "redo", "exec")
    assert "model='spline'" in lines


# -- command


def test_command_writes_it_again(made: Calibration, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pyfai_gridcal.cli import main

    result = made.save(tmp_path / "detector.h5")
    assert main(["report", str(result), "-o", str(tmp_path / "again.json")]) == 0
    assert "again.json" in capsys.readouterr().out
    again = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))
    assert again["validation"]["rms_px"] < 0.1
    assert {k: v for k, v in again.items() if k != "validation"} == {
        k: v for k, v in report_data(made).items() if k != "validation"
    }
    assert main(["report", str(result), "-o", str(tmp_path / "page.pdf")]) == 2
    assert main(["report", str(tmp_path / "none.h5")]) == 1
    assert not (tmp_path / "page.pdf").exists()
