"""Pages of the gallery: each script of ``gallery/`` with its text, its code and the pictures that it makes.

The pictures are those in ``images/gallery``; ``make_images.py`` draws them again.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from pages import write_changed

FOLDER = "examples"
HEAD = """# Gallery

Scripts that run as they are: `python3 doc/gallery/NAME.py FOLDER` draws the pictures of a page into a folder. The tests
run all of them (a part of those that take minutes).

{items}

```{{toctree}}
:hidden:

{names}
```
"""


def told(script: Path) -> tuple[str, str]:
    """Title and text of a script, from its docstring."""
    doc = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or script.stem
    title, _, text = doc.partition("\n")
    return title.rstrip("."), text.strip()


def pictures_of(script: Path) -> list[Path]:
    """Pictures that belong to a script."""
    folder = script.parent.parent / "images" / "gallery"
    return sorted(p for p in folder.glob(f"{script.stem}*") if p.suffix in (".png", ".svg"))


def page_of(script: Path) -> str:
    title, text = told(script)
    out = [f"# {title}\n", text + "\n"]
    out += [f"```{{image}} ../images/gallery/{p.name}\n:alt: {title}\n```\n" for p in pictures_of(script)]
    table = script.parent.parent / "images" / "gallery" / f"{script.stem}.md"
    if table.is_file():
        out.append(f"```{{include}} ../images/gallery/{table.name}\n```\n")
    out.append(f"```{{literalinclude}} ../gallery/{script.name}\n:language: python\n```\n")
    return "\n".join(out)


def write_pages(source: Path) -> None:
    folder = source / FOLDER
    scripts = sorted(p for p in (source / "gallery").glob("*.py") if not p.name.startswith("_"))
    pages = {s.stem: page_of(s) for s in scripts}
    items = []
    for script in scripts:
        title, text = told(script)
        first = text.split("\n\n")[0].replace("\n", " ")
        picture = next(iter(pictures_of(script)), None)
        shown = f"\n  ![{title}](../images/gallery/{picture.name}){{width=420px}}" if picture else ""
        items.append(f"- **[{title}]({script.stem}.md)** – {first}\n{shown}\n")
    pages["index"] = HEAD.format(items="\n".join(items), names="\n".join(s.stem for s in scripts))
    write_changed(folder, pages)


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir)))
    return {"version": "1", "parallel_read_safe": True}
