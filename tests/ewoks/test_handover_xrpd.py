"""The workflow that hands a calibrated detector to the integration of ewoksxrpd."""
# what may be missing is looked for first

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ewoksxrpd", reason="needs ewoksxrpd (pip install ewoksxrpd): the integration is its task")

from ewoks import execute_graph
from ewokscore.task import Task
from ewoksutils.import_utils import import_qualname

from pyfai_gridcal import synthetic
from pyfai_gridcal.ewoks import graphs

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SHAPE = (250, 290)
DISTANCE, WAVELENGTH = 0.05, 0.5e-10


def test_links_lead_to_inputs_of_ewoksxrpd() -> None:
    graph = graphs.workflow("calibrate_integrate")
    tasks: dict[str, type[Task]] = {node["id"]: import_qualname(node["task_identifier"]) for node in graph["nodes"]}
    for link in graph["links"]:
        mapping = link["data_mapping"]
        assert {one["source_output"] for one in mapping} <= tasks[link["source"]].output_names()
        assert {one["target_input"] for one in mapping} <= tasks[link["target"]].input_names()


def test_calibrate_then_integrate(tmp_path: Path) -> None:
    import fabio
    import pyFAI

    scene = synthetic.demo_scene(SHAPE, pitch_px=24.0)
    np.save(tmp_path / "grid.npy", scene.render(np.random.default_rng(3), bounds=False).image)
    image = np.random.default_rng(4).poisson(200, SHAPE).astype(np.float32)
    fabio.edfimage.EdfImage(data=image).write(str(tmp_path / "rings.edf"))
    poni = {"poni_version": 2.1, "Detector": "Detector", "Detector_config": '{"pixel1": 5e-5, "pixel2": 5e-5}'}
    poni |= {"Distance": DISTANCE, "Poni1": 0.006, "Poni2": 0.007, "Rot1": 0.01, "Rot2": 0, "Rot3": 0}
    poni |= {"Wavelength": WAVELENGTH}
    (tmp_path / "geometry.poni").write_text("".join(f"{key}: {value}\n" for key, value in poni.items()))
    given = {
        "calibrate": {
            "images": str(tmp_path / "grid.npy"),
            "pitch": scene.plate.pitch_m[0],
            "output": str(tmp_path / "detector.h5"),
        },
        "geometry": {
            # Options without a version count as version 1, in which pyFAI does not know of detector files.
            "filename": str(tmp_path / "geometry.poni"),
            "integration_options": {
                "version": 4,
                "nbpt_rad": 150,
                "unit": "2th_deg",
                "method": ["full", "csr", "cython"],
            },
        },
        "integrate": {"image": str(tmp_path / "rings.edf")},
        "save": {"filename": str(tmp_path / "pattern.dat")},
    }
    inputs = [{"id": node, "name": k, "value": v} for node, them in given.items() for k, v in them.items()]
    execute_graph(graphs.workflow("calibrate_integrate"), inputs=inputs, engine="core")

    detector = pyFAI.detectors.detector_factory("NexusDetector", config={"filename": str(tmp_path / "detector.h5")})
    geometry = {"dist": DISTANCE, "poni1": 0.006, "poni2": 0.007, "rot1": 0.01, "wavelength": WAVELENGTH}
    integrator = pyFAI.load({**geometry, "detector": detector}, type_="pyFAI.integrator.azimuthal.AzimuthalIntegrator")
    expected = integrator.integrate1d(image, 150, unit="2th_deg", method=("full", "csr", "cython"))
    found = np.loadtxt(tmp_path / "pattern.dat")
    assert len(found) == 150
    np.testing.assert_allclose(found[:, 0], expected.radial, rtol=1e-4)
    np.testing.assert_allclose(found[:, 1], expected.intensity, rtol=1e-3)
