"""The shape of the house: imports point one way, and starting up is quick."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from housemap import MODULES, PACKAGE, ROOT, functions_of, imports_in, imports_of, own_module, room_of, tree_of

from pyfai_gridcal.synthetic import demo_scene

MAX_LINES = 400
MAX_LINES_OF_A_FUNCTION = 60

#: The rooms from the ground up: a module imports from its own room and from those before it, inside functions too.
ROOMS = (
    *(
        "base",
        "records",
        "indexing",
        "finding",
        "fitting",
        "synthetic",
        "io",
        "correction",
        "judging",
        "report",
        "rings",
    ),
    *("exposure", "calibration", "plugins", "benchmark", "gui", "ewoks", "cli", "__main__"),
)
HEIGHT = {name: height for height, name in enumerate(ROOMS)}

#: The doors do not know each other, but for a command that starts the window that it is named after.
DOORS = ("benchmark", "gui", "ewoks", "cli")
OPENS = {("cli", "gui"), ("cli", "benchmark")}

#: What a third-party package may be imported by at module level: the lowest room that may.
LOWEST = {"matplotlib": "report", "fabio": "io", "h5py": "io", "silx": "io", "hdf5plugin": "io", "ewokscore": "ewoks"}
#: pyFAI's compiled helpers are needed low down; importing them there has to wait until they are called.
ALWAYS_DEFERRED = {"pyFAI", "matplotlib"}
QT = {"PySide6", "PyQt5", "PyQt6", "qtpy", "qtawesome"}


def why_not(importer: str, target: str) -> str | None:
    """What is wrong with one module of the package importing another; None when nothing is."""
    here, there = room_of(importer), room_of(target)
    if target == "":
        return "the front door is for users only"
    if here == there:
        return None
    if HEIGHT.get(there, 99) > HEIGHT.get(here, -1):
        return f"{there} is above {here}"
    if here in DOORS and there in DOORS and (here, there) not in OPENS:
        return f"{here} and {there} must not know each other"
    return None


def test_every_room_is_there() -> None:
    assert len(set(ROOMS)) == len(ROOMS)
    assert {room_of(name) for name in MODULES} == set(ROOMS)


def test_hdf5_files_are_opened_in_one_place() -> None:
    """What locks, writers and damage mean for a file is decided there."""
    openers = {"h5py.File", "File", "silx.io.open", "silx.io.h5py_utils.File", "h5py_utils.File"}
    found = {
        (name, ast.unparse(node.func))
        for name in MODULES
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in openers
    }
    assert found == {("base.opening", "h5py.File")}


def test_imports_point_down() -> None:
    wrong = [
        f"{name}, line {found.line}: {found.name}: {reason}"
        for name in MODULES
        for found in imports_of(name)
        if (target := own_module(found.name)) is not None and (reason := why_not(name, target))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        *(("records.plate", "indexing.growth"), ("io.images.masks", "report.page"), ("report.data", "calibration")),
        *(("gui.work.core", "cli"), ("ewoks.tasks", "gui.window"), ("calibration", ""), ("nowhere", "base.errors")),
    ],
)
def test_an_arrow_that_points_up_is_seen(importer: str, target: str) -> None:
    assert why_not(importer, target)


def test_imports_inside_functions_are_seen() -> None:
    source = "if TYPE_CHECKING:\n    from ..report import page\ndef f():\n    from ..gui import window\n"
    found = list(imports_in(ast.parse(source), [PACKAGE, "records", "plate"], False))
    assert [(one.name, one.deferred) for one in found] == [
        (f"{PACKAGE}.report.page", True),
        (f"{PACKAGE}.gui.window", True),
    ]


def circles(graph: dict[str, set[str]]) -> list[str]:
    """One path around each circle of a graph."""
    done: set[str] = set()
    out = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            out.append(" -> ".join([*path[path.index(name) :], name]))
        elif name not in done:
            for target in sorted(graph.get(name, ())):
                visit(target, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    return out


def test_no_circles() -> None:
    graph = {
        name: {
            target
            for found in imports_of(name)
            # a package and its own modules may know each other: the package only collects
            if (target := own_module(found.name))
            and not (target + ".").startswith(name + ".")
            and not name.startswith(target + ".")
        }
        for name in MODULES
    }
    assert circles(graph) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b -> c -> b"]


def test_others_are_imported_where_they_may() -> None:
    assert [one for name in MODULES for one in taken_too_low(name)] == []


def taken_too_low(name: str) -> Iterator[str]:
    """What a module imports of other packages that belongs in a higher room, or inside a function."""
    here = HEIGHT.get(room_of(name), 99)
    for found in imports_of(name):
        package = room_of(found.name)
        is_qt = package in QT or found.name.startswith(("silx.gui", "pyFAI.gui"))
        if is_qt and (room_of(name) != "gui" or name.startswith("gui.work.")):
            yield f"{name}, line {found.line}: Qt ({found.name}) belongs in gui/, outside of gui/work/"
        if found.deferred:
            continue
        lowest = LOWEST.get(package)
        if lowest is not None and here < HEIGHT[lowest] and not (package == "h5py" and name == "base.opening"):
            yield f"{name}, line {found.line}: {package} at module level is for {lowest} and above"
        if package in ALWAYS_DEFERRED and here < HEIGHT["report"]:
            yield f"{name}, line {found.line}: import {found.name} inside the function that needs it"


def test_modules_are_small() -> None:
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    large = {name: count for name, count in lines.items() if count > MAX_LINES}
    assert not large, f"expected at most {MAX_LINES} lines: split them by nouns"


def lines_told(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the docstring, of those of more than 30: what a public name tells, with examples, makes no code long."""
    first = function.body[0]
    lines = (first.end_lineno or first.lineno) - first.lineno + 1
    return lines if ast.get_docstring(function) and lines > 30 else 0


