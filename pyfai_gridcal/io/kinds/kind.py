"""What a kind of distortion file is, and what has been read from one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...records.distortion import Distortion
from ...records.jobs import Reading
from .options import Writing


@dataclass(frozen=True)
class DistortionFile:
    """A distortion and where it came from.

    Attributes
    ----------
    distortion : binned as asked for. Where no orientation was asked for, it is for images in that of the file, and its
        places are those of pyFAI; else for images that were turned to orientation 3
    kind : name of the kind of file
    paths : the files read
    binning : (slow, fast), as asked for
    orientation : pyFAI's, of the images that the file is for, as it says itself (3 where it does not)
    """

    distortion: Distortion
    kind: str
    paths: tuple[Path, ...]
    binning: tuple[int, int] = (1, 1)
    orientation: int = 3


@dataclass(frozen=True)
class Kind:
    """A kind of distortion file.

    Attributes
    ----------
    name, title : for options and for people
    statement : frame, order, unit and sign of what is in the file
    suffixes : by which an output name asks for it
    read : (paths, what the file does not tell) -> Distortion, for images in orientation 3 where the file tells another
    write : (distortion, path, choices) -> files written
    keeps_mask : whether the file holds the mask
    pair : whether it is two files, the maps of both axes
    keeps_size : whether the file holds the pixel size
    orientation : path -> pyFAI's orientation of the images that the file is for
    """

    name: str
    title: str
    statement: str
    suffixes: tuple[str, ...]
    read: Callable[[tuple[Path, ...], Reading], Distortion]
    write: Callable[[Distortion, Path, Writing], list[Path]]
    keeps_mask: bool = False
    pair: bool = False
    keeps_size: bool = True
    orientation: Callable[[Path], int] = lambda _: 3
