"""Dotted names that users may have written down: they import, or the changelog says where they went."""

from __future__ import annotations

import importlib
import re
from functools import cache

import pytest
from docpages import DOC, EVERY, SCRIPTS

#: All that README and documentation of version 0.1.0 named, without the package in front.
OF_VERSION_0_1 = """
ControlPoints Distortion GridcalError Plate Settings Spots calibrate calibration calibration.Calibration
calibration.Settings calibration.calibrate checking cli comparison conversion correction detection
detection.find_spots distortion distortion.Distortion errors errors.GridcalError ewoks ewoks.graphs
ewoks.graphs.correction_graph ewoks.graphs.fleet_graph ewoks.graphs.workflow field field.Field
field.SampledField field.TiledField find_spots fit fit.DistortionFit fit_distortion fitting
fitting.fit_distortion frames gauge gui.application gui.application.application gui.calib2
gui.calib2.window_class gui.edits gui.edits.Edit gui.view gui.view.ResultWindow gui.window
gui.window.GridcalWindow index_spots indexing indexing.index_spots interpolation io.detector
io.detector.to_detector io.fit2d io.formats io.formats.KINDS io.images io.images.load_image io.maps io.modules
io.poni io.resampling io.result io.result.load_result planning plate plate.Plate plots plots.maps plots.quality
plugins points points.ControlPoints polynomial quantity recipe recipe.Sample register report report.measures
report.pictures report.pictures.displacement_with_arrows report.pictures.grid report.schema report.write_report
rigid seamplace seams smoothing smoothing.BSpline spots spots.Spots support synthetic synthetic.Camera
synthetic.Faults synthetic.Light synthetic.Scene synthetic.SyntheticImage synthetic.catalogue
synthetic.demo_scene synthetic.field_error synthetic.fields synthetic.fields.SumField synthetic.imperfect
synthetic.match_spots synthetic.parts synthetic.place synthetic.scene synthetic.scores tiles validation
validation.validate verdict
"""


def resolves(name: str) -> bool:
    """Whether a dotted name leads to something."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("pyfai_gridcal"):
                raise
            continue
        for part in parts[k:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@cache
def moved() -> dict[str, list[str]]:
    """Name before -> names now, from the table in the changelog; in "`records.fit`, … (…)" the dots are spelled out."""
    out = {}
    for row in re.findall(
        r"^\s*\| (`.*) \| (`.*) \|$", (DOC / "changelog.md").read_text(encoding="utf-8"), re.MULTILINE
    ):
        before, now = (re.findall(r"`([\w.]+)`", cell) for cell in row)
        if "…" in row[1]:
            room = now[0].split(".")[0]
            now = [f"{room}.{name}" for name in before]
        for name in before:
            out[name] = now
    return out


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=[pytest.mark.gui] if one.startswith("gui.") else []) for one in OF_VERSION_0_1.split()],
)
def test_a_name_of_before_imports_or_is_in_the_changelog(name: str) -> None:
    parts = name.split(".")
    heads = {".".join(parts[:k]) for k in range(1, len(parts) + 1)}
    assert resolves(f"pyfai_gridcal.{name}") or heads & set(moved())


def test_where_the_changelog_sends_people_there_is_something() -> None:
    assert len(moved()) > 30
    wrong = [name for now in moved().values() for name in now if not resolves(f"pyfai_gridcal.{name}")]
    assert not wrong


@pytest.mark.parametrize("page", [*EVERY, *SCRIPTS, DOC / "tutorial.ipynb"], ids=lambda page: page.name)
def test_names_in_the_documentation_lead_somewhere(page) -> None:
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"(?<![\w/.-])pyfai_gridcal(?:\.[A-Za-z_]\w*)+(?!\w*\.json)", text))
    names = {name for name in names if ".workflows." not in name}
    assert not [name for name in sorted(names) if not resolves(name)]


def test_headings_of_the_reference_are_the_modules_below_them() -> None:
    found = []
    for page in (DOC / "reference").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        found += re.findall(r"^## (\S+)\n\n```{eval-rst}\n\.\. automodule:: pyfai_gridcal\.(\S+)", text, re.MULTILINE)
    assert len(found) > 40
    assert not [pair for pair in found if pair[0] != pair[1]]


@pytest.mark.parametrize("script", sorted(DOC.glob("make_*.py")), ids=lambda script: script.name)
def test_scripts_that_draw_for_the_documentation_find_their_modules(script) -> None:
    """They are run by hand only: what they import, and where they look for it, is tried here."""
    text = script.read_text(encoding="utf-8")
    for folder in re.findall(r"HERE\.parent((?: / \"\w+\")+)", text):
        assert DOC.parent.joinpath(*re.findall(r"\w+", folder)).is_dir()
    helpers = {path.stem for path in (DOC.parent / "tests" / "helpers").glob("*.py")}
    for module in re.findall(r"^import (\w+)  # noqa: E402", text, re.MULTILINE):
        assert module in helpers
