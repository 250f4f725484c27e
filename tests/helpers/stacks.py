"""Stacks of frames to correct, and what stops their correction half way."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import fabio
import h5py

from pyfai_gridcal.correction.streams import DATA_PATH

SHAPE = (90, 120)
COUNT = 12


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path):
    with h5py.File(path) as file:
        return file[DATA_PATH][()]


class Stop(Exception):
    pass


def stop_after(number):
    def progress(fraction, text):
        if text.startswith(f"frame {number} "):
            raise Stop

    return progress


def make_files(tmp_path, frames):

    names = []
    for k in range(5):
        name = tmp_path / f"in_{k}.edf"
        fabio.edfimage.EdfImage(data=frames[k], header={"Title": f"frame {k}", "motor": str(k)}).write(str(name))
        names.append(str(name))
    return names


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "pyfai_gridcal", *map(str, arguments)], capture_output=True, text=True, **options
    )
