"""The documentation: its commands exist and do what they say, its links lead somewhere, its scripts run."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docpages import COMMANDS, DOC, EVERY, PAGES, ROOT, SCRIPTS, fences, name_of, run_script

from pyfai_gridcal import cli
from pyfai_gridcal.judging.limits import RULES


def commands_of(page: Path) -> Iterator[tuple[list[str], int]]:
    """(words, line) of the commands of this package in console blocks, and in the indented ones of the README."""
    blocks = [(text, line) for kind, text, line in fences(page) if kind in ("console", "bash")]
    if page.name == "README.md":
        text = page.read_text(encoding="utf-8")
        blocks += [("$ " + one.strip(), 0) for one in text.splitlines() if one.startswith("    pyFAI-gridcal")]
    for text, line in blocks:
        for one in text.splitlines():
            # a remark behind the command, as in a shell
            for part in re.split(r"&&", one.partition("  #")[0]):
                words = shlex.split(part.strip().removeprefix("$ "))
                if words and words[0] == "pyFAI-gridcal":
                    yield words[1:], line


# -- commands

ALL_COMMANDS = [
    pytest.param(words, id=f"{name_of(page)}:{line} {' '.join(words)[:50]}")
    for page in EVERY
    for words, line in commands_of(page)
]


@pytest.mark.parametrize("words", ALL_COMMANDS)
def test_command_is_understood(words: list[str]) -> None:
    if not words or words[0].startswith("-"):
        assert words[0] in ("--version", "--help")
        return
    assert words[0] in COMMANDS
    try:
        parser = cli.build_parser(words[0])
    except ImportError:
        pytest.skip(f"{words[0]} needs an extra that is not installed")
    words = ["IMAGE" if word == "$image" else word for word in words]
    parser.parse_args(words)


def test_every_command_is_shown() -> None:
    shown = {words[0] for page in EVERY for words, _ in commands_of(page) if words}
    assert COMMANDS - shown <= {"benchmark"}


@pytest.mark.slow
def test_first_detector_works_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All commands of the first page, one after the other, on a smaller image."""
    monkeypatch.chdir(tmp_path)
    page = DOC / "first-detector.md"
    for words, line in commands_of(page):
        if words[0] == "demo":
            words = [*words, "--shape", "400,440", "--seed", "7"]
        status = cli.main(words)
        assert status == 0, f"{page.name}:{line}: {' '.join(words)}: {capsys.readouterr().err}"
    for name in ("detector.h5", "report.html", "detector.spline", "e2dx.edf", "e2dy.edf", "corrected.edf"):
        assert (tmp_path / name).stat().st_size > 1000
    python = [text for kind, text, _ in fences(page) if kind == "python" and "calibrate(" in text]
    names: dict[str, Any] = {}
    exec(compile(python[0], str(page), "exec"), names)
    assert names["detector"].shape == (400, 440)
    using = next(text for kind, text, _ in fences(page) if "AzimuthalIntegrator" in text)
    exec(compile(using, str(page), "exec"), names)
    assert len(names["result"].radial) == 1000
    assert len((tmp_path / "pattern.dat").read_text().splitlines()) > 1000
    assert str(tmp_path / "detector.h5") in (tmp_path / "demo.poni").read_text()


# -- Python


PYTHON = [
    pytest.param(text, id=f"{name_of(page)}:{line}")
    for page in EVERY
    for kind, text, line in fences(page)
    if kind == "python"
]


@pytest.mark.parametrize("text", PYTHON)
def test_python_is_python_and_its_names_exist(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pyfai_gridcal"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}")


# -- links


def links_of(page: Path) -> Iterator[tuple[str, int]]:
    """(target, line) of links and pictures; what stands in code is none."""
    inside = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if re.match(r"\s*```", line):
            picture = re.match(r"\s*```\{(?:image|figure|include|literalinclude)\} *(\S+)", line)
            if picture:
                yield picture[1], number
            inside = not inside
        if not inside:
            plain = re.sub(r"`[^`]*`", "", line)
            for target in re.findall(r"\]\(((?:[^()\s]|\([^()\s]*\))+)\)", plain):
                yield target, number


