"""What the documentation names in passing: commands in plain text and in help, options, extras, addresses."""

from __future__ import annotations

import argparse
import re
import shlex
import threading
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from docpages import COMMANDS, DOC, EVERY, ROOT, SCRIPTS, fences, name_of

from pyfai_gridcal import cli

PACKAGE = Path(cli.__file__).parent.parent

#: Where an address may lead. The tests have no network: a mistyped host is seen by not being here.
HOSTS = {"arxiv.org", "doi.org", "github.com", "journals.iucr.org", "www.silx.org"}
#: Options of other programs that the pages name.
FOREIGN = {
    "--array",
    "--cpus-per-task",
    "--engine",
    "--keep-going",
    "--mem",
    "--parts",
    "--pdb",
    "--slow",
    "--workflow-format",
}


@lru_cache(maxsize=32)
def parser_of(name: str) -> argparse.ArgumentParser | None:
    """The parser of a command; None when it needs an extra that is not installed."""
    try:
        whole = cli.build_parser(name)
    except ImportError:
        return None
    action = next(a for a in whole._actions if isinstance(a, argparse._SubParsersAction))
    return action.choices[name]  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def all_options() -> frozenset[str]:
    """Options of all commands that can be built here, and of the program itself."""
    parsers = [cli.build_parser(), *(p for p in map(parser_of, sorted(COMMANDS)) if p is not None)]
    return frozenset(word for p in parsers for word in p._option_string_actions)


