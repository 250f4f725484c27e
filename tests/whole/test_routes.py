"""Ways to a detector file, pyFAI's own and those of programs that integrate for others, each in an interpreter of its
own that has never heard of this package.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hub import wave

from pyfai_gridcal.io.kinds.conversion import convert
from pyfai_gridcal.io.kinds.kinds import write_distortion
from pyfai_gridcal.io.kinds.options import Writing
from pyfai_gridcal.records.jobs import Reading
from pyfai_gridcal.records.traits import Sensor, Traits

#: Interpreters that start, ten of them.
pytestmark = pytest.mark.slow

SHAPE = (180, 230)
GEOMETRY = {
    "dist": 0.03,
    "poni1": 0.004,
    "poni2": 0.0065,
    "rot1": 0.02,
    "rot2": -0.01,
    "rot3": 0.0,
    "wavelength": 1e-10,
}
#: At the head of each script: what is given, and a promise that is checked at the end.
HEAD = """
import sys, json, atexit, logging
import numpy as np
folder = sys.argv[1] + "/"
def alone():
    ours = [m for m in sys.modules if m.split(".")[0] == "pyfai_gridcal"]
    assert not ours, ours
def keep(name, array):
    np.save(folder + name, np.asarray(array))
    alone()
"""

SCRIPTS = {
    "factory": """
        from pyFAI.detectors import detector_factory
        import copy, pickle
        det = detector_factory(folder + "det.h5")
        assert type(det).__module__.startswith("pyFAI.")
        for one in (copy.copy(det), copy.deepcopy(det), pickle.loads(pickle.dumps(det))):
            assert (one.get_pixel_corners() == det.get_pixel_corners()).all() and (one.mask == det.mask).all()
        keep("factory_mask", det.mask)
        p1, p2, _ = det.calc_cartesian_positions()
        keep("factory_positions", np.stack([p1, p2], -1))
        keep("factory", det.get_pixel_corners())
    """,
    "poni": """
        import os, pyFAI
        os.chdir("/")
        ai = pyFAI.load(folder + "exp.poni")
        assert (ai.dist, ai.poni1, ai.rot1, ai.wavelength) == (0.03, 0.004, 0.02, 1e-10)
        keep("poni", ai.detector.get_pixel_corners())
    """,
    "integrate1d": """
        import pyFAI
        ai = pyFAI.load(folder + "exp.poni")
        image = np.load(folder + "rings.npy")
        for method in ("no", "bbox", "full"):
            res = ai.integrate1d(image, 150, unit="r_mm", method=(method, "csr", "cython"), correctSolidAngle=False)
            keep("integrate1d_" + method, [res.radial, res.intensity, res.count])
    """,
    "worker": """
        import pyFAI
        from pyFAI.worker import Worker
        worker = Worker()
        worker.set_config(json.load(open(folder + "config.json")))
        worker.output = "numpy"
        out = np.asarray(worker.process(np.load(folder + "rings.npy")))
        keep("worker", out.T if out.shape[0] > out.shape[1] else out)
    """,
    "distortion": """
        from pyFAI.detectors import detector_factory
        from pyFAI.distortion import Distortion
        dis = Distortion(detector_factory(folder + "det.h5"))
        keep("distortion", dis.correct(np.load(folder + "spot.npy")))
    """,
    "spline": """
        from pyFAI.detectors import Detector
        keep("spline", Detector(splinefile=folder + "det.spline").get_pixel_corners())
    """,
    "detector2nexus": """
        from pyFAI.app.detector2nexus import main
        main(["-D", folder + "det.h5", "-o", folder + "again.h5"])
        main(["-s", folder + "det.spline", "-o", folder + "spline.h5"])
        from pyFAI.detectors import detector_factory
        for name in ("again", "spline"):
            keep("detector2nexus_" + name, detector_factory(folder + name + ".h5").get_pixel_corners())
    """,
    "maps": """
        import fabio
        from pyFAI.detectors import Detector
        det = Detector(48e-6, 53e-6, max_shape=(180, 230), orientation=3)
        det.set_dx(fabio.open(folder + "map-x.edf").data)
        det.set_dy(fabio.open(folder + "map-y.edf").data)
        keep("maps", det.get_pixel_corners())
    """,
    "snippet": """
        from pyFAI.detectors import detector_factory
        config = json.load(open(folder + "snippet.json"))
        keep("snippet", detector_factory(config["detector"], config["detector_config"]).get_pixel_corners())
    """,
    "parallax": """
        import pyFAI
        from pyFAI.worker import Worker
        ai = pyFAI.load(folder + "parallax.poni")
        keep("parallax", ai.position_array(do_parallax=True) if getattr(ai, "parallax", None) else [])
        if getattr(ai, "parallax", None):
            config = json.load(open(folder + "config.json"))
            config["poni"].update(poni_version=3, parallax=True)
            worker = Worker()
            worker.set_config(config)
            keep("parallax_worker", worker.ai.position_array(do_parallax=True))
    """,
    "ewoksxrpd": """
        from ewoksxrpd.tasks.integrate import IntegrateSinglePattern
        geometry = json.load(open(folder + "geometry.json"))
        options = {"version": 4, "nbpt_rad": 150, "unit": "r_mm", "method": ["full", "csr", "cython"]}
        options |= {"correct_solid_angle": False, "error_model": None}
        task = IntegrateSinglePattern(inputs={
            "image": folder + "rings.edf", "detector": "NexusDetector", "geometry": geometry,
            "detector_config": {"filename": folder + "det.h5"},
            "energy": 12.398419843320026, "integration_options": options,
        })
        task.run()
        keep("ewoksxrpd", [task.outputs.radial, task.outputs.intensity])
    """,
    "dioptas": """
        from dioptas.model.DioptasModel import DioptasModel
        for name in ("dioptas", "det"):
            model = DioptasModel()
            model.img_model.load(folder + "rings.edf")
            calibration = model.calibration_model
            calibration.use_dioptrin = False
            calibration.correct_solid_angle = False
            calibration.load_detector_from_file(folder + name + ".h5")  # first: a PONI file alone leaves it away
            calibration.load(folder + name + ".poni")
            assert type(calibration.detector).__name__ == "NexusDetector"
            keep(name + "_pattern", calibration.integrate_1d(num_points=150, unit="2th_deg"))
    """,
}
#: Programs that are not there everywhere.
OTHERS = {"ewoksxrpd": "pip install ewoksxrpd", "dioptas": "pip install dioptas"}
SENSOR = Sensor("CdTe", 1e-3)


@dataclass
class Run:
    process: subprocess.Popen
    folder: Path
    result: tuple[int, str] | None = None

    def wait(self) -> Path:
        if self.result is None:
            out, _ = self.process.communicate(timeout=300)
            self.result = (self.process.returncode, out)
        assert self.result[0] == 0, self.result[1]
        return self.folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    from pyfai_gridcal.io.kinds.pointers import Experiment, save_pointer
    from pyfai_gridcal.io.nexus.detector import to_detector

    folder = tmp_path_factory.mktemp("routes")
    truth = replace(wave(SHAPE, masked=True), traits=Traits(SENSOR))
    write_distortion(truth, folder / "det.h5")
    write_distortion(truth, folder / "det.spline", writing=Writing(tolerance=0.002))
    write_distortion(wave(SHAPE), folder / "map.edf")
    save_pointer(folder / "exp.poni", folder / "det.h5", Experiment(GEOMETRY))
    save_pointer(folder / "snippet.json", folder / "det.h5")
    save_pointer(folder / "parallax.poni", folder / "det.h5", Experiment(GEOMETRY, parallax=True))
    save_pointer(folder / "det.poni", folder / "det.h5", Experiment(GEOMETRY))
    for_dioptas = Reading(orientation=2)  # which turns images upside down
    convert(folder / "det.h5", folder / "dioptas.poni", reading=for_dioptas, like=folder / "exp.poni")
    (folder / "geometry.json").write_text(json.dumps({k: v for k, v in GEOMETRY.items() if k != "wavelength"}))
    geometry = AzimuthalIntegrator(**GEOMETRY, detector=to_detector(wave(SHAPE)))
    r = geometry.center_array(SHAPE, unit="r_mm")
    np.save(folder / "rings.npy", profile(r).astype(np.float32))
    y, x = np.indices(SHAPE)
    np.save(folder / "spot.npy", (1e4 * np.exp(-((y - 90) ** 2 + (x - 140) ** 2) / 8)).astype(np.float32))
    config = {
        "application": "pyfai-integrate",
        "version": 5,
        "poni": {"poni_version": 2.1, "detector": "NexusDetector"}
        | {"detector_config": {"filename": str(folder / "det.h5"), "orientation": 3}}
        | GEOMETRY,
        "nbpt_rad": 150,
        "do_2D": False,
        "unit": "r_mm",
        "correct_solid_angle": False,
        "method": ["full", "csr", "cython"],
        "error_model": None,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def profile(r):
    """A ring, narrower than the distortion is large."""
    return 100 + 1000 * np.exp(-((r - 4.2) ** 2) / (2 * 0.12**2)) + 20 * r


@pytest.fixture(scope="module")
def runs(folder):
    """All interpreters, started at once."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    import fabio

    fabio.edfimage.EdfImage(data=np.load(folder / "rings.npy")).write(str(folder / "rings.edf"))
    started = {}
    for name, body in SCRIPTS.items():
        if name in OTHERS and importlib.util.find_spec(name) is None:
            continue
        lines = body.splitlines()
        script = folder / f"route_{name}.py"
        script.write_text(HEAD + "\n".join(line[8:] for line in lines))
        command = [sys.executable, "-W", "ignore", str(script), str(folder)]
        started[name] = Run(
            subprocess.Popen(
                command, cwd="/", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            ),
            folder,
        )
    command = [sys.executable, "-m", "pyFAI.app.integrate", "--no-gui", "-j", str(folder / "config.json")]
    command += ["-o", str(folder / "rings.dat"), str(folder / "rings.edf")]
    started["integrate"] = Run(
        subprocess.Popen(
            command, cwd="/", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ),
        folder,
    )
    yield started
    for run in started.values():
        if run.process.poll() is None:
            run.process.kill()
        run.process.stdout.close()
        run.process.wait()