def anchors_of(page: Path) -> set[str]:
    """What can be linked to in a page: slugs of its headings and its labels."""
    out = set()
    for line in page.read_text(encoding="utf-8").splitlines():
        heading = re.match(r"#+ +(.*)", line)
        if heading:
            plain = re.sub(r"[^\w\s-]", "", heading[1].lower())
            out.add(re.sub(r"\s", "-", plain.strip()))
        label = re.match(r"\(([\w-]+)\)=", line)
        if label:
            out.add(label[1])
    return out


def generated(path: Path) -> bool:
    """Whether a page is written when the documentation is built."""
    try:
        folder, name = path.relative_to(DOC).parts
    except ValueError:
        return False
    stems = COMMANDS if folder == "commands" else {s.stem for s in SCRIPTS} if folder == "examples" else set()
    return path.suffix == ".md" and Path(name).stem in stems | {"index"} and bool(stems)


@pytest.mark.parametrize("page", [pytest.param(p, id=name_of(p)) for p in EVERY])
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for target, line in links_of(page):
        if re.match(r"https?:", target):
            if not re.fullmatch(r"https://[\w.-]+(/[\w./()#?=&%~:+-]*)?", target):
                wrong.append(f"line {line}: {target}")
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.is_file() and not generated(path):
            wrong.append(f"line {line}: {target}: no such file")
        elif anchor and path.suffix == ".md" and path.is_file() and anchor not in anchors_of(path):
            wrong.append(f"line {line}: {target}: no such heading")
    assert not wrong, "; ".join(wrong)


@pytest.mark.parametrize("page", [pytest.param(p, id=name_of(p)) for p in PAGES])
def test_contents_lead_to_pages(page: Path) -> None:
    for kind, text, line in fences(page):
        if kind != "{toctree}":
            continue
        for entry in (one.strip() for one in text.splitlines()):
            if entry and not entry.startswith(":"):
                target = re.sub(r".*<(.*)>", r"\1", entry)
                path = page.parent / target
                there = [path.with_name(path.name + suffix) for suffix in (".md", ".ipynb", ".rst")]
                assert any(p.is_file() for p in there) or generated(there[0]), f"line {line}: {entry}"


def test_every_page_is_in_the_contents() -> None:
    listed = {"index"}
    for page in PAGES:
        for kind, text, _ in fences(page):
            if kind == "{toctree}":
                for entry in (one.strip() for one in text.splitlines()):
                    if entry and not entry.startswith(":"):
                        path = page.parent / re.sub(r".*<(.*)>", r"\1", entry)
                        listed.add(str(path.relative_to(DOC)))
    pages = {str(p.relative_to(DOC).with_suffix("")) for p in PAGES if "images" not in p.parts}
    pages |= {str(p.relative_to(DOC).with_suffix("")) for p in DOC.glob("*.ipynb")}
    assert pages <= listed


def test_pictures_are_small_and_used() -> None:
    pictures = [p for p in (DOC / "images").rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in pictures) < 3_600_000
    text = "".join(p.read_text(encoding="utf-8") for p in EVERY)
    own = {s.stem for s in SCRIPTS}
    unused = [p.name for p in pictures if p.name not in text and not any(p.stem.startswith(s) for s in own)]
    unused = [name for name in unused if not name.startswith("gui-")]
    assert unused == []


# -- what is written from the sources


