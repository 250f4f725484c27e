"""Only a program that a file is made for can find it wrong."""

from __future__ import annotations

import pytest

from pyfai_gridcal.judging.dialects import Agreement
from pyfai_gridcal.judging.findings import Finding, Opinion

NEAR, FAR = Agreement((0.0, 0.0), 1e-4, 1e-3), Agreement((0.5, 0.5), 0.7, 0.7, "half-pixel dialect", 1e-3)


@pytest.mark.parametrize(
    ("found", "intended", "wrong"),
    [(NEAR, True, False), (FAR, True, True), (None, True, True), (FAR, False, False), (None, False, False)],
)
def test_an_opinion_is_wrong_where_the_file_is_made_for_the_program(found, intended, wrong) -> None:
    assert Opinion("pyFAI", "detector_factory", found, intended=intended).wrong == wrong


def test_a_finding_is_a_remark_unless_it_says_so() -> None:
    assert not Finding("no pixel corners").wrong
    assert Finding("transposed", wrong=True).wrong
