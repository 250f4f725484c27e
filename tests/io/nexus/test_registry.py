"""Names of records in files: each leads to its class, and nothing that may be stored is without one."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, is_dataclass

import pytest

import pyfai_gridcal
from pyfai_gridcal.fitting.support import Support
from pyfai_gridcal.io.nexus import registry
from pyfai_gridcal.io.nexus.registry import RECORDS, class_of, name_of


@dataclass(frozen=True)
class WithoutRow:
    """A record of somebody else."""


#: Fields that only judge others, and are in no file.
NEVER_STORED = {"_Radial"}


@pytest.mark.parametrize("name", RECORDS)
def test_name_leads_to_its_class_and_back(name: str) -> None:
    kind = class_of(name)
    assert kind is not None
    assert is_dataclass(kind)
    assert name_of(kind) == name


@pytest.mark.parametrize(("before", "name"), registry._BEFORE.items())
def test_names_of_version_0_1_are_known(before: str, name: str) -> None:
    assert class_of(before) is class_of(name)


def test_two_classes_of_one_name_are_told_apart() -> None:
    assert class_of("bspline:SplineField") is not class_of("io.fit2d:SplineField")


@pytest.mark.parametrize(
    "name", ["", "os:system", "NoSuchRecord", "calibration:calibrate", "pyfai_gridcal.records.fit:Pose"]
)
def test_nothing_else_is_a_record(name: str) -> None:
    assert class_of(name) is None


def test_a_record_of_ours_without_a_name_is_not_written() -> None:
    with pytest.raises(TypeError, match="give it a row"):
        name_of(Support)
    assert name_of(WithoutRow) == f"{__name__}:WithoutRow"


def test_every_field_of_the_package_has_a_name() -> None:
    """A calibration may carry any field; one without a row could not be read again after a move."""
    found = set()
    for info in pkgutil.walk_packages(pyfai_gridcal.__path__, "pyfai_gridcal."):
        if any(part in info.name for part in (".gui", ".ewoks", "__main__")):
            continue
        module = importlib.import_module(info.name)
        found |= {
            kind
            for kind in vars(module).values()
            if isinstance(kind, type) and is_dataclass(kind) and {"at", "on_grid"} <= set(dir(kind))
        }
    named = {class_of(name) for name in RECORDS}
    assert len(found) > 15
    assert {kind.__qualname__ for kind in found - named} <= {*NEVER_STORED, "_Formula"}
