"""After a build: nothing in the pages is loaded from a network, and notebooks show their figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.util import logging

#: What a browser fetches by itself; links that a reader may click are none of it.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|embed|object)\b[^>]*?(?:src|data)=["'](?P<src>(?:https?:)?//[^"']+)"""
    r"""|<link\b(?=[^>]*rel=["'][^"']*(?:stylesheet|preload|icon|preconnect))[^>]*href=["'](?P<link>(?:https?:)?//[^"']+)"""
    r"""|(?:url\(|@import )["']?(?P<css>(?:https?:)?//[^"')]+)""",
    re.IGNORECASE,
)


def fetched(text: str) -> list[str]:
    """Addresses outside that a page or a style sheet loads."""
    return [next(filter(None, found.groups())) for found in FETCHED.finditer(text)]


def problems(source: Path, built: Path) -> Iterator[str]:
    """What is wrong with the built pages."""
    for path in sorted([*built.rglob("*.html"), *built.rglob("*.css")]):
        for address in fetched(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(built)} loads {address}"
    for path in sorted(source.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        drawn = sum(bool(re.search(r"\bplots?\.\w+\(", text)) for text in code)
        page = built / f"{path.stem}.html"
        shown = page.read_text(encoding="utf-8").count('src="_images/') if page.is_file() else 0
        if shown < drawn:
            yield f"{path.name}: {drawn} cells draw, {shown} figures are in the page"


def check(app: Any, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        for problem in problems(Path(app.srcdir), Path(app.outdir)):
            logging.getLogger(__name__).warning(problem)


def setup(app: Any) -> dict[str, Any]:
    app.connect("build-finished", check)
    return {"version": "1", "parallel_read_safe": True}
