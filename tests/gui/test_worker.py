"""Work in a thread: order, cancel, errors, and windows that stay alive."""

from __future__ import annotations

import threading
import time

import pytest
from qtest import qt

from pyfai_gridcal.base.errors import UsageError

pytestmark = pytest.mark.gui


@pytest.fixture
def worker(qapp, wait):
    from pyfai_gridcal.gui.worker import Worker

    worker = Worker()
    yield worker
    worker.stop()
    assert worker.wait()


def job(function, done=lambda result: None, title=""):
    from pyfai_gridcal.gui.worker import BackgroundJob

    return BackgroundJob("test", function, done, title)


def test_result_comes_in_the_thread_of_the_windows(worker, wait):
    seen = []
    worker.start(
        job(
            lambda progress: threading.current_thread(),
            lambda thread: seen.append((thread, threading.current_thread())),
        )
    )
    assert worker.isBusy
    wait(lambda: seen)
    assert seen[0][0] is not seen[0][1]
    assert seen[0][1] is threading.main_thread()
    assert not worker.isBusy


def test_errors_are_told(worker, wait):
    seen = []

    def fail(progress):
        raise UsageError("no")

    worker.sigFailed.connect(lambda error, title: seen.append((title, str(error))))
    worker.start(job(fail))
    wait(lambda: seen)
    worker.start(job(fail, title="Save detector"))
    wait(lambda: len(seen) == 2)
    assert seen == [("", "no"), ("Save detector", "no")]


def test_cancelled_work_ends_at_its_next_report_and_is_not_heard(worker, wait):
    hold, ended, seen = threading.Event(), threading.Event(), []

    def work(progress):
        try:
            progress(0.1, "begun")
            hold.wait(10)
            progress(0.5, "half")
            seen.append("went on")
        finally:
            ended.set()

    texts = []
    worker.sigProgress.connect(lambda fraction, text: texts.append(text))
    worker.sigCancelled.connect(lambda: seen.append("cancelled"))
    worker.start(job(work, lambda result: seen.append("done")))
    wait(lambda: "begun" in texts)
    worker.cancel()
    assert seen == ["cancelled"]
    assert not worker.isBusy
    hold.set()
    wait(ended.is_set)
    worker.start(job(lambda progress: 5, seen.append))
    wait(lambda: 5 in seen)
    assert seen == ["cancelled", 5]


def test_a_new_job_takes_the_place_of_the_old_one(worker, wait):
    hold, seen = threading.Event(), []
    worker.start(job(lambda progress: (hold.wait(10), progress(0.5, ""))[0], lambda result: seen.append("old")))
    worker.start(job(lambda progress: "new", seen.append))
    hold.set()
    wait(lambda: seen)
    assert seen == ["new"]


def test_a_lasting_job_is_brought_to_its_end_first(worker, wait):
    hold, seen = threading.Event(), []
    lasting = job(lambda progress: (hold.wait(10), progress(0.5, ""), "written")[2], seen.append)
    lasting.lasting = True
    worker.start(lasting)
    worker.start(job(lambda progress: "first", seen.append))
    worker.start(job(lambda progress: "second", seen.append))
    hold.set()
    wait(lambda: len(seen) == 2)
    assert seen == ["written", "second"]
    assert not worker.isBusy


def test_cancel_forgets_what_waits(worker, wait):
    hold, seen = threading.Event(), []
    lasting = job(lambda progress: (hold.wait(10), progress(0.5, ""))[1], seen.append)
    lasting.lasting = True
    worker.start(lasting)
    worker.start(job(lambda progress: "waiting", seen.append))
    worker.cancel()
    hold.set()
    worker.start(job(lambda progress: "next", seen.append))
    wait(lambda: seen)
    assert seen == ["next"]


def test_reports_are_not_too_many(worker, wait):
    seen, done = [], []
    worker.sigProgress.connect(lambda fraction, text: seen.append(fraction))

    def work(progress):
        for k in range(20000):
            progress(k / 20000, "counting")

    worker.start(job(work, lambda result: done.append(1)))
    wait(lambda: done)
    assert 2 <= len(seen) < 200


def test_windows_live_while_work_runs(worker, wait):
    """The longest pause of the event loop, while another thread computes, is far below what a person notices."""
    import numpy as np

    done, gaps, last = [], [], [time.monotonic()]
    timer = qt.QTimer()
    timer.timeout.connect(lambda: (gaps.append(time.monotonic() - last[0]), last.__setitem__(0, time.monotonic())))
    timer.start(1)

    def work(progress):
        data = np.random.default_rng(0).normal(size=(600, 600))
        for _ in range(5):
            np.linalg.svd(data)
            sum(k * k for k in range(100_000))

    worker.start(job(work, lambda result: done.append(1)))
    wait(lambda: done)
    timer.stop()
    assert len(gaps) > 5
