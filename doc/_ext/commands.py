"""Pages of the commands, written from the parsers each time the documentation is built."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pages import write_changed

FOLDER = "commands"
HEAD = """# Commands

`pyFAI-gridcal COMMAND --help` shows the same in a terminal. `python3 -m pyfai_gridcal` is the same as `pyFAI-gridcal`.

| command | what it does |
|---|---|
{rows}

```{{toctree}}
:hidden:

{names}
```

## For all commands

{common}

## Exit status

| status | meaning |
|---|---|
| 0 | done |
| 1 | failed, or the result is not to be trusted; the reason is on standard error |
| 2 | wrong usage |
| 130 | interrupted |

Standard output carries the result. Standard error carries what goes wrong, and the progress of what takes longer than
two seconds: a bar on a terminal, a line every ten seconds elsewhere. Files appear complete under their name or not at
all; one that was there stays as it is until the new one is good.
"""


def existing() -> list[tuple[str, str]]:
    """(name, help) of the commands of this installation."""
    from pyfai_gridcal import cli

    return list(cli.COMMANDS.items())


def parser_of(name: str) -> argparse.ArgumentParser | None:
    """The parser of a command; None when what it borrows its options from is not installed."""
    from pyfai_gridcal import cli

    try:
        whole = cli.build_parser(name)
    except ImportError:
        return None
    actions = [a for a in whole._actions if isinstance(a, argparse._SubParsersAction)]
    return actions[0].choices[name]  # type: ignore[no-any-return]


def _clean(text: str) -> str:
    """Help text as Markdown: what a browser would take for a tag or for emphasis is literal."""
    return re.sub(r"([<>*_|`\[\]])", r"\\\1", " ".join(text.split()))


def _help_of(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    return _clean(text)


def _entry(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    """An option or argument as an item of a definition list."""
    value = ""
    if action.nargs != 0:
        value = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest)
        value = " ".join(value) if isinstance(value, tuple) else str(value)
    names = action.option_strings or [value]
    plural = " ..." if action.nargs in ("+", "*") else ""
    words = [f"{name} {value}".strip() + plural if action.option_strings else name + plural for name in names]
    needed = " *needed*" if action.option_strings and action.required else ""
    return ", ".join(f"`{word}`" for word in words) + needed + "\n: " + (_help_of(action, parser) or "-") + "\n"


def _groups(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, list[argparse.Action]]]:
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if a.help is not argparse.SUPPRESS and a.dest != "help"]
        if actions:
            title = {"positional arguments": "arguments", "optional arguments": "options"}.get(group.title, group.title)
            yield str(title), group.description or "", actions


def _synopsis(parser: argparse.ArgumentParser, prog: str) -> str:
    """The usage as argparse writes it, in 78 columns whatever the terminal."""
    formatter = argparse.HelpFormatter(prog, width=78)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, prefix="")
    return formatter.format_help().strip()


def page_of(name: str, help_text: str) -> str:
    """The page of one command."""
    prog = f"pyFAI-gridcal {name}"
    parser = parser_of(name)
    out = [f"# {name}\n", f"**{prog}** – {_clean(help_text)}\n"]
    if parser is None:
        out.append('Its options need the extra `gui`: `python3 -m pip install "pyfai-gridcal[gui]"`.\n')
        return "\n".join(out)
    out += ["## Synopsis\n", f"```text\n{_synopsis(parser, prog)}\n```\n"]
    if parser.description:
        out += ["## Description\n", _clean(parser.description) + "\n"]
    for title, description, actions in _groups(parser):
        out.append(f"## {title[:1].upper()}{title[1:]}\n")
        if description:
            out.append(_clean(description) + "\n")
        out += [_entry(action, parser) for action in actions]
    if parser.epilog:
        out += ["## Notes\n", f"```text\n{parser.epilog.strip()}\n```\n"]
    return "\n".join(out)


def _common() -> str:
    from pyfai_gridcal import cli

    parser = cli.build_parser()
    chosen = [a for a in parser._actions if a.option_strings and a.dest not in ("command",)]
    return "\n".join(_entry(a, parser) for a in chosen)


def write_pages(folder: Path) -> None:
    """Write all pages; one that did not change is left alone, so that Sphinx does not read it again."""
    commands = existing()
    rows = "\n".join(f"| [{name}]({name}.md) | {_clean(text)} |" for name, text in commands)
    pages = {"index": HEAD.format(rows=rows, names="\n".join(n for n, _ in commands), common=_common())}
    pages |= {name: page_of(name, text) for name, text in commands}
    write_changed(folder, pages)


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / FOLDER))
    return {"version": "1", "parallel_read_safe": True}