def true_corners():
    return wave(SHAPE).pixel_corners(np.float64)[..., 1:]


def off_px(corners, where=slice(None)):
    gap = ((np.asarray(corners, float)[..., 1:] - true_corners()) / wave(SHAPE).pixel_size)[where]
    return float(np.hypot(gap[..., 0], gap[..., 1]).max())


def unmasked():
    """Pixels for which a spline is held to its tolerance."""
    return ~wave(SHAPE, masked=True).mask


def test_detector_factory(runs):
    folder = runs["factory"].wait()
    assert off_px(np.load(folder / "factory.npy")) < 1e-3
    assert np.array_equal(np.load(folder / "factory_mask.npy") != 0, wave(SHAPE, masked=True).mask)
    gap = np.load(folder / "factory_positions.npy") - true_corners().mean(axis=2)
    assert np.abs(gap / wave(SHAPE).pixel_size).max() < 1e-3


@pytest.mark.parametrize("route", ["poni", "snippet", "maps"])
def test_other_files(runs, route):
    assert off_px(np.load(runs[route].wait() / f"{route}.npy")) < 1e-3


def test_spline(runs):
    assert off_px(np.load(runs["spline"].wait() / "spline.npy"), unmasked()) < 3e-3


@pytest.mark.parametrize(("name", "limit"), [("again", 1e-3), ("spline", 3e-3)])
def test_detector2nexus(runs, name, limit):
    assert off_px(np.load(runs["detector2nexus"].wait() / f"detector2nexus_{name}.npy"), unmasked()) < limit


