"""Correction shared by two worker processes of a dask cluster, one of which is killed in the middle."""
# ruff: noqa: E402  # what may be missing is looked for first

from __future__ import annotations

import importlib.util
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

HINT = "needs ewoks and dask: pip install 'pyfai-gridcal[ewoks,dask]'"
for _name in ("ewoks", "ewoksdask", "dask", "distributed"):  # importing them takes seconds: not before the test runs
    if importlib.util.find_spec(_name) is None:
        pytest.skip(HINT, allow_module_level=True)

from pyfai_gridcal import synthetic
from pyfai_gridcal.correction import parts
from pyfai_gridcal.correction.corrector import correct_image
from pyfai_gridcal.correction.streams import DATA_PATH
from pyfai_gridcal.ewoks import graphs
from pyfai_gridcal.io.kinds.kinds import read_distortion, write_distortion

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:distributed.*"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SHAPE, FRAMES, PARTS = (90, 110), 24, 6


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Any]:
    """A cluster of two processes, each with one thread.

    They do not steal work from each other, so that each is sure to get parts of its own.
    """
    import dask
    import distributed

    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with (
        dask.config.set({"distributed.scheduler.work-stealing": False}),
        distributed.LocalCluster(**options, local_directory=str(tmp_path / "dask"), silence_logs=50) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def armed(output: str, parts_before: int, testament: str) -> Callable[[], None]:
    """What makes a worker die by SIGKILL in the middle of a part, after it has finished others.

    Nested, so that it is sent to the worker as it is: the worker knows nothing of this module.
    """

    def arm() -> None:
        import glob
        import json
        import os
        import signal
        import time

        from pyfai_gridcal.correction.corrector import Corrector

        call, seen = Corrector.as_type, []

        def counting(self, frame, dtype):  # type: ignore[no-untyped-def]
            time.sleep(0.02)  # so that the other one does not do everything
            seen.append(1)
            if len(seen) == 4 * parts_before + 3:  # a part has 4 frames
                finished = glob.glob(f"{output}_*of*.h5")
                stats = {path: (os.stat(path).st_ino, os.stat(path).st_mtime_ns) for path in finished}
                begun = {path: os.path.getsize(path) for path in glob.glob(f"{output}_*.part")}
                with open(testament, "w") as stream:
                    json.dump({"pid": os.getpid(), "finished": stats, "begun": begun}, stream)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.kill(os.getpid(), signal.SIGKILL)
            return call(self, frame, dtype)

        Corrector.as_type = counting  # type: ignore[method-assign]

    return arm


def in_time(run: Callable[[], Any], seconds: float = 240.0) -> Any:
    """The result of something that may never end; then the test fails instead of hanging."""
    future: Future[Any] = Future()

    def work() -> None:
        try:
            future.set_result(run())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future.result(timeout=seconds)


def slowed() -> Callable[[], None]:
    def slow() -> None:
        import time

        from pyfai_gridcal.correction.corrector import Corrector

        call = Corrector.as_type

        def slowly(self, frame, dtype):  # type: ignore[no-untyped-def]
            time.sleep(0.02)
            return call(self, frame, dtype)

        Corrector.as_type = slowly  # type: ignore[method-assign]

    return slow


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process by a signal")
def test_worker_is_killed_in_the_middle(client: Any, tmp_path: Path) -> None:
    from ewoks import execute_graph

    scene = synthetic.demo_scene(SHAPE, pitch_px=12.0)
    write_distortion(scene.distortion, tmp_path / "detector.h5")
    frames = np.random.default_rng(2).poisson(3000, (FRAMES, *SHAPE)).astype(np.uint16)
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file["entry/data"] = frames
    output, testament = tmp_path / "out.h5", tmp_path / "testament.json"
    victim, other = client.scheduler_info()["workers"]
    client.run(armed(str(output.with_suffix("")), 1, str(testament)), workers=[victim])
    client.run(slowed(), workers=[other])

    graph = graphs.correction_graph(tmp_path / "detector.h5", tmp_path / "stack.h5", output, parts=PARTS)
    done = in_time(
        partial(
            execute_graph,
            graph,
            engine="dask",
            scheduler=client.scheduler.address,
            outputs=[{"all": True}],
            merge_outputs=False,
        )
    )

    # It has died, with a part that was complete and one that was not.
    last = json.loads(testament.read_text())
    assert last["begun"]
    assert last["finished"]
    with pytest.raises(ProcessLookupError):
        os.kill(last["pid"], 0)
    # Nothing is lost.
    truth = read_distortion(tmp_path / "detector.h5")
    with h5py.File(output) as file:
        np.testing.assert_array_equal(file[DATA_PATH], np.stack([correct_image(f, truth) for f in frames]))
    assert done["join"]["frames"] == FRAMES
    # Nothing is done twice: what was complete has not been touched, what was begun has been gone on with.
    for path, stat in last["finished"].items():
        assert [os.stat(path).st_ino, os.stat(path).st_mtime_ns] == stat
    tasks = [done[node["id"]] for node in graph["nodes"] if node["id"] != "join"]
    assert all(one["corrected"] + one["resumed"] == FRAMES // PARTS for one in tasks)
    assert any(one["corrected"] and one["resumed"] for one in tasks)
    # No remains.
    assert not list(tmp_path.glob("*.part"))
    assert sorted(tmp_path.glob("out*.h5")) == sorted(
        [output, *(parts.part_path(output, (k, PARTS)) for k in range(6))]
    )
