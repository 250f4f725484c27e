"""Held-out errors of recipes that have no short cut to them: fit without some points, predict these."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ._typing import Bools, Floats, Ints
from .recipe import Sample

__all__ = ["block_folds", "held_out", "scattered_folds"]


def scattered_folds(count: int, folds: int, seed: int = 0) -> Ints:
    """Fold (N,) of each point, drawn at random."""
    order = np.random.default_rng(seed).permutation(count)
    out = np.empty(count, dtype=np.int64)
    out[order] = np.arange(count) % folds
    return out


def block_folds(yx: Floats, size: float, folds: int) -> Ints:
    """Fold (N,) of each point: squares of `size` px, dealt out so that neighbouring squares are in different folds."""
    k = np.floor((yx - yx.min(axis=0)) / size).astype(np.int64)
    return np.asarray((k[:, 0] * (1 + folds // 2) + k[:, 1]) % folds)


def held_out(sample: Sample, fold: Ints, predict: Callable[[Sample, Floats], Floats]) -> Floats:
    """Predicted - given displacement (N, 2) of each point by a field that did not see its fold.

    Parameters
    ----------
    sample : the points; only those to be used take part in the fits
    fold : (N,) fold of each point
    predict : (sample, points (M, 2)) -> displacement (M, 2)
    """
    out = np.full(sample.d.shape, np.nan)
    for test in _folds(fold):
        train = sample.select(~test & sample.used)
        if len(train) >= 3:
            out[test] = predict(train, sample.yx[test]) - sample.d[test]
    return out


def _folds(fold: Ints) -> Iterator[Bools]:
    for k in np.unique(fold):
        yield fold == k