@pytest.mark.parametrize("method", ["no", "bbox", "full"])
def test_integration_sees_the_true_radius(runs, method):
    """A ring drawn where the distorted camera sees it comes out as the profile that was drawn; without the file it
    does not.
    """
    r, intensity, count = np.load(runs["integrate1d"].wait() / f"integrate1d_{method}.npy")
    good = count > 5
    assert np.abs(intensity - profile(r))[good].max() < 40
    assert 3.5 < r[np.argmax(intensity)] < 4.9
    flat = _integrated_without_the_file(method)
    assert np.abs(flat[1] - profile(flat[0]))[flat[2] > 5].max() > 100


def _integrated_without_the_file(method):
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    detector = Detector(*wave(SHAPE).pixel_size, max_shape=SHAPE, orientation=3)
    integrator = AzimuthalIntegrator(**GEOMETRY, detector=detector)
    from pyfai_gridcal.io.nexus.detector import to_detector

    r = AzimuthalIntegrator(**GEOMETRY, detector=to_detector(wave(SHAPE))).center_array(SHAPE, unit="r_mm")
    res = integrator.integrate1d(
        profile(r), 150, unit="r_mm", method=(method, "csr", "cython"), correctSolidAngle=False
    )
    return np.array([res.radial, res.intensity, res.count])


