"""References to what exists but has no page (internals, other packages) are shown as code, without a link.

What does not exist at all stays a warning.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

#: Names that our annotations use for types of arrays and functions.
ALIASES = {"AnyArray", "Bools", "Floats", "Ints", "Progress", "Gauge", "Polarity", "LatticeKind", "optional"}


def exists(name: str) -> bool:
    """Whether a dotted name leads to something that can be imported."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False


def resolve(app: Any, env: Any, node: Any, text: Any) -> Any:
    """The text of a reference whose target has no page, None when there is no such thing."""
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"]).removeprefix("~")
    inside = [node.get("py:module"), node.get("py:class")]
    target = target.partition("[")[0]  # Mapping[str, int] comes in pieces
    candidates = [target, f"builtins.{target}", f"typing.{target}"]
    candidates += [f"{where}.{target}" for where in inside if where]
    if all(inside):
        candidates.append(f"{inside[0]}.{inside[1]}.{target}")
    if target.rsplit(".", 1)[-1] in ALIASES or any(map(exists, candidates)):
        return text
    # a bare name in a signature, as `from __future__ import annotations` leaves it, is one that its module imports
    return text if node.get("reftype") == "class" and "." not in target else None


def readable(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Signatures with the plain names of type aliases."""
    plain = [None if s is None else re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", s) for s in (signature, returns)]
    return plain[0], plain[1]


def setup(app: Any) -> dict[str, Any]:
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-signature", readable)
    return {"version": "1", "parallel_read_safe": True}
