"""Anything as plain data: what JSON can say, for machines and for people to read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from os import PathLike, fspath
from typing import Any

import numpy as np

JSON = dict[str, "JSON"] | list["JSON"] | str | int | float | bool | None


def fields_of(record: Any) -> dict[str, object]:
    """Fields of a dataclass by their names, not of what is in them."""
    return {one.name: getattr(record, one.name) for one in fields(record)}


def plain(
    value: object, *, finite: bool = False, largest: int | None = None, record: Callable[[Any], object] = fields_of
) -> JSON:
    """Return a copy in dicts with text as keys, lists, text, numbers, True, False and None; of the rest, its text.

    Parameters
    ----------
    value : anything
    finite : JSON knows no NaN and no infinity: say None instead
    largest : of arrays with more numbers than that, only the shape is told
    record : what a dataclass is told as, its fields by default
    """

    def told(one: object) -> JSON:
        if isinstance(one, Enum):
            return told(one.value)
        if isinstance(one, np.ndarray) and largest is not None and one.size > largest:
            return f"array of shape {one.shape}"
        if isinstance(one, np.ndarray | np.generic):
            return told(one.tolist())
        if isinstance(one, float) and finite and not math.isfinite(one):
            return None
        if one is None or isinstance(one, bool | int | float | str):
            return one
        if is_dataclass(one) and not isinstance(one, type):
            return told(record(one))
        if isinstance(one, Mapping):
            return {str(key): told(member) for key, member in one.items()}
        if isinstance(one, Sequence | Set) and not isinstance(one, bytes):
            return [told(member) for member in one]
        return str(fspath(one) if isinstance(one, PathLike) else one)

    return told(value)
