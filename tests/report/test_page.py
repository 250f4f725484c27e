"""The page needs nothing else and says what the data say."""

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

from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.judging.validation import Validation
from pyfai_gridcal.records.verdict import Verdict
from pyfai_gridcal.report import report_data, write_report


def test_json_file_holds_the_data(made: Calibration, tmp_path: Path) -> None:
    path = write_report(made, tmp_path / "report.json")
    assert json.loads(path.read_text(encoding="utf-8")) == report_data(made)


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
    for piece in (
        "good",
        "300 x 356",
        f"{data['exposures'][0]['control_points']} assigned",
        "left-out holes",
        "known to 0.0",
    ):
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
    assert "Do not use this calibration" in links.text


def test_report_without_image_and_with_many_exposures(made: Calibration, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("pyfai_gridcal.report.page.as_data_uri", lambda figure: "data:,")
    fit, n = made.fit, 6
    repeated = {k: getattr(fit, k) * n for k in ("points", "poses", "residual_yx", "held_out_yx", "used")}
    many = replace(made, images=(), masks=(), spots=made.spots * n, fit=replace(fit, **repeated))
    text = parsed(write_report(many, tmp_path / "r.html")).text
    assert "Exposure 6: Control points" in text
    assert "Only the first 4 exposures" in text


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
