"""Files of programs next door: nabu (tomography), MIDAS and DIALS (diffraction).

nabu
    Two maps in HDF5, index frame: pixel (i, j) of the corrected image is what the raw one has at ``coords_source_z[i,
    j]`` (slow), ``coords_source_x[i, j]`` (fast). These are places, of the inverse, hence known only where a corrected
    pixel is seen; there is no mask.
MIDAS
    Raw float64: the map of Y (fast), then that of Z (slow), each (slow, fast), index frame, corrected - observed, px.
    Its ImTransOpt turns the maps with the images, but not their signs: with flips, the map of that axis must be
    written with the other sign.
DIALS, dxtbx
    Two pickles, each a tuple with one array (slow, fast) per panel, **observed - corrected**, px, of the edge frame.
    From pixels to mm the entry of the pixel counts; from mm to pixels as well, though the point is then known by where
    it should be: this is wrong by about the displacement times its gradient.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...base.arrays import Floats
from ...base.atomic import existing, replacing
from ...base.errors import FileFormatError, UsageError
from ...base.frames import edge_nodes, pixel_centres, raster_places
from ...base.opening import make_hdf5, reading_hdf5
from ...records.distortion import Distortion
from ..nexus.groups import look_at
from ..nexus.packing import write_array
from .inverse import inverted
from .maps import continued, distortion_of_centres, distortion_of_nodes, pair_names
from .options import pixel_size_of

if TYPE_CHECKING:
    from ...records.jobs import Reading
    from .options import Writing

#: Names of nabu's maps, slow first.
NABU = "coords_source_z", "coords_source_x"
#: Names by which a file of MIDAS is known: its numbers have no head.
MIDAS_SUFFIXES = (".midas.bin", ".midas")
#: Module of the arrays of DIALS, by which its pickles are known.
FLEX = "scitbx_array_family_flex_ext"


# -- nabu
def read_nabu(paths: tuple[Path, ...], reading: Reading) -> Distortion:
    path = paths[0]
    try:
        with reading_hdf5(path) as file:
            for name in NABU:
                look_at(file, name, str(path))
            back = np.stack([file[name][()] for name in NABU], axis=-1)
            back = back - raster_places(*pixel_centres(back.shape[:-1]))
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError) as error:
        raise FileFormatError(f"{path} holds no maps of nabu: {error}", expected="two of the same 2D shape") from error
    size = pixel_size_of((), reading, path)
    there = distortion_of_centres(back[..., 0], back[..., 1], size)
    edges = edge_nodes(there.shape)
    nodes = inverted(there.field, there.shape).on_grid(*edges)
    places = (nodes + raster_places(*edges))[1:, 1:] - 0.5
    # Of pixels that belong outside of the corrected image nothing is told.
    with np.errstate(invalid="ignore"):
        told_of = np.asarray(((places > -1) & (places < np.array(there.shape))).all(axis=-1))
    return distortion_of_nodes(nodes[..., 0], nodes[..., 1], size, mask=~told_of)


def write_nabu(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    """What no pixel sees goes on as its neighbours do: nabu takes places at the border for those beyond it."""
    at = raster_places(*pixel_centres(distortion.shape))
    back = (distortion.distort(at.reshape(-1, 2)) - at.reshape(-1, 2)).reshape(at.shape)
    places = continued(back, np.asarray(np.isfinite(back).all(axis=-1))) + at
    with replacing(path) as temporary, make_hdf5(temporary) as file:
        for name, one in zip(NABU, np.moveaxis(places, -1, 0), strict=True):
            write_array(file, name, np.ascontiguousarray(one)).attrs["units"] = "px"
    return [path]


# -- MIDAS
def read_midas(paths: tuple[Path, ...], reading: Reading) -> Distortion:
    path, shape = existing(paths[0]), reading.shape
    if shape is None:
        raise UsageError(f"{path} does not tell the shape of its maps", hint="give it, slow first: --shape 2048,2048")
    if path.stat().st_size != 16 * math.prod(shape):
        expected = f"{16 * math.prod(shape)}, two maps of {shape} float64"
        raise FileFormatError(f"{path} has {path.stat().st_size} bytes", expected=expected)
    dx, dy = np.fromfile(path, "<f8").reshape(2, *shape)
    return distortion_of_centres(dy, dx, pixel_size_of((), reading, path))


def write_midas(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    """There is no mask: what is ignored gets the value of the field as well."""
    dy, dx = (np.nan_to_num(one) for one in distortion.displacement_maps())
    with replacing(path) as temporary:
        np.stack([dx, dy]).astype("<f8").tofile(temporary)
    return [path]


# -- DIALS
def read_dials(paths: tuple[Path, ...], reading: Reading) -> Distortion:
    dx, dy = (_read_flex(path) for path in paths)
    return distortion_of_centres(-dy, -dx, pixel_size_of((), reading, paths[0]))


def write_dials(distortion: Distortion, path: Path, writing: Writing) -> list[Path]:
    """There is no mask: what is ignored gets the value of the field as well."""
    names = pair_names(path, ("_dx", "_dy"), ".pickle")
    for name, one in zip(names, reversed(distortion.displacement_maps()), strict=True):
        with replacing(name) as temporary:
            temporary.write_bytes(_flex_pickle(-np.nan_to_num(one)))
    return list(names)


class _Flex:
    """Stands for an object of DIALS: what it was made with, and its state."""

    def __init__(self, *given: object):
        self.given, self.state = given, None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _as_bytes(text: str, encoding: str) -> bytes:
    """How older protocols of pickle say bytes."""
    return text.encode(encoding)


class _FlexUnpickler(pickle.Unpickler):
    """Reads arrays and what they are made of, and nothing else: a pickle may ask for anything to be run."""

    def find_class(self, module: str, name: str) -> Any:
        known = {(FLEX, "double"): _Flex, (FLEX, "grid"): _Flex, ("_codecs", "encode"): _as_bytes}
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return known[module, name]


def _read_flex(path: Path) -> Floats:
    with existing(path).open("rb") as stream:
        try:
            panels = _FlexUnpickler(stream, encoding="latin-1").load()
            grid, packed = panels[0].state
            ny, nx = (int(n) for n in grid.given[1])
            packed = packed.encode("latin-1") if isinstance(packed, str) else packed
            values = _unpacked(packed, ny * nx).reshape(ny, nx)
        except Exception as error:  # a pickle may be anything
            expected = "a pickled tuple of flex.double"
            raise FileFormatError(f"{path} is no map of DIALS: {error}", expected=expected) from error
    if len(panels) != 1:
        raise FileFormatError(f"{path} holds maps of {len(panels)} panels", expected="those of a detector of one panel")
    return values


#: Bytes of a number as they are written here: head, seven of the mantissa, head of the exponent, exponent. A head is
#: one more than the bytes that follow it, plus 128 for a negative number; DIALS leaves away bytes that are zero.
_DIGITS, _NEGATIVE = 7, 0x80


def _packed(values: Floats) -> bytes:
    """Numbers as the state of a flex.double holds them: how many, then mantissa and exponent of each, base 256."""
    flat = np.ascontiguousarray(values, np.float64).ravel()
    mantissa, exponent = np.frexp(np.abs(flat))
    out = np.empty((len(flat), _DIGITS + 3), np.uint8)
    out[:, 0] = (_DIGITS + 1) + _NEGATIVE * (flat < 0)
    digits = (mantissa * 2.0 ** (8 * _DIGITS)).astype(">u8")
    out[:, 1 : _DIGITS + 1] = digits.view(np.uint8).reshape(-1, 8)[:, 8 - _DIGITS :]
    out[:, -2] = 2 + _NEGATIVE * (exponent < 0)
    out[:, -1] = np.abs(exponent)  # of displacements in px, far below 256
    count = len(flat).to_bytes((len(flat).bit_length() + 7) // 8, "little")
    return bytes([len(count) + 1]) + count + out.tobytes()


def _unpacked(data: bytes, count: int) -> Floats:
    at = data[0]
    if int.from_bytes(data[1:at], "little") != count or len(data) < count:
        raise ValueError(f"not {count} numbers")
    table, each = np.frombuffer(data, np.uint8, offset=at), _DIGITS + 3
    if len(table) == each * count and (table.reshape(count, each)[:, [0, -2]] & 0x7F == (_DIGITS + 1, 2)).all():
        table = table.reshape(count, each)  # as they are written here: all at once
        sign = np.where(table[:, [0, -2]] & _NEGATIVE, -1, 1)
        digits = np.pad(table[:, 1 : _DIGITS + 1], ((0, 0), (8 - _DIGITS, 0))).view(">u8")[:, 0]
        return np.asarray(np.ldexp(sign[:, 0] * digits.astype(np.float64), sign[:, 1] * table[:, -1] - 8 * _DIGITS))
    out = np.zeros(count)
    for k in range(count):
        head, digits_of = data[at], data[at] & 0x7F
        at += max(digits_of, 1)
        if digits_of:
            number = int.from_bytes(data[at - digits_of + 1 : at], "big") * (-1 if head & _NEGATIVE else 1)
            head, size = data[at], data[at] & 0x7F
            at += max(size, 1)
            exponent_of = int.from_bytes(data[at - size + 1 : at], "little") if size else 0
            out[k] = math.ldexp(number, (-1 if head & _NEGATIVE else 1) * exponent_of - 8 * (digits_of - 1))
    return out


def _flex_pickle(values: Floats) -> bytes:
    """A tuple of one flex.double as pickle (protocol 3) has it; put together here, for its classes are elsewhere."""

    def constant(value: object) -> bytes:
        return pickle.dumps(value, 3)[2:-1]  # without the number of the protocol and the stop

    shape = tuple(int(n) for n in values.shape)
    double, grid = (f"c{FLEX}\n{name}\n".encode() for name in ("double", "grid"))
    made = grid + constant(((0, 0), shape, True)) + pickle.REDUCE + constant(shape) + pickle.BUILD
    state = pickle.MARK + made + constant(_packed(values)) + pickle.TUPLE
    return (
        pickle.PROTO
        + b"\x03"
        + double
        + pickle.EMPTY_TUPLE
        + pickle.REDUCE
        + state
        + pickle.BUILD
        + pickle.TUPLE1
        + b"."
    )


def lookup_error(distortion: Distortion) -> Floats:
    """What DIALS makes wrong on the way from mm to pixels, (ny, nx), px, by looking up where a point should be what
    belongs to where it was seen."""
    values = np.stack(distortion.displacement_maps(), axis=-1)
    should = np.rint(np.nan_to_num(values + raster_places(*pixel_centres(distortion.shape)))).astype(np.int64)
    y, x = (np.clip(should[..., k], 0, n - 1) for k, n in enumerate(distortion.shape))
    return np.asarray(np.hypot(*np.moveaxis(values - values[y, x], -1, 0)))
