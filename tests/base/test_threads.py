"""How many threads, and that the number comes back."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from pyfai_gridcal.base import threads
from pyfai_gridcal.base.threads import one_blas_thread, processors


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A library that remembers its number, in place of those that are installed."""
    count = {"threads": 7, "changes": 0}

    def change(number: int) -> None:
        count.update(threads=number, changes=count["changes"] + 1)

    monkeypatch.setattr(threads, "_libraries", lambda: ((lambda: count["threads"], change),))
    return count


def test_one_thread_within_and_as_many_as_before_afterwards(library: dict[str, int]) -> None:
    with one_blas_thread():
        assert library["threads"] == 1
    assert library["threads"] == 7


def test_it_comes_back_after_an_error(library: dict[str, int]) -> None:
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        1 / 0  # noqa: B018
    assert library["threads"] == 7


def test_nested_ones_change_it_once(library: dict[str, int]) -> None:
    with one_blas_thread():
        with one_blas_thread():
            pass
        assert library["threads"] == 1
    assert (library["threads"], library["changes"]) == (7, 2)


def test_the_last_of_overlapping_threads_sets_it_back(library: dict[str, int]) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with one_blas_thread():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    with one_blas_thread():
        pass
    assert library["threads"] == 1, "the other one is still at work"
    leave.set()
    thread.join(10)
    assert library["threads"] == 7


def test_real_libraries_calculate_the_same_within() -> None:
    a = np.random.default_rng(0).normal(0, 1, (60, 40))
    with one_blas_thread():
        assert all(getter() == 1 for getter, _ in threads._libraries())
        product = a.T @ a
    np.testing.assert_allclose(product, np.einsum("ki,kj->ij", a, a), rtol=1e-10, atol=1e-12)


def test_processors_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 5, 6}, raising=False)
    assert processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert processors() == 12
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1
