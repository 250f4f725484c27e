"""The examples in the docstrings of the public names do what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

import pyfai_gridcal


@pytest.mark.parametrize("name", pyfai_gridcal.__all__)
def test_example(name: str) -> None:
    thing = getattr(pyfai_gridcal, name)
    names = vars(importlib.import_module(thing.__module__))
    tests = doctest.DocTestFinder(recurse=False).find(thing, name, globs=dict(names))
    assert tests
    assert tests[0].examples, f"{name} has no example"
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(tests[0], out=said.append)
    assert not result.failed, "".join(said)


def test_formulas_have_a_source() -> None:
    for name in ("calibrate", "find_spots", "fit_distortion"):
        text = inspect.getdoc(getattr(pyfai_gridcal, name)) or ""
        assert "References\n" in text
        assert "doi:10." in text