def test_functions_are_small() -> None:
    large = {
        f"{name}: {one.name} (line {one.lineno})": length
        for name in MODULES
        for one in functions_of(name)
        if (length := (one.end_lineno or one.lineno) - one.lineno + 1 - lines_told(one)) > MAX_LINES_OF_A_FUNCTION
    }
    assert not large, f"expected at most {MAX_LINES_OF_A_FUNCTION} lines: make functions of the stages"


def test_every_module_with_functions_has_a_test_module() -> None:
    """Of its name, in the folder that mirrors the module's."""
    tests = Path(__file__).parents[1]
    missing = {}
    for name in MODULES:
        *rooms, last = name.split(".")
        if MODULES[name].name == "__init__.py":
            rooms = [*rooms, last]
        path = Path(*rooms, f"test_{last.strip('_')}.py")
        if any(functions_of(name)) and not (tests / path).is_file():
            missing[name] = f"tests/{path}"
    assert not missing


def test_only_the_command_line_prints() -> None:
    wrong = [
        f"{name}, line {node.lineno}: {ast.unparse(node.func)}"
        for name in MODULES
        if room_of(name) != "cli"
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "logging.basicConfig"}
    ]
    assert wrong == []


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


#: What a command may load of packages that take long: of pyFAI no more than finds spots.
BIG = ("pyFAI", "silx", "matplotlib", "scipy", "PySide6", "PyQt5", "dask", "ewokscore", "pandas", "numba")
BASICS = {"scipy.fft", "scipy.linalg", "scipy.ndimage", "scipy.sparse", "scipy.spatial", "scipy.special"}
PICKING = {"pyFAI.containers", "pyFAI.directories", "pyFAI.ext", "pyFAI.resources", "pyFAI.utils"}
#: What other packages bring along by themselves.
BROUGHT = {"scipy.constants", "scipy.version", "pyFAI.version"}
#: Parts of this package that nobody needs who has not asked for them: the page with its figures, rings, windows.
ASKED = ("report.page", "report.figures", "report.pictures", "report.plots", "rings", "gui", "correction", "synthetic")


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("calibrate --help", BASICS),
        pytest.param("calibrate IMAGE --pitch 1mm -o OUT.h5 --json OUT.json", BASICS | PICKING, marks=pytest.mark.slow),
    ],
)
def test_a_command_loads_no_more_than_it_needs(tmp_path: Path, command: str, allowed: set[str]) -> None:
    picture = demo_scene((120, 135), pitch_px=18.0).render(np.random.default_rng(3))
    np.save(tmp_path / "IMAGE.npy", picture.image)
    words = [
        word.replace("IMAGE", str(tmp_path / "IMAGE.npy")).replace("OUT", str(tmp_path / "OUT"))
        for word in command.split()
    ]
    code = (
        f"import contextlib, io, sys\nfrom {PACKAGE}.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    status = main({words})\n"
        f"names = ('.'.join(name.split('.')[:2]) for name in sys.modules if name.split('.')[0] in {BIG})\n"
        "print(status, *sorted({name for name in names if '._' not in name and '.' in name}))\n"
        f"print(*(name for name in sys.modules if name.startswith({tuple(f'{PACKAGE}.{name}' for name in ASKED)})))"
    )
    (status, *loaded), asked = (line.split() for line in fresh(code).splitlines())
    assert status == "0"
    assert not asked
    assert set(loaded) - BROUGHT <= allowed, f"more than needed: {sorted(set(loaded) - BROUGHT - allowed)}"


def test_types_are_shipped() -> None:
    assert (ROOT / "py.typed").exists()
