"""What the fields of a job say of themselves: text, kind, choices, group.

The command line makes its options of it, ewoks its input models, the window its forms, the documentation its tables: a
field has one name, one default and one text, and they stand beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

T = TypeVar("T")

#: What a value is, and thereby how a text becomes one.
Kind = Literal[
    "text", "file", "files", "images", "length", "lengths", "positions", "shape", "pair", "number", "positive",
    "count", "counts", "choice", "flag", "gauge", "device", "sensor", "angle", "share", "temperature", "source",
]  # fmt: skip

#: What stands for a value of some kinds in a help text.
_PLACEHOLDERS = {"length": "LENGTH", "lengths": "LENGTH", "file": "FILE", "files": "FILE", "images": "IMAGE"}

#: The doors where an option is offered.
CLI, EWOKS = "cli", "ewoks"


@dataclass(frozen=True)
class Option:
    """A field of a job, for people.

    Attributes
    ----------
    text : what it is; ``{default}`` in it stands for the default
    kind : what its value is
    choices : of a "choice"
    unit : of the value; lengths are metres
    metavar : what stands for the value in a help text, if neither its kind nor its unit says it
    group : title of the options among which it stands, empty for the first ones
    names : on the command line, where they are not made of the field's name; without dashes an argument by place
    what : what error messages call it, where the field's name does not say it
    title : in forms
    empty : what forms show in place of a value
    limits : "gt", "ge", "le" -> number
    doors : where it is offered
    """

    text: str
    kind: Kind = "text"
    choices: tuple[str | int, ...] = ()
    unit: str = ""
    metavar: str | None = None
    group: str = ""
    names: tuple[str, ...] = ()
    what: str = ""
    title: str = ""
    empty: str = "automatic"
    limits: Mapping[str, float] = field(default_factory=dict)
    doors: tuple[str, ...] = (CLI, EWOKS)

    @property
    def placeholder(self) -> str | None:
        """What stands for the value in a help text."""
        return self.metavar or _PLACEHOLDERS.get(self.kind) or self.unit.upper() or None

    def told(self, default: object) -> str:
        """The text with the default in it."""
        return self.text.format(default=f"{default:g}" if isinstance(default, float) else default)


def option(text: str, kind: Kind = "text", **details: object) -> dict[str, Option]:
    """Metadata of a field, see :class:`Option`: ``field(default=..., metadata=option("diameter of the holes"))``."""
    unit = "m" if kind in ("length", "lengths", "positions") else ""
    return {"option": Option(text, kind, **{"unit": unit, **details})}  # type: ignore[arg-type]


def told(default: object, text: str, kind: Kind = "text", **details: object) -> Any:
    """A field with its default, that says this of itself; see :class:`Option`."""
    return field(default=default, metadata=option(text, kind, **details))


def option_of(record: type, name: str) -> Option:
    """What a field of a record says of itself."""
    found: Option = record.__dataclass_fields__[name].metadata["option"]  # type: ignore[attr-defined]
    return found


def like(record: type, name: str, **changes: object) -> Any:
    """A field with the default and the option of a field of another record, but for what is said here."""
    one = replace(option_of(record, name), **changes)  # type: ignore[arg-type]
    return field(default=default_of(record, name), metadata={"option": one})


def options_of(record: type, door: str | None = None) -> dict[str, Option]:
    """Name -> option of the fields of a job, of those only that are offered at a door."""
    known = {f.name: f.metadata.get("option") for f in fields(record)}
    return {name: one for name, one in known.items() if one is not None and (door is None or door in one.doors)}


def default_of(record: type, name: str) -> object:
    """Default of a field, ``dataclasses.MISSING`` where it has none."""
    one: Field[object] = record.__dataclass_fields__[name]  # type: ignore[attr-defined]
    return one.default if one.default_factory is MISSING else one.default_factory()


def documented(record: type[T]) -> type[T]:
    """Class decorator: the section "Attributes" of the docstring, made of the fields, in place of ``{attributes}``."""
    lines = ["Attributes", "    ----------"]
    for name, one in options_of(record).items():
        lines.append(f"    {name} : {one.told(default_of(record, name))}")
    record.__doc__ = (record.__doc__ or "").replace("{attributes}", "\n".join(lines))
    return record
