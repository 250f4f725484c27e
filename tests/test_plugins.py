"""Detector calibrations are found by their entry points, and a broken one harms nobody."""

from __future__ import annotations

import logging
import sys
import types
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from hub import wave

from pyfai_gridcal import plugins
from pyfai_gridcal.base.errors import CalibrationError, UsageError
from pyfai_gridcal.io.kinds.kinds import write_distortion


@pytest.fixture
def registry():
    """pyFAI's registry of detectors, put back afterwards."""
    from pyFAI.detectors import ALL_DETECTORS

    before = dict(ALL_DETECTORS)
    yield ALL_DETECTORS
    ALL_DETECTORS.clear()
    ALL_DETECTORS.update(before)


@pytest.fixture
def installed(monkeypatch):
    """A function that installs entry points for the time of the test: name -> object."""
    module = types.ModuleType("plugin_of_somebody")
    monkeypatch.setitem(sys.modules, "plugin_of_somebody", module)

    def install(**objects):
        entries = []
        for name, value in objects.items():
            setattr(module, name, value)
            entries.append(EntryPoint(name, f"plugin_of_somebody:{name}", plugins.GROUP))
        entries.append(EntryPoint("missing", "no_such_module_at_all:Thing", plugins.GROUP))
        ours = EntryPoint("gridcal", "pyfai_gridcal.plugins:GridCalibration", plugins.GROUP)
        monkeypatch.setattr(plugins, "entry_points", lambda group: (ours, *entries) if group == plugins.GROUP else ())

    return install


class Rings:
    name = "rings"
    title = "from rings"
    needs = {"images": "rings"}  # noqa: RUF012

    def calibrate(self, images, **settings):
        from pyFAI.detectors import Detector

        return Detector(1e-4, 1e-4, max_shape=(10, 10))


def test_members_are_listed_without_being_imported(installed):
    installed(rings=Rings)
    found = plugins.members()
    assert [m.name for m in found] == ["gridcal", "missing", "rings"]
    assert "no_such_module_at_all" not in sys.modules


def test_broken_members_are_reported_and_skipped(installed, registry, caplog):
    class Broken:
        def __init__(self):
            raise RuntimeError("out of order")

    class Incomplete:
        name = "incomplete"

    installed(rings=Rings, broken=Broken, incomplete=Incomplete, twin=Rings())
    with caplog.at_level(logging.WARNING):
        loaded = plugins.load_members()
    assert sorted(loaded) == ["gridcal", "rings"]
    assert isinstance(loaded["rings"], plugins.DetectorCalibration)
    text = caplog.text
    for part in ("out of order", "lacks title, needs, calibrate", "no_such_module_at_all", "is taken"):
        assert part in text
    assert registry["rings"].__name__ == "NexusDetector"


def test_this_package_is_installed_as_a_member():
    ours = [m for m in plugins.members() if m.value.startswith("pyfai_gridcal.")]
    if not ours:
        pytest.skip("the package is not installed with its entry points")
    assert isinstance(ours[0].load(), plugins.DetectorCalibration)
    assert ours[0].distribution == "pyfai-gridcal"


def test_nothing_is_registered_by_the_import():
    import subprocess

    code = (
        "import pyfai_gridcal.plugins, pyfai_gridcal.cli, pyFAI.detectors as d; "
        "assert 'gridcal' not in d.ALL_DETECTORS; "
        "pyfai_gridcal.register(); assert d.ALL_DETECTORS['gridcal'] is d.NexusDetector"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_registered_names_lead_to_plain_detectors(registry, tmp_path):
    from pyFAI.detectors import NexusDetector, detector_factory

    path = write_distortion(wave((60, 80)), tmp_path / "det.h5")[0]
    before = {name: one for name, one in registry.items() if name != "gridcal"}
    assert "gridcal" in plugins.register("mine", "pilatus1m")
    detector = detector_factory("gridcal", {"filename": str(path)})
    assert type(detector) is NexusDetector
    assert detector.shape == (60, 80)
    assert registry["mine"] is NexusDetector
    assert {name: one for name, one in registry.items() if name in before} == before, "names of pyFAI were replaced"


def test_a_poni_file_from_there_needs_nothing_of_ours(registry, tmp_path):
    import subprocess

    from pyFAI.detectors import detector_factory
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    path = write_distortion(wave((60, 80)), tmp_path / "det.h5")[0]
    plugins.register()
    detector = detector_factory("gridcal", {"filename": str(path)})
    AzimuthalIntegrator(dist=0.2, detector=detector, wavelength=1e-10).save(str(tmp_path / "a.poni"))
    code = (
        "import sys, pyFAI, numpy; ai = pyFAI.load(sys.argv[1]); assert type(ai.detector).__name__ == 'NexusDetector'; "
        "numpy.save(sys.argv[2], ai.detector.get_pixel_corners()); "
        "assert not any(m.startswith('pyfai_gridcal') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.poni"), str(tmp_path / "corners.npy")], check=True)
    assert np.allclose(np.load(tmp_path / "corners.npy"), wave((60, 80)).pixel_corners(), atol=1e-9)


class _Verdict:
    level = "good"
    reasons = ()


@pytest.fixture
def calibrated(monkeypatch):
    """`calibrate` without its work: returns a record of how it was called."""
    from pyfai_gridcal import calibration
    from pyfai_gridcal.io.nexus.detector import to_detector

    class Result:
        verdict = _Verdict()

        def detector(self):
            return to_detector(wave((60, 80)))

        def save(self, path):
            return write_distortion(wave((60, 80)), path)[0]

    called = []
    monkeypatch.setattr(calibration, "calibrate", lambda *a, **k: called.append((a, k)) or Result())
    return Result, called


def test_calibrate_gives_plain_detectors(calibrated, tmp_path):
    from pyFAI.detectors import Detector, NexusDetector

    ours = plugins.GridCalibration()
    assert type(ours.calibrate("image", pitch=1e-3)) in (Detector, NexusDetector)
    assert calibrated[1] == [(("image",), {"pitch": 1e-3})]
    kept = ours.calibrate("image", pitch=1e-3, output=tmp_path / "det.h5")
    assert type(kept) is NexusDetector
    assert kept.filename == str(tmp_path / "det.h5")


def test_what_is_not_to_be_trusted_is_not_returned(calibrated, monkeypatch):
    class Failed:
        level = "failed"
        reasons = ("no grid",)

    monkeypatch.setattr(calibrated[0], "verdict", Failed())
    with pytest.raises(CalibrationError, match="no grid"):
        plugins.GridCalibration().calibrate("image", pitch=1e-3)
    assert plugins.GridCalibration().calibrate("image", pitch=1e-3, force=True).shape == (60, 80)


def test_a_member_without_calibrate_is_refused(installed):
    class Half:
        name = title = "half"
        needs = {}  # noqa: RUF012
        calibrate = None

    installed(half=Half)
    half = next(m for m in plugins.members() if m.name == "half")
    with pytest.raises(UsageError, match="calibrate"):
        half.load()


def test_command_is_that_of_the_package(capsys):
    assert plugins.GridCalibration.command(["--help"]) == 0
    assert "--pitch" in capsys.readouterr().out
