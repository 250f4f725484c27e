"""The process that reads files back: it says what this one would say, and is not missed when it is gone."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io import readback
from pyfai_gridcal.io.nexus import detector, result
from pyfai_gridcal.io.nexus import groups as nexus
from pyfai_gridcal.io.nexus.result import save_result
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField

SHAPE, PIXEL = (37, 61), (48e-6, 51e-6)


@pytest.fixture(scope="module")
def distortion() -> Distortion:
    y, x = np.linspace(0, SHAPE[0] - 1, 5), np.linspace(0, SHAPE[1] - 1, 7)
    values = np.random.default_rng(3).normal(0, 0.7, (5, 7, 2))
    mask = np.zeros(SHAPE, bool)
    mask[3:5, 50:] = True
    return Distortion(SampledField(y, x, values), SHAPE, PIXEL, mask)


@pytest.fixture
def reader() -> Iterator[readback.Reader]:
    one = readback._start()
    assert one is not None
    yield one
    one.stop()


def forbid(*_: object) -> None:
    raise AssertionError("read back in this process")


def test_it_says_what_this_process_would_say(tmp_path, distortion, reader, monkeypatch):
    path = save_result(distortion, tmp_path / "a.h5")
    nodes = nexus.detector_nodes(distortion)
    asked = (
        (path, nodes, PIXEL, distortion.mask),
        (path, nodes + np.float32(0.01 * PIXEL[1]), PIXEL, distortion.mask),
        (path, nodes, (PIXEL[1], PIXEL[0]), None),
        (tmp_path / "missing.h5", nodes, PIXEL, None),
        (path, nodes, PIXEL, distortion.mask),
    )
    here = []
    for one in asked:
        try:
            detector.check_detector(*one)
            here.append("")
        except FileFormatError as error:
            here.append(str(error))
    assert [bool(text) for text in here] == [False, True, True, True, False]
    monkeypatch.setattr(detector, "check_detector", forbid)
    for one, text in zip(asked, here, strict=True):
        if text:
            with pytest.raises(FileFormatError) as caught:
                readback.read_back(*one, reader=reader)
            assert str(caught.value) == text
        else:
            readback.read_back(*one, reader=reader)


def test_wrong_file_does_not_replace_a_good_one(tmp_path, distortion, reader, monkeypatch, one_corner_off):
    path = save_result(distortion, tmp_path / "a.h5", reader=reader)
    before = path.read_bytes()

    one_corner_off((7, 11), 2e-3 * PIXEL[0])
    monkeypatch.setattr(detector, "check_detector", forbid)
    with pytest.raises(FileFormatError, match="corners off by"):
        save_result(distortion, path, reader=reader)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["a.h5"]


def test_large_detectors_are_read_before_more_is_made(tmp_path, distortion, reader, monkeypatch):
    done = []

    def noting(name, original):
        def call(*given, **named):
            done.append(name)
            return original(*given, **named)

        return call

    monkeypatch.setattr(result, "_BESIDE", 1000)
    monkeypatch.setattr(detector, "check_detector", noting("read here", detector.check_detector))
    monkeypatch.setattr(result, "make_products", noting("products", result.make_products))
    path = save_result(distortion, tmp_path / "a.h5", reader=reader)
    assert done == ["read here", "products"]
    np.testing.assert_array_equal(nexus.read_detector(path).mask, distortion.mask)


def test_when_it_is_gone_this_process_reads(tmp_path, distortion, reader, monkeypatch):
    reader._process.kill()
    reader._process.wait()
    seen = []

    def look(path, *rest, original=detector.check_detector):
        seen.append(path)
        original(path, *rest)

    monkeypatch.setattr(detector, "check_detector", look)
    assert save_result(distortion, tmp_path / "a.h5", reader=reader).exists()
    assert len(seen) == 1


def test_an_interrupt_is_for_whoever_started_it(tmp_path, distortion, reader, monkeypatch):
    path = save_result(distortion, tmp_path / "a.h5", reader=reader)  # it is at work by now
    reader._process.send_signal(signal.SIGINT)
    monkeypatch.setattr(detector, "check_detector", forbid)
    readback.read_back(path, nexus.detector_nodes(distortion), PIXEL, distortion.mask, reader=reader)


def test_it_ends_by_itself_when_nobody_can_ask_any_more(reader):
    reader._process.stdin.close()
    assert reader._process.wait(timeout=120) == 0


def test_the_current_folder_is_not_imported_from(tmp_path, distortion, monkeypatch):
    (tmp_path / "h5py.py").write_text("raise SystemExit('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    path = save_result(distortion, tmp_path / "a.h5")
    monkeypatch.setattr(detector, "check_detector", forbid)
    one = readback._start()
    try:
        readback.read_back(path, nexus.detector_nodes(distortion), PIXEL, distortion.mask, reader=one)
    finally:
        one.stop()


def test_it_is_not_started_in_vain(monkeypatch):
    with readback.started_reader() as reader:  # pyFAI is here already
        assert reader is None
    monkeypatch.delitem(sys.modules, "pyFAI.detectors")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with readback.started_reader() as reader:
        assert reader is None
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with readback.started_reader() as reader:
        assert reader is None
    monkeypatch.delattr(sys, "frozen")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with readback.started_reader() as reader:
        assert reader is None


def test_it_does_not_outlive_the_command(monkeypatch):
    monkeypatch.delitem(sys.modules, "pyFAI.detectors")
    with pytest.raises(KeyboardInterrupt), readback.started_reader() as reader:
        raise KeyboardInterrupt
    assert reader._process.poll() is not None
