"""Which rows are trained on and which are held out (section 4)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

TEST_SIZE = 0.25  # of all rows
FOLDS = 4  # of the training rows

Index = NDArray[np.intp]
Labels = NDArray[np.int64]


def splits(y: Labels, n_splits: int, seed: int) -> Iterator[tuple[Index, Index]]:
    """Split the rows 0.75/0.25 into training and testing rows, stratified, `n_splits` times.

    The first splits are the same whatever their number, so that protocols share them.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels.
    n_splits : int
        Number of splits; the paper has 4.
    seed : int
        Seed of the shuffle.

    Yields
    ------
    train, test : ndarray of int
        Row numbers.
    """
    shuffle = StratifiedShuffleSplit(n_splits, test_size=TEST_SIZE, random_state=seed)
    yield from shuffle.split(np.zeros((len(y), 1)), y)


def folds(y: Labels, seed: int) -> list[tuple[Index, Index]]:
    """Divide training rows into 4 folds: of each, the rows outside it and those in it.

    Examples
    --------
    >>> [rows.size for rows in folds(np.repeat([0, 1], [60, 20]), seed=0)[0]]
    [60, 20]
    """
    cut = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return list(cut.split(np.zeros((y.size, 1)), y))
