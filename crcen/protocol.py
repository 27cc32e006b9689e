"""The protocol of section 4: which splits, searches and cells there are; and its variants.

A *cell* is one entry of the comparison before averaging: a protocol, a tuning score, a data set, a
method and a split. What it needs is one search over the method's grid, which serves both tuning
scores, and one fit: `crcen.evaluation` makes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedShuffleSplit

from crcen.methods import NETWORKS

TEST_SIZE = 0.25  # of all rows
FOLDS = 4  # of the training rows
SCORES = ("f1", "gmean")  # the paper does not say which one tuning maximises

Index = NDArray[np.intp]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Protocol:
    """Which cells there are, and on which rows their parameters are tuned.

    Attributes
    ----------
    n_splits : int
        Number of splits.
    tune_every : int, optional
        How many splits in a row share one choice of parameters, made on the training rows of the
        first of them. None for all: tune on split 0 alone.
    scores : tuple of str
        What tuning maximises, one after the other: "f1", "gmean".
    methods : tuple of str
        The methods it is for; empty for all.
    alphas : tuple of str
        Weights to refit the tuned network with: each a number, or "plain" for lambda = 1/2. The
        empty string is the method's own weight.
    """

    n_splits: int
    tune_every: int | None = None
    scores: tuple[str, ...] = SCORES
    methods: tuple[str, ...] = ()
    alphas: tuple[str, ...] = ("",)

    def tuned_on(self, split: int) -> int:
        """Tell which split the parameters of this one are tuned on.

        Examples
        --------
        >>> [Protocol(8, tune_every=4).tuned_on(split) for split in range(8)]
        [0, 0, 0, 0, 4, 4, 4, 4]
        >>> Protocol(8).tuned_on(5), Protocol(8, tune_every=1).tuned_on(5)
        (0, 5)
        """
        return split - split % (self.tune_every or self.n_splits)


#: The paper's protocol, tuned once; five whole runs of it, each with 4 splits and tuned on its
#: first, as in the paper; a stricter one, tuned in every split; and that of the paper's Figure 1.
PROTOCOLS = {
    "paper": Protocol(20),
    "repeated": Protocol(20, tune_every=4, methods=NETWORKS),
    "nested": Protocol(20, tune_every=1),
    "lambda": Protocol(
        20, scores=("f1",), methods=("CRCEN",), alphas=("plain", "0.5", "1", "1.5", "2")
    ),
}


class Cell(NamedTuple):
    """One entry of the comparison.

    Examples
    --------
    >>> Cell("paper", "f1", "abalone", "CRCEN", 3).key
    'paper/f1/abalone/CRCEN/03'
    >>> Cell("lambda", "f1", "abalone", "CRCEN", 3, "0.5").key
    'lambda/f1/abalone/CRCEN/03-alpha-0.5'
    """

    protocol: str
    score: str
    dataset: str
    method: str
    split: int
    alpha: str = ""

    @property
    def key(self) -> str:
        """Its name in the store."""
        weight = f"-alpha-{self.alpha}" if self.alpha else ""
        return "/".join(self[:4]) + f"/{self.split:02d}{weight}"


class Search(NamedTuple):
    """One grid search, on the training rows of a split, which many cells may share.

    Examples
    --------
    >>> Search("abalone", "CRCEN", 3).key
    'tuning/abalone/CRCEN/03'
    """

    dataset: str
    method: str
    split: int

    @property
    def key(self) -> str:
        """Its name in the store."""
        return f"tuning/{self.dataset}/{self.method}/{self.split:02d}"


def cells(
    datasets: Iterable[str], methods: Iterable[str], protocols: Mapping[str, Protocol]
) -> list[Cell]:
    """List the cells of some data sets and methods under some protocols.

    Examples
    --------
    >>> len(cells(["abalone"], ["MLP", "CRCEN"], {"paper": Protocol(4), "other": Protocol(20)}))
    96
    """
    return [
        Cell(name, score, dataset, method, split, alpha)
        for name, protocol in protocols.items()
        for score in protocol.scores
        for dataset in datasets
        for method in methods
        if method in (protocol.methods or (method,))
        for split in range(protocol.n_splits)
        for alpha in protocol.alphas
    ]


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
