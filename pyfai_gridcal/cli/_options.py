"""The fields of a job as options of the command line, and the job that the options ask for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import partial
from typing import Any, TypeVar

from ..base.quantities import QUANTITIES
from ..base.units import parse_length, parse_lengths, parse_positions, parse_positive, parse_shape
from ..records.options import CLI, Option, default_of, options_of
from ..records.settings import Settings
from ._parser import pair, typed

J = TypeVar("J")


def gauge(text: str) -> str | tuple[float, float]:
    """Type of an argument: what fixes the corrected frame."""
    known = {"least": "least displacement", "least displacement": "least displacement", "centre": "centre"}
    name = " ".join(text.lower().split())
    return known[name] if name in known else pair("gauge")(text)


def device(text: str) -> str | tuple[int, int]:
    """Type of an argument: an OpenCL device by its kind, or by the numbers of platform and device."""
    if "," not in text:
        return text
    try:
        platform, number = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}; expected gpu, cpu or two numbers such as 0,1") from None
    return platform, number


def counts(text: str) -> tuple[int, ...]:
    """Type of an argument: one number of exposures or several."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1 or max(numbers) > 100:
        raise argparse.ArgumentTypeError(f"exposures {text!r}; expected numbers from 1 to 100, such as 3 or 1,2,5")
    return numbers


#: Kind of an option -> how its text is read, once it is known what messages call it.
TYPES: dict[str, Callable[[str], Callable[[str], Any]]] = {
    "length": partial(typed, parse_length),
    "lengths": partial(typed, parse_lengths),
    "positions": partial(typed, parse_positions),
    "shape": partial(typed, parse_shape),
    "pair": pair,
    "positive": partial(typed, parse_positive),
    "number": lambda _: float,
    "count": lambda _: int,
    "counts": lambda _: counts,
    "gauge": lambda _: gauge,
    "device": lambda _: device,
    **{kind: partial(typed, read) for kind, (read, _) in QUANTITIES.items()},
}


def add_fields(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
    record: type,
    *names: str,
    leave: Collection[str] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
    only_given: bool = False,
    short: bool = True,
) -> None:
    """Add an argument for each field of a job that the command line offers.

    Parameters
    ----------
    record : class of the job
    names : of the fields, all by default
    leave : fields without an argument
    choices : of fields that the record does not know them of
    only_given : leave what is not given out of the namespace, instead of putting the default there
    short : with the names of one letter
    """
    groups: dict[str, Any] = {"": parser}
    for name, one in options_of(record, CLI).items():
        if name in leave or (names and name not in names):
            continue
        if one.group not in groups:
            known = (group for group in parser._action_groups if group.title == one.group)
            groups[one.group] = next(known, None) or parser.add_argument_group(one.group)
        details = _details(name, one, default_of(record, name), only_given)
        if choices and name in choices:
            details["choices"] = list(choices[name])
        flags = [flag for flag in details.pop("flags") if short or flag.startswith("--")]
        made = groups[one.group].add_argument(*flags, **details)
        # "*" would take no image where an option stands between the arguments
        made.required &= default_of(record, name) is MISSING


def _details(name: str, one: Option, default: object, only_given: bool) -> dict[str, Any]:
    """Arguments of argparse for an option."""
    out: dict[str, Any] = {"help": one.told(default).replace("%", "%%"), "flags": one.names}
    several = one.kind in ("files", "images")
    by_place = bool(one.names) and not one.names[0].startswith("-")
    if by_place:
        # argparse calls an argument by place as its field; people see the metavar.
        out |= {"flags": (name,), **({"nargs": "+"} if one.kind == "images" else {})}
    else:
        out |= {"flags": one.names or (f"--{name.replace('_', '-')}",), "dest": name}
        out["required"] = default is MISSING and not only_given
        out["default"] = argparse.SUPPRESS if only_given or default is MISSING else default
    if one.kind == "flag":
        return out | {"action": "store_true"}
    if several and not by_place:
        out["action"] = "append"
    if one.choices:
        out["choices"] = list(one.choices)
    if one.kind in TYPES:
        out["type"] = TYPES[one.kind](one.what or name.replace("_", "-"))
    elif one.choices and isinstance(one.choices[0], int):
        out["type"] = int
    return out | ({"metavar": one.placeholder} if one.placeholder else {})


def job_of(record: type[J], options: argparse.Namespace, **other: object) -> J:
    """The job that the options ask for; what is not given is left to the record."""
    given = {name: getattr(options, name) for name in options_of(record, CLI) if hasattr(options, name)}
    return record(**{**given, **other})


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Settings that were given on the command line."""
    return {f.name: getattr(options, f.name) for f in fields(Settings) if hasattr(options, f.name)}
