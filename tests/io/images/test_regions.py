"""Parts of a detector and binned pixels, by what headers and shapes tell."""

from __future__ import annotations

import pytest

from pyfai_gridcal.io.images.regions import binning_of, binning_told, region_told, why_not


@pytest.mark.parametrize(
    "header",
    [
        {"image_roi": "<150,100>-<400x300>"},
        {"Image_ROI": "<150, 100>-<400 x 300>"},
        {"row_beg": "100", "row_end": "399", "col_beg": "150", "col_end": "549"},
        {"Offset_1": "150", "Offset_2": "100.0"},
    ],
)
def test_headers_tell_the_part(header: dict[str, str]) -> None:
    assert region_told(header, (300, 400)) == (100, 400, 150, 550)


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"image_roi": "<150,100>-<300x400>"},
        {"image_roi": "all"},
        {"row_beg": "100", "row_end": "398", "col_beg": "150", "col_end": "549"},
        {"row_beg": "100", "row_end": "399", "col_beg": "150"},
        {"Offset_1": "150.5", "Offset_2": "100"},
        {"Offset_1": "-1", "Offset_2": "100"},
    ],
)
def test_what_does_not_fit_tells_nothing(header: dict[str, str]) -> None:
    assert region_told(header, (300, 400)) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"image_bin": "<3x2>"}, (2, 3)),
        ({"row_bin": "2", "col_bin": "3"}, (2, 3)),
        ({"BSize_1": "3.0", "BSize_2": "2"}, (2, 3)),
        ({"image_bin": "<1x1>", "BSize_1": "3", "BSize_2": "2"}, (1, 1)),
        ({"image_bin": "<0x1>"}, None),
        ({}, None),
    ],
)
def test_headers_tell_the_binning(header: dict[str, str], expected: tuple[int, int] | None) -> None:
    assert binning_told(header) == expected


def test_binning_is_whole() -> None:
    assert binning_of((256, 640), (512, 640)) == (2, 1)
    for shape in ((300, 640), (1024, 640), (0, 5), (512,), (512, 640, 3)):
        assert binning_of(shape, (512, 640)) is None


def test_hints_fit_the_case() -> None:
    for shape, word in (
        ((256, 640), "--binning 2,1"),
        ((300, 400), "--roi"),
        ((640, 512), "exchanged"),
        ((1024, 1280), "another detector"),
    ):
        assert word in (why_not(shape, (512, 640)) or "")
    assert why_not((3, 512, 640), (512, 640)) is None
