"""The package as a map: its modules, what is in them and what they import, read from the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyfai_gridcal

PACKAGE = "pyfai_gridcal"
ROOT = Path(pyfai_gridcal.__file__).parent


@dataclass(frozen=True)
class Import:
    """One import: `name` is dotted, `deferred` means inside a function, `bound` is what it is called here."""

    name: str
    line: int
    deferred: bool
    bound: str = ""


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


@cache
def tree_of(name: str) -> ast.Module:
    """A module as parsed: not before a test asks for it, as all workers import this to collect tests."""
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@cache
def imports_of(name: str) -> tuple[Import, ...]:
    """All imports of a module, those inside functions and for the type checker too."""
    is_package = MODULES[name].name == "__init__.py"
    return tuple(imports_in(tree_of(name), [PACKAGE, *name.split(".")], is_package))


def imports_in(node: ast.AST, here: list[str], is_package: bool, *, deferred: bool = False) -> Iterator[Import]:
    """Imports below a node of the module `here`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, deferred, alias.asname or alias.name)
        elif isinstance(child, ast.ImportFrom):
            base = here[: len(here) - child.level + is_package] if child.level else []
            prefix = ".".join([*base, *([child.module] if child.module else [])])
            for alias in child.names:
                yield Import(f"{prefix}.{alias.name}", child.lineno, deferred, alias.asname or alias.name)
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        inside = deferred or for_types or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports_in(child, here, is_package, deferred=inside)


def own_module(name: str) -> str | None:
    """Longest module of this package that an imported dotted name leads to, None for other packages."""
    if name != PACKAGE and not name.startswith(PACKAGE + "."):
        return None
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts)


def room_of(name: str) -> str:
    return name.split(".")[0]


def functions_of(name: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions and methods of a module that do something: those of protocols, and overloads, are none."""
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            rest = [
                line for line in node.body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ]
            if rest:
                yield node
