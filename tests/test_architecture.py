"""The shape of the house: imports point one way, and starting up is quick."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import pyfai_gridcal

PACKAGE = "pyfai_gridcal"
ROOT = Path(pyfai_gridcal.__file__).parent
MAX_LINES = 450

#: A module imports only from lower layers, or from its own layer as long as no circle comes out of it. A sub-package
#: stands for all its modules.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("_typing", "blas", "errors", "frames", "processors", "quantity"),
    ("spots", "plate", "points", "field", "registration", "blockband", "splinebasis"),
    (
        *(
            "distortion",
            "survey",
            "dead",
            "picking",
            "light",
            "noise",
            "grain",
            "profile",
            "windows",
            "rim",
            "spotmodel",
            "refinement",
            "learning",
        ),
        *("neighbours", "growth", "sublattice", "indexing", "completion", "regularity", "search", "detection"),
    ),
    ("fit", "recipe", "smoothing", "bspline", "polynomial", "rigid", "gauge", "tiles", "support"),
    (
        *("crossvalidation", "interpolation", "seams", "seamplace", "choice", "fitting", "exposures", "statistics"),
        *("joint", "platemap", "positions", "bending", "comparison", "planning"),
        *("synthetic", "verdict", "assessment"),
    ),
    ("calibration",),
    (
        *("io", "validation", "correction", "conversion", "tablecache", "streaming", "correctors"),
        *("checking", "inspection", "dialects", "correctors", "plugins"),
    ),
    ("plots", "report", "benchmark"),
    ("cli", "ewoks", "gui", "__main__"),
)
LAYER = {name: height for height, names in enumerate(LAYERS) for name in names}

#: Doors that open upwards, from inside a function only: the conveniences of the records, and a command that starts
#: what it is named after.
DOORS = {
    "calibration": {"io", "validation", "correction", "plots", "report"},
    "cli": {"gui"},
}

#: What a third-party package may be imported by at module level: the lowest layer that may.
LOWEST_LAYER = {"matplotlib": 7, "fabio": 6, "h5py": 6, "silx": 6, "hdf5plugin": 6, "ewokscore": 8}
#: pyFAI's compiled helpers are needed low down; importing them there has to wait until they are called.
ALWAYS_DEFERRED = {"pyFAI", "matplotlib"}
QT = {"PySide6", "PyQt5", "PyQt6", "qtpy", "qtawesome"}


@dataclass(frozen=True)
class Import:
    """One import: `name` is dotted, `deferred` means inside a function."""

    name: str
    line: int
    deferred: bool


def modules() -> dict[str, Path]:
    """Dotted name inside the package -> file; the package's own front door is not among them."""
    out = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts:
            out[".".join(parts)] = path
    return out


MODULES = modules()
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imports_of(name: str) -> Iterator[Import]:
    """All imports of a module but those that only a type checker sees."""
    is_package = MODULES[name].name == "__init__.py"
    yield from _walk(TREES[name], [PACKAGE, *name.split(".")], is_package, deferred=False)


def _walk(node: ast.AST, here: list[str], is_package: bool, *, deferred: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, deferred)
        elif isinstance(child, ast.ImportFrom):
            base = here[: len(here) - child.level + is_package] if child.level else []
            prefix = ".".join([*base, *([child.module] if child.module else [])])
            for alias in child.names:
                yield Import(f"{prefix}.{alias.name}", child.lineno, deferred)
        inside = deferred or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(child, here, is_package, deferred=inside)


def own_module(name: str) -> str | None:
    """Longest module of this package that an imported dotted name leads to, None for other packages."""
    if name != PACKAGE and not name.startswith(PACKAGE + "."):
        return None
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts)


def top(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("name", MODULES)
def test_module_has_its_layer(name: str) -> None:
    assert top(name) in LAYER, (
        f"{name} stands in no layer: add it to LAYERS in {Path(__file__).name}, one above the highest module it imports"
    )


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    layer, wrong = LAYER.get(top(name), 99), []
    for found in imports_of(name):
        target = own_module(found.name)
        if target is None or (found.deferred and top(target) in DOORS.get(top(name), ())):
            continue
        if target == "":
            wrong.append(f"line {found.line}: {found.name} is no module; the front door is for users only")
        elif LAYER.get(top(target), 0) > layer:
            wrong.append(f"line {found.line}: {target} is in a higher layer")
        elif layer == len(LAYERS) - 1 and LAYER.get(top(target)) == layer and top(target) != top(name) != "__main__":
            wrong.append(f"line {found.line}: {top(name)} and {top(target)} must not know each other")
    assert not wrong, f"{name}: " + "; ".join(wrong)


def test_no_circles() -> None:
    graph = {
        name: {
            target
            for found in imports_of(name)
            if not found.deferred and (target := own_module(found.name)) and target != name
        }
        for name in MODULES
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, "circle of imports: " + " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        for target in sorted(graph[name]):
            # A package and its own modules may know each other: the package only collects.
            if not target.startswith(name + ".") and not name.startswith(target + "."):
                visit(target, (*path, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("name", MODULES)
def test_others_are_imported_where_they_may(name: str) -> None:
    wrong = []
    for found in imports_of(name):
        package = top(found.name)
        is_qt = package in QT or found.name.startswith(("silx.gui", "pyFAI.gui"))
        if is_qt and top(name) != "gui":
            wrong.append(f"line {found.line}: Qt ({found.name}) belongs in gui/")
        lowest = LOWEST_LAYER.get(package)
        if lowest is not None and not found.deferred and LAYER.get(top(name), 99) < lowest:
            wrong.append(f"line {found.line}: {package} at module level is for layer {lowest} and up")
        if package in ALWAYS_DEFERRED and not found.deferred and LAYER.get(top(name), 99) < 7:
            wrong.append(f"line {found.line}: import {found.name} inside the function that needs it")
    assert not wrong, f"{name}: " + "; ".join(wrong)


@pytest.mark.parametrize("name", MODULES)
def test_module_is_small(name: str) -> None:
    lines = len(MODULES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{name} has {lines} lines, expected at most {MAX_LINES}: split it by nouns"


@pytest.mark.parametrize("name", [m for m in MODULES if top(m) != "cli"])
def test_only_the_command_line_prints(name: str) -> None:
    wrong = [
        f"line {node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "logging.basicConfig"}
    ]
    assert not wrong, f"{name}: " + "; ".join(wrong)


def fresh(code: str) -> str:
    """What a new interpreter prints that runs `code`."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


LOADED = "import sys; heavy = {heavy}; print([m for m in heavy if m in sys.modules])"
HEAVY = ["matplotlib", "PySide6", "PyQt5", "silx.gui", "pyFAI", "pyFAI.detectors", "fabio", "h5py"]
#: Parts of scipy that take a second or two to import: inside the function that needs them.
SLOW_SCIPY = ["scipy.signal", "scipy.stats"]


def test_import_is_light() -> None:
    assert fresh(f"import {PACKAGE}; " + LOADED.format(heavy=[*HEAVY, *SLOW_SCIPY])).strip() == "[]"


def test_help_is_light() -> None:
    code = f"import {PACKAGE}.cli as c\ntry:\n    c.main(['--version'])\nexcept SystemExit:\n    pass\n"
    assert fresh(code + LOADED.format(heavy=HEAVY)).splitlines()[-1] == "[]"


def test_types_are_shipped() -> None:
    assert (ROOT / "py.typed").exists()