def extension(name: str) -> Any:
    """A module of doc/_ext."""
    if str(DOC / "_ext") not in sys.path:  # they share a module
        sys.path.append(str(DOC / "_ext"))
    spec = importlib.util.spec_from_file_location(f"gridcal_doc_{name}", DOC / "_ext" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_page_of_a_command_has_all_its_options(name: str) -> None:
    commands = extension("commands")
    parser = commands.parser_of(name)
    if parser is None:
        pytest.skip(f"{name} needs an extra that is not installed")
    text = commands.page_of(name, "help")
    assert "## Synopsis" in text
    for action in parser._actions:
        if action.help != "==SUPPRESS==" and action.dest != "help":
            for option in action.option_strings:
                assert f"`{option}" in text, f"{option} is missing"


def test_errors_are_collected() -> None:
    pytest.importorskip("sphinx")
    found = list(extension("tables").errors_of_package())
    names = {name for name, _, _ in found}
    assert {"UsageError", "ImageError", "FileFormatError", "PickingError", "IndexingError", "FittingError"} <= names
    assert len(found) > 50
    assert any("expected" in more for _, _, more in found)


def test_settings_are_described() -> None:
    pytest.importorskip("sphinx")
    from dataclasses import fields

    from pyfai_gridcal import Settings

    described = dict(extension("tables")._attributes(Settings.__doc__ or ""))
    assert set(described) == {f.name for f in fields(Settings)}


def test_table_of_the_checks_has_their_limits() -> None:
    pytest.importorskip("sphinx")
    tables = extension("tables")
    rows = {row[0]: row[1:] for row in tables.Checks.rows(None)}
    assert list(rows) == [rule.name for rule in RULES]
    for rule in RULES:
        for shown, limit in zip(rows[rule.name], (rule.doubtful, rule.failed), strict=False):
            assert (
                shown == "see below"
                if callable(limit)
                else shown.split()[-1] == ("–" if limit is None else f"{limit:g}")
            )
        assert re.search(r"[a-z]{3}", rows[rule.name][2]), "the message says something"
    assert set(tables.CAUSES) <= set(rows)


def test_what_a_page_loads_from_a_network_is_seen(tmp_path: Path) -> None:
    """The build of the documentation warns of it, and of figures of a notebook that are not in its page."""
    pytest.importorskip("sphinx")
    complete = extension("complete")
    assert complete.fetched('<script src="https://cdn.org/mathjax.js"></script><a href="https://doi.org/10">') == [
        "https://cdn.org/mathjax.js"
    ]
    assert complete.fetched('<link rel="stylesheet" href="//cdn.org/a.css"> @import url("https://b.org/b.css")') == [
        "//cdn.org/a.css",
        "https://b.org/b.css",
    ]
    assert complete.fetched('<script src="a.js"><img src="_images/a.png"><link rel="icon" href="a">') == []
    (tmp_path / "a.ipynb").write_text('{"cells": [{"cell_type": "code", "source": ["plots.image(image);"]}]}')
    (tmp_path / "a.html").write_text("<p>")
    assert list(complete.problems(tmp_path, tmp_path)) == ["a.ipynb: 1 cells draw, 0 figures are in the page"]


# -- gallery


#: What scripts that take minutes are told to draw here, instead of everything.
PARTS = {"faults": ("blocked", "jump"), "when_not_to_trust": ("told", "position")}


#: These run where their results are looked at.
ELSEWHERE = {"rings": "whole/test_rings.py"}


@pytest.mark.slow
@pytest.mark.parametrize("script", [pytest.param(p, id=p.stem) for p in SCRIPTS if p.stem not in ELSEWHERE])
def test_script_runs(script: Path, tmp_path: Path) -> None:
    run_script(script, tmp_path, *PARTS.get(script.stem, ()))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_scripts_that_run_elsewhere_do(name: str) -> None:
    text = (ROOT / "tests" / ELSEWHERE[name]).read_text(encoding="utf-8")
    assert f'"{name}.py"' in text
    assert "run_script(" in text


def test_scripts_have_a_title_and_a_text() -> None:
    for script in SCRIPTS:
        title, text = extension("examples").told(script)
        assert len(title) < 80
        assert len(text) > 100


def test_the_documentation_stays_short() -> None:
    """README and pages, without the glossary and the tables that programs write: more text is read by nobody."""
    pages = [p for p in EVERY if "images" not in p.parts and p.stem != "glossary"]
    assert sum(len(p.read_text(encoding="utf-8").split()) for p in pages) <= 18_000
