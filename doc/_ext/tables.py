"""Tables that are read from the package itself: checks of the verdict, kinds of files, errors, settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class _Table(SphinxDirective):
    """A directive without arguments that becomes a list table."""

    head: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()

    def rows(self) -> Iterator[tuple[str, ...]]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        table = nodes.table()
        group = nodes.tgroup(cols=len(self.head))
        table += group
        for width in self.widths:
            group += nodes.colspec(colwidth=width)
        top, body = nodes.thead(), nodes.tbody()
        group += top
        group += body
        top += self._row(self.head)
        for cells in self.rows():
            body += self._row(cells)
        return [table]

    def _row(self, cells: tuple[str, ...]) -> nodes.row:
        row = nodes.row()
        for cell in cells:
            entry = nodes.entry()
            self.state.nested_parse(StringList(cell.split("\n"), "table"), 0, entry)
            row += entry
        return row


class Kinds(_Table):
    """All kinds of distortion files."""

    head = ("kind", "suffix", "what is in the file")
    widths = (16, 18, 66)

    def rows(self) -> Iterator[tuple[str, ...]]:
        from pyfai_gridcal.io.kinds.kinds import KINDS

        for kind in KINDS.values():
            suffixes = ", ".join(f"`{s}`" for s in kind.suffixes)
            mask = "; the mask is kept" if kind.keeps_mask and "mask" not in kind.statement else ""
            yield f"`{kind.name}`", suffixes, f"{kind.title}: {kind.statement}{mask}"


class Errors(_Table):
    """Every error that the package raises on purpose, found in its source."""

    head = ("error", "what it says", "expected, what to do")
    widths = (18, 46, 36)

    def rows(self) -> Iterator[tuple[str, ...]]:
        seen = set()
        for name, what, more in sorted(errors_of_package()):
            if (name, what) not in seen:
                seen.add((name, what))
                yield f"`{name}`", what, more


class Checks(_Table):
    """The checks of the verdict with their limits."""

    head = ("check", "doubtful from", "failed from", "message")
    widths = (24, 10, 10, 56)

    def rows(self) -> Iterator[tuple[str, ...]]:
        from pyfai_gridcal.judging.limits import RULES

        for rule in RULES:
            words = re.sub(r"\{\w+(:[^}]*)?\}", "…", CAUSES.get(rule.name, rule.words))
            yield rule.name, *(_limit(one, rule.below) for one in (rule.doubtful, rule.failed)), words


#: Checks whose message is written for the case.
CAUSES = {
    "aspect of the lattice": "a rectangular plate with one pitch, or an oblique one?",
    "pixel size seen and given": "the lattice shows … per pixel, but … was given: check the pitch and the pixel size",
}


def _limit(limit: Any, below: bool) -> str:
    if callable(limit):
        return "see below"
    return "–" if limit is None else f"{'below ' if below else ''}{limit:g}"


def errors_of_package() -> Iterator[tuple[str, str, str]]:
    """(class, message, expected and hint) of every ``raise`` of one of our errors."""
    import pyfai_gridcal
    from pyfai_gridcal.base import errors

    for path in sorted(Path(pyfai_gridcal.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors.__all__:
                told = {k.arg: _words(k.value) for k in node.keywords if k.arg in ("what", "expected", "hint")}
                what = _words(node.args[0]) if node.args else told.get("what", "")
                if what and what != "…":
                    more = [f"expected {told['expected']}"] if "expected" in told else []
                    more += [told["hint"]] if "hint" in told else []
                    yield node.func.id, what, "; ".join(more)


def _words(node: ast.expr) -> str:
    """A message with its variable parts as …"""
    if isinstance(node, ast.Constant):
        text = str(node.value)
    elif isinstance(node, ast.JoinedStr):
        text = "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _words(node.left) + _words(node.right)
    else:
        text = "…"
    for character in "\\*_`<>|[]":
        text = text.replace(character, "\\" + character)
    return text


class Settings(_Table):
    """Fields of the settings with their defaults."""

    head = ("setting", "default", "meaning")
    widths = (18, 22, 60)

    def rows(self) -> Iterator[tuple[str, ...]]:
        from dataclasses import MISSING, fields

        from pyfai_gridcal import Settings as Record

        meaning = dict(_attributes(Record.__doc__ or ""))
        for field in fields(Record):
            default = "needed" if field.default is MISSING else f"`{field.default!r}`"
            yield f"`{field.name}`", default, meaning.get(field.name, "")


def _attributes(doc: str) -> Iterator[tuple[str, str]]:
    """(name, text) of the section Attributes of a docstring."""
    lines = doc.split("Attributes", 1)[-1].splitlines()[2:]
    name, text = "", ""
    for line in (line.strip() for line in lines):
        head, sep, rest = line.partition(" : ")
        if sep and head.replace(", ", "").isidentifier():
            if name:
                yield name, text
            name, text = head, rest
        elif line:
            text += " " + line
    if name:
        yield name, text.replace(":func:`~pyfai_gridcal.fitting.fitting.fit_distortion`", "`fit_distortion`")


def setup(app: Any) -> dict[str, Any]:
    for name, directive in (("checks", Checks), ("kinds", Kinds), ("errors", Errors), ("settings", Settings)):
        app.add_directive(f"{name}-table", directive)
    return {"version": "1", "parallel_read_safe": True}
