"""Ratios, growth and the machine, in words."""

from __future__ import annotations

import json

from measured import made_up

from pyfai_gridcal.benchmark.table import growth, machine, ratios


def test_ratios_and_growth() -> None:
    rows = [made_up("taper", "gridcal", 1.0, 100.0), made_up("taper", "tutorial", 9.0, 500.0, matrix_mb=2000.0)]
    assert ratios(rows, "taper") == [
        (
            "tutorial takes 9.0 times the processor time, 9.0 times the seconds, 20.0 times the memory "
            "(with its matrix of distances in one piece)"
        )
    ]
    assert ratios(rows[1:], "taper") == []
    grown = [made_up(f"pixels-{side}", "gridcal", 1e-6 * side**2, 60.0, pixels=side**2) for side in (1024, 2048, 4096)]
    assert any("1.00th power" in line for line in growth(grown))
    assert growth(grown[:1]) == []


def test_machine_names_no_host() -> None:
    here = machine()
    assert here["cores"] >= 1
    import platform

    assert platform.node() not in json.dumps(here) or not platform.node()
