"""Any frozen record of this package <-> an HDF5 group, field by field.

A record becomes a group with the attribute `record` (its name, see :mod:`~pyfai_gridcal.io.nexus.registry`) and one
member
per field: arrays and numbers as datasets with their units, records as groups, tuples of records as groups with
numbered members, and what is nested otherwise as JSON. Old files stay readable because fields that the class does not
know any more are passed over and missing ones take their default.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from os import PathLike, fspath
from typing import Any

import h5py
import numpy as np

from ...base.errors import FileFormatError
from ...base.opening import text_of
from ...base.plain import plain
from .packing import write_array
from .registry import class_of, name_of

logger = logging.getLogger(__name__)

_UNITS = {
    "yx": "px", "y": "px", "x": "px", "sigma_yx": "px", "shared_yx": "px",
    "residual_yx": "px", "held_out_yx": "px", "reach": "px",
    "pixel_size": "m", "error_yx": "m", "error_sigma_yx": "m", "coefficients": "px", "values": "px",
    "amplitude": "counts", "background": "counts", "pedestal": "counts", "readout": "counts", "peak": "counts",
}  # fmt: skip
_SUFFIXES = {"_px": "px", "_m": "m", "_deg": "deg", "_rad": "rad", "_s": "s", "_um": "um"}


def units_of(name: str) -> str | None:
    """Unit of a field, from its name."""
    if name in _UNITS:
        return _UNITS[name]
    return next((unit for suffix, unit in _SUFFIXES.items() if name.endswith(suffix)), None)


def write_record(
    parent: h5py.Group, name: str, value: object, *, known: Mapping[int, h5py.Dataset] | None = None
) -> None:
    """Write `value` as the member `name` of `parent`.

    Parameters
    ----------
    value : record (dataclass), array, number, text, None, or tuple, list or dict of such
    known : arrays, by their id(), that are in the file already: they are linked, not written again
    """
    known = known or {}
    if isinstance(value, np.ndarray):
        if id(value) in known:
            parent[name] = known[id(value)]
            return
        _with_units(write_array(parent, name, value), name)
    elif is_dataclass(value) and not isinstance(value, type):
        group = parent.create_group(name)
        group.attrs["NX_class"] = "NXcollection"
        group.attrs["record"] = name_of(type(value))
        for one in fields(value):
            if one.init:
                write_record(group, one.name, getattr(value, one.name), known=known)
    elif value is None or isinstance(value, bool | int | float | str | np.generic | Enum | PathLike):
        _write_scalar(parent, name, value)
    elif isinstance(value, Sequence) and _is_row(value):
        dataset = parent.create_dataset(name, data=np.array(value))
        dataset.attrs["kind"] = "tuple"
        _with_units(dataset, name)
    elif isinstance(value, Mapping | Sequence) and _is_plain(value):
        dataset = parent.create_dataset(name, data=json.dumps(plain(value)))
        dataset.attrs["kind"] = "json"
        _with_units(dataset, name)
    elif isinstance(value, Mapping | Sequence):
        group = parent.create_group(name)
        group.attrs["NX_class"] = "NXcollection"
        is_mapping = isinstance(value, Mapping)
        group.attrs["kind"] = "dict" if is_mapping else "tuple"
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, member in items:
            write_record(group, str(key).replace("/", "_"), member, known=known)
    else:
        raise TypeError(f"{name} of type {type(value).__name__}, expected a record, an array, a number or text")


def _with_units(dataset: h5py.Dataset, name: str) -> None:
    units = units_of(name)
    if units is not None:
        dataset.attrs["units"] = units


def _write_scalar(parent: h5py.Group, name: str, value: Any) -> None:
    kind = None
    if value is None:
        value, kind = h5py.Empty("f4"), "none"
    elif isinstance(value, Enum):
        value = value.value
    elif isinstance(value, PathLike):
        value = str(fspath(value))
    elif isinstance(value, str) and "\0" in value:
        value, kind = json.dumps(value), "json"
    dataset = parent.create_dataset(name, data=value)
    if kind:
        dataset.attrs["kind"] = kind
    else:
        _with_units(dataset, name)


def _is_row(value: Sequence[object]) -> bool:
    """Whether these are numbers of one kind."""
    if isinstance(value, str) or not value:
        return False
    return all(type(v) is float for v in value) or all(type(v) is int for v in value)


def _is_plain(value: object) -> bool:
    """Whether JSON can say it (tuples become lists, NaN is allowed)."""
    if isinstance(value, Mapping):
        return all(isinstance(k, str) for k in value) and all(_is_plain(v) for v in value.values())
    if isinstance(value, str):
        return True
    if isinstance(value, Sequence):
        return all(_is_plain(v) for v in value)
    return value is None or isinstance(value, bool | int | float | np.generic | Enum | PathLike)


def read_record(item: h5py.Group | h5py.Dataset, *, skip: Sequence[str] = ()) -> Any:
    """What :func:`write_record` wrote there; lists come back as tuples.

    Fields of the outermost record that `skip` names come back as empty tuples.

    Raises
    ------
    FileFormatError
        The file holds a record that this version does not know.
    """
    if isinstance(item, h5py.Dataset):
        return _read_dataset(item)
    kind = text_of(item.attrs.get("kind", ""))
    if kind == "tuple":
        return tuple(read_record(item[name]) for name in sorted(item, key=int))
    if kind == "dict":
        return {name: read_record(item[name]) for name in item}
    kind_name = text_of(item.attrs.get("record", ""))
    kind_of = _class_of(kind_name, item)
    values: dict[str, Any] = {}
    known = {one.name: one for one in fields(kind_of) if one.init}
    for name in item:
        if name in known:
            values[name] = () if name in skip else read_record(item[name])
        else:
            logger.info("%s: %s has no field %r any more, passed over", item.file.filename, kind_name, name)
    missing = [name for name, one in known.items() if name not in values and _required(one)]
    if missing:
        raise FileFormatError(
            f"{item.file.filename}: {kind_name} without {', '.join(missing)}", hint="the file is not complete"
        )
    return kind_of(**values)


def _required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _class_of(name: str, item: h5py.Group) -> Any:
    """The record class that a file names."""
    found = class_of(name)
    if found is None:
        raise FileFormatError(
            f"{item.file.filename}: unknown record {name!r} at {item.name}",
            expected="one that this version of pyfai_gridcal knows",
            hint="a newer version may read it",
        )
    return found


def _read_dataset(item: h5py.Dataset) -> Any:
    kind = text_of(item.attrs.get("kind", ""))
    if kind == "none":
        return None
    if item.shape == ():
        value = item[()]
        if isinstance(value, bytes):
            value = value.decode()
        if kind == "json":
            return _tuples(json.loads(value))
        return value.item() if isinstance(value, np.generic) else value
    return tuple(item[()].tolist()) if kind == "tuple" else item[()]


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    if isinstance(value, dict):
        return {k: _tuples(v) for k, v in value.items()}
    return value