def prose_of(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^\s*```.*?^\s*```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


# -- commands and options


def _mentions() -> Iterator[tuple[str, str]]:
    for page in EVERY:
        for span in re.findall(r"`(pyFAI-gridcal [^`]+)`", prose_of(page)):
            yield name_of(page), span


@pytest.mark.parametrize(("page", "span"), [pytest.param(p, s, id=f"{p} {s[:50]}") for p, s in _mentions()])
def test_mentioned_command_exists(page: str, span: str) -> None:
    """With all its options; it need not be complete."""
    words = span.split()[1:]
    if words[0].startswith("-") or words[0] == "COMMAND":
        assert words[0] in all_options() | {"COMMAND"}
        return
    assert words[0] in COMMANDS
    parser = parser_of(words[0])
    if parser is None:
        pytest.skip(f"{words[0]} needs an extra that is not installed")
    assert [w for w in words if w.startswith("--") and w.partition("=")[0] not in parser._option_string_actions] == []


@pytest.mark.parametrize("page", [pytest.param(p, id=name_of(p)) for p in EVERY])
def test_mentioned_options_exist(page: Path) -> None:
    named = {
        word for span in re.findall(r"`([^`]+)`", prose_of(page)) for word in re.findall(r"--[a-z][a-z0-9-]*", span)
    }
    if parser_of("calib2") is None:
        named -= {"--grid"}
    assert named - all_options() - FOREIGN == set()


def _examples(name: str) -> list[list[str]]:
    """Words of the examples at the end of the help of a command."""
    parser = parser_of(name)
    lines = (parser.epilog or "").splitlines() if parser else ()
    found = (re.match(r"\s+pyFAI-gridcal (\S.*?)(\s+\(.*)?$", line) for line in lines)
    return [shlex.split(one[1]) for one in found if one]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_examples_of_the_help_are_understood(name: str) -> None:
    for words in _examples(name):
        cli.build_parser(words[0]).parse_args(words)


def test_most_commands_have_examples() -> None:
    assert sum(bool(_examples(name)) for name in COMMANDS) >= 8


# -- commands of other programs


def _shell_lines() -> Iterator[tuple[str, list[str]]]:
    """(page, words) of all lines in blocks for a shell, continued ones joined."""
    for page in EVERY:
        blocks = [text for kind, text, _ in fences(page) if kind in ("console", "bash", "text")]
        if page.name == "README.md":
            blocks += [line[4:] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("    ")]
        for text in blocks:
            for line in text.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|>", line.partition("  #")[0].removeprefix("$ ")):
                    if re.match(r"\s*(python3|ewoks|silx|pyFAI-\w+) ", part):
                        yield name_of(page), shlex.split(part)


LINES = [pytest.param(words, id=f"{page} {' '.join(words)[:50]}") for page, words in _shell_lines()]


@pytest.mark.parametrize("words", LINES)
def test_other_commands_name_what_exists(words: list[str]) -> None:
    """Extras, scripts, workflows and their inputs."""
    if words[:4] == ["python3", "-m", "pip", "install"]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        found = re.fullmatch(rf"(\.|{project['name']})(?:\[([\w,]+)\])?", words[-1])
        assert found, words[-1]
        assert set((found[2] or "dev").split(",")) <= set(project["optional-dependencies"])
    elif words[:2] == ["python3", "-m"]:
        if words[2] == "pyfai_gridcal.ewoks":
            pytest.importorskip("ewokscore")
            from pyfai_gridcal.ewoks.__main__ import main

            assert main(words[3:]) == 0
        else:
            assert words[2] in ("pytest", "sphinx", "venv", "pyfai_gridcal")
    elif words[0] == "python3":
        assert (ROOT / words[1]).is_file()
    elif words[:2] == ["ewoks", "execute"]:
        _known_to_ewoks(words[2:])
    else:
        assert words[0] in ("silx", "pyFAI-calib2", "pyFAI-gridcal")


def _known_to_ewoks(words: list[str]) -> None:
    if words[0].endswith(".json"):
        return  # the line above writes it
    pytest.importorskip("ewokscore")
    from pyfai_gridcal.ewoks.graphs import workflow

    graph = workflow(words[0].rpartition(".")[2])
    nodes = {node["id"]: node["task_identifier"].rpartition(".")[2] for node in graph["nodes"]}
    from pyfai_gridcal.ewoks import tasks

    given = [words[k + 1] for k, word in enumerate(words) if word == "-pn"]
    assert given
    for one in given:
        node, _, name = one.partition("=")[0].partition(":")
        assert name in getattr(tasks, nodes[node]).input_names()


# -- addresses


def _sources() -> list[Path]:
    return [*EVERY, *DOC.glob("*.ipynb"), *SCRIPTS, *sorted(PACKAGE.rglob("*.py")), ROOT / "pyproject.toml"]


@lru_cache(maxsize=1)
def _addresses() -> frozenset[tuple[str, str]]:
    """(file, address) of all that lead out of the project."""
    found = set()
    for path in _sources():
        text = path.read_text(encoding="utf-8")
        found |= {(path.name, a) for a in re.findall(r"https?://(?:[^\s()<>\"'`\]\\]|\([^\s()]*\))+", text)}
    return frozenset(found)


def test_addresses_are_of_known_hosts() -> None:
    addresses = _addresses()
    assert len(addresses) >= 6
    wrong = [(name, a) for name, a in addresses if not re.match(r"https://([\w.-]+)(/|$)", a)]
    assert wrong == []
    assert {a.split("/")[2] for _, a in addresses} <= HOSTS


def test_dois_are_whole() -> None:
    """The name of a document is the same in the text of its link and in the address."""
    count = 0
    for page in EVERY:
        text = page.read_text(encoding="utf-8")
        for shown, target in re.findall(r"\[doi:(\S+?)\]\(https://doi\.org/((?:[^\s()]|\([^\s()]*\))+)\)", text):
            assert shown == target
            assert re.fullmatch(r"10\.\d{4,5}/\S+", target)
            count += 1
        assert text.count("https://doi.org/") == len(re.findall(r"\[doi:", text))
    assert count >= 3


def _answer(address: str) -> int:
    """Status of the answer of a server, without following where it leads.

    Raises
    ------
    OSError
        There is no such host, or no way to it.
    """
    parts = urlsplit(address)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.netloc, timeout=30)
    try:
        path = quote(parts.path or "/", safe="/()%:;") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "Mozilla/5.0 (pyfai_gridcal's test of its links)"})
        return connection.getresponse().status
    finally:
        connection.close()


#: Of these a server says that there is no such page; with others that it does not like to be asked by a program.
GONE = {404, 410}


@pytest.mark.network
@pytest.mark.parametrize("address", sorted({a for _, a in _addresses()}))
def test_address_leads_somewhere(address: str, request: pytest.FixtureRequest) -> None:
    """On request only: whether other people's servers answer is not decided here."""
    if "network" not in request.config.getoption("markexpr"):
        pytest.skip("needs the network: python3 -m pytest -m network")
    try:
        status = _answer(address)
    except OSError as error:
        pytest.skip(f"no way to {urlsplit(address).netloc}: {error}")
    assert status not in GONE


def test_a_dead_link_would_be_seen() -> None:
    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response({"/a": 200, "/b": 302, "/c(1)?d=e": 403}.get(self.path, 404))
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = f"http://127.0.0.1:{server.server_port}"
        assert [_answer(home + path) for path in ("/a", "/b", "/c(1)?d=e", "/gone")] == [200, 302, 403, 404]
        server.shutdown()
    with pytest.raises(OSError, match=r"."):
        _answer(home)
