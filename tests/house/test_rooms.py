"""What each room lends to the others: a sentence, and a list in its ``__init__.py`` that is neither longer nor shorter.

When a list is wrong, the failing test prints the right one.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections import defaultdict
from functools import cache

import pytest
from docpages import DOC, EVERY
from housemap import MODULES, PACKAGE, ROOT, Import, imports_in, imports_of, own_module, room_of, tree_of

ROOMS = [name for name, path in MODULES.items() if path.name == "__init__.py" and "." not in name]
#: These gather what their modules make, for users: what is in their `__all__` is open without being listed again.
GATHER = {"report", "report.plots", "synthetic", "benchmark", "cli"}


def defined(name: str) -> set[str]:
    """Names that a module makes itself, or that it exports."""
    out = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            out.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            out.add(node.id)
    return out | set(value_of(name, "__all__") or ())  # type: ignore[call-overload]


def value_of(name: str, variable: str) -> object:
    """Value of a variable at the top of a module, None where it has none of this name."""
    for node in tree_of(name).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == variable:
            return ast.literal_eval(node.value)  # type: ignore[attr-defined]
    return None


def exported(name: str) -> tuple[str, ...]:
    return tuple(value_of(name, "__all__") or ()) if name in GATHER else ()  # type: ignore[arg-type]


def taken(tree: ast.AST, found: Import) -> set[tuple[str, str]]:
    """(module, name) of what an import takes; of a module that is imported whole, the attributes that are used."""
    module = own_module(found.name)
    if not module:
        return set()
    rest = found.name.split(".")[1 + module.count(".") + 1 :]
    if rest:
        return {(module, rest[0])}
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == found.bound
    }
    return {(module, attribute) for attribute in attributes}


@cache
def lent() -> dict[str, set[str]]:
    """Module -> its names that another room, the front door or the documentation uses."""
    out = defaultdict(set)
    for name in MODULES:
        for found in imports_of(name):
            for module, what in taken(tree_of(name), found):
                if room_of(module) != room_of(name):
                    out[module].add(what)
    for module, what in [*_by_the_front_door(), *_by_the_documentation()]:
        out[module].add(what)
    return {module: names for module, names in out.items() if room_of(module) in ROOMS}


def _by_the_front_door() -> set[tuple[str, str]]:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    found = imports_in(tree, [PACKAGE], True)
    return {pair for one in found for pair in taken(tree, one)}


def _by_the_documentation() -> set[tuple[str, str]]:
    """Imports in its scripts and examples, and names with their module in its text."""
    out = set()
    for path in [*EVERY, *DOC.rglob("*.py"), *DOC.glob("*.ipynb")]:
        if path.stem == "changelog":  # it names what has been
            continue
        text = path.read_text(encoding="utf-8").replace("\\n", "\n")
        dotted = set(re.findall(rf"\b{PACKAGE}(?:\.\w+)+", text))
        for module, names in re.findall(rf"from ({PACKAGE}[\w.]*) import ([\w, ]+|\([\w,\s]+\))", text):
            dotted |= {f"{module}.{one.split()[0]}" for one in re.split(r"[,()\n]", names) if one.strip()}
        for one in dotted:
            module = own_module(one)
            rest = one.split(".")[1 + (module or "").count(".") + 1 :]
            if module and rest and rest[0] in defined(module):
                out.add((module, rest[0]))
    return out


def right(room: str) -> dict[str, tuple[str, ...]]:
    """What the list of a room should be."""
    out = {}
    for module, names in sorted(lent().items()):
        left = names - set(exported(module))
        if room_of(module) == room and left:
            out[module.removeprefix(room).removeprefix(".") or "__init__"] = tuple(sorted(left))
    return out


HEAD = "Other rooms may use::\n\n"


def as_text(lent: dict[str, tuple[str, ...]]) -> str:
    """A list as it stands at the end of the docstring of a room."""
    width = 2 + max(map(len, lent), default=0)
    lines = []
    for module, names in lent.items():
        rows = textwrap.wrap(", ".join(names), width=114 - width)
        lines += [f"    {module if k == 0 else '':{width}}{row}" for k, row in enumerate(rows)]
    return HEAD + "\n".join(lines)


def listed(room: str) -> dict[str, tuple[str, ...]]:
    """The list that a room has."""
    return listed_in(ast.get_docstring(tree_of(room)) or "")


def listed_in(docstring: str) -> dict[str, tuple[str, ...]]:
    text = docstring.partition(HEAD)[2]
    out: dict[str, tuple[str, ...]] = {}
    module = ""
    for line in text.splitlines():
        first, _, rest = line[4:].partition(" ")
        module = first or module
        out[module] = (*out.get(module, ()), *(name for name in re.split(r"[,\s]+", rest) if name))
    return out


@pytest.mark.parametrize("room", ROOMS)
def test_list_of_a_room_is_right(room: str) -> None:
    assert listed(room) == right(room), f"the docstring of {room}/__init__.py should end with\n\n{as_text(right(room))}"


def test_a_list_survives_the_docstring() -> None:
    lent = {"images.frames": tuple(f"name_{k}" for k in range(20)), "io": ("Image",)}
    assert listed_in(as_text(lent)) == lent


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_listed_exists_and_is_nobodys_own(room: str) -> None:
    for module, names in right(room).items():
        name = room if module == "__init__" else f"{room}.{module}"
        assert set(names) <= defined(name) | {path.split(".")[-1] for path in MODULES if path.startswith(f"{name}.")}
        assert not [one for one in names if one.startswith("_")], "what others need has no underscore"


@pytest.mark.parametrize("room", [name for name, path in MODULES.items() if path.name == "__init__.py"])
def test_a_room_says_its_sentence_and_imports_nothing(room: str) -> None:
    text = ast.get_docstring(tree_of(room)) or ""
    first = text.partition("\n\n")[0]
    assert re.fullmatch(r"[^.?]+[^.?\s][.?]", re.sub(r"\w\.\w|:?`[^`]*`|\.\.\.", "x", first)), (
        f"one sentence, not {first!r}"
    )
    imports = [one.name for one in imports_of(room) if not one.name.startswith("__future__")]
    assert not imports or room in GATHER, imports


def test_uses_are_seen() -> None:
    source = "from ..records.field import Field\nfrom ..base import frames as f\nf.CORNERS; f.x.y\n"
    tree = ast.parse(source)
    found = list(imports_in(tree, [PACKAGE, "io", "images", "masks"][:3], False))
    pairs = {pair for one in found for pair in taken(tree, one)}
    assert pairs == {("records.field", "Field"), ("base.frames", "CORNERS"), ("base.frames", "x")}
    assert ("indexing.indexing", "index_spots") in _by_the_front_door()
    assert ("synthetic.fields", "taper") in lent_pairs()


def lent_pairs() -> set[tuple[str, str]]:
    return {(module, name) for module, names in lent().items() for name in names}