def test_masked_pixels_are_not_integrated(runs):
    counts = np.load(runs["integrate1d"].wait() / "integrate1d_no.npy")[2]
    assert counts.sum() == (~wave(SHAPE, masked=True).mask).sum()


def test_worker_and_command_agree_with_the_session(runs):
    r, intensity, _ = np.load(runs["integrate1d"].wait() / "integrate1d_full.npy")
    worker = np.load(runs["worker"].wait() / "worker.npy")
    assert np.allclose(worker[0], r, rtol=1e-5)
    assert np.allclose(worker[1], intensity, rtol=1e-4)
    found = sorted(runs["integrate"].wait().glob("rings*.dat"))
    assert found, runs["integrate"].result
    table = np.loadtxt(found[0])
    assert np.allclose(table[:, 0], r, rtol=1e-5)
    assert np.allclose(table[:, 1], intensity, rtol=1e-4)


def test_the_sensor_serves_the_correction_of_parallax(runs):
    """In a PONI file of version 3 and in a worker, as if the sensor had been told to pyFAI."""
    pytest.importorskip("pyFAI.detectors.sensors", reason="this pyFAI knows no sensors")
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    from pyfai_gridcal.io.nexus.detector import to_detector

    expected = AzimuthalIntegrator(**GEOMETRY, detector=to_detector(wave(SHAPE)))
    without = expected.position_array()
    expected.enable_parallax(sensor_material="CdTe", sensor_thickness=SENSOR.thickness_m)
    folder = runs["parallax"].wait()
    for name in ("parallax", "parallax_worker"):
        found = np.load(folder / f"{name}.npy")
        np.testing.assert_allclose(found, expected.position_array(do_parallax=True), atol=1e-8)
        assert np.abs(found - without).max() > 1e-6


def another(name, runs):
    if name not in runs:
        pytest.skip(f"needs {name} ({OTHERS[name]})")
    return runs[name].wait()


def test_ewoksxrpd_agrees_with_the_session(runs):
    found = np.load(another("ewoksxrpd", runs) / "ewoksxrpd.npy")
    r, intensity, _ = np.load(runs["integrate1d"].wait() / "integrate1d_full.npy")
    assert np.allclose(found[0], r, rtol=1e-5)
    assert np.allclose(found[1], intensity, rtol=1e-4)


def test_dioptas_with_the_detector_for_its_images(runs):
    """It turns images upside down; with the file of images as they are stored, the ring is lost."""
    folder = another("dioptas", runs)
    r, intensity, count = np.load(runs["integrate1d"].wait() / "integrate1d_bbox.npy")
    peak = {}
    for name in ("dioptas", "det"):
        angle, found = np.load(folder / f"{name}_pattern.npy")
        at = GEOMETRY["dist"] * 1e3 * np.tan(np.radians(angle))
        peak[name] = np.interp(r, at, found)
    good = (count > 5) & (r > 3) & (r < 6)
    assert np.abs(peak["dioptas"] - intensity)[good].max() < 60  # other bins, radius by angle
    assert np.abs(peak["det"] - intensity)[good].max() > 300


def test_distortion(runs):
    folder = runs["distortion"].wait()
    out, spot = np.load(folder / "distortion.npy"), np.load(folder / "spot.npy")
    assert out.sum(dtype=float) == pytest.approx(spot.sum(dtype=float), rel=1e-4)
    y, x = np.indices(SHAPE)
    centre = np.array([(out * y).sum(dtype=float), (out * x).sum(dtype=float)]) / out.sum(dtype=float)
    weight = (spot / spot.sum(dtype=float)).ravel()
    expected = (wave(SHAPE).correct(np.argwhere(np.ones(SHAPE))) * weight[:, None]).sum(axis=0)
    assert np.abs(centre - expected).max() < 0.01


def test_the_file_needs_no_plugin(folder):
    """Only gzip and shuffle, so that every HDF5 reads it."""
    with h5py.File(folder / "det.h5") as file:
        filters = set()

        def look(name, node):
            if isinstance(node, h5py.Dataset):
                plan = node.id.get_create_plist()
                filters.update(plan.get_filter(k)[0] for k in range(plan.get_nfilters()))

        file.visititems(look)
    assert filters <= {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE}
