"""Windows without a screen: the application, waiting, and mistakes in slots that must not go unseen."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def qapp() -> Any:
    """The application of the session."""
    from pyfai_gridcal.gui.application import application

    app = application()
    app.setQuitOnLastWindowClosed(False)
    gc.freeze()  # what was imported by now need not be gone through after each window
    return app


@pytest.fixture(autouse=True)
def slots_do_not_fail(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An exception in a slot, which Qt swallows, fails the test."""
    errors: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, value, trace: errors.append(value))
    yield
    if errors:
        raise AssertionError(f"{len(errors)} exceptions in slots, the first: {errors[0]!r}") from errors[0]


@pytest.fixture
def wait(qapp: Any) -> Callable[..., None]:
    """Let the windows live until something is the case."""

    def until(condition: Callable[[], object], seconds: float = 60.0, what: str = "") -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not within {seconds} s: {what or condition}"
            qapp.processEvents()
            time.sleep(0.002)
        qapp.processEvents()

    return until


@pytest.fixture
def keep(qapp: Any) -> Iterator[Callable[[Any], Any]]:
    """Show a window and take it down after the test."""
    windows: list[Any] = []

    def show(window: Any) -> Any:
        windows.append(window)
        window.resize(1100, 800)
        window.show()
        qapp.processEvents()
        return window

    yield show
    for window in reversed(windows):
        task = getattr(window, "task", window)
        if hasattr(task, "stop"):
            task.stop()
        window.hide()
        window.deleteLater()
    qapp.sendPostedEvents(None, 52)  # DeferredDelete
    qapp.processEvents()
    gc.collect()
