"""The protocol of section 4, and its variants: which searches and fits there are to be made.

A *cell* is one entry of a comparison before averaging: a protocol, a tuning score, a data set, a
method, a split and, of CRCEN trained with another weight, that weight. It is a view of the record:
it names a *search*, which serves all scores, and a *fit*, which serves all cells that ask for the
same parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sklearn.model_selection import ParameterGrid

from crcen.study.methods import (
    COMPARED,
    HUNDRED,
    METHODS,
    NETWORKS,
    SHORT_GRID,
    STOPPED,
    WIDE_GRID,
    Grid,
    Method,
)
from crcen.study.splits import FOLDS

HELD_OUT = tuple(map(str, range(FOLDS)))  # the training rows, each by a fit without it
APPLIED = (*HELD_OUT, "train")  # to other rows than those of the test
TUNED_BY = ("f1", "gmean")  # the paper does not say which one tuning maximises

#: Wishes that `crcen.choose_lam` turns into a weight, from the held-out logits of a plain network.
WISHES = [("recall", value) for value in (0.7, 0.8, 0.9)]
WISHES += [("expense", value) for value in (2.0, 5.0, 10.0)]


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
        What tuning looks at, one after the other.
    methods : tuple of str
        The methods it is for; empty for all.
    weights : tuple of str
        Weights to train the tuned network with, as `Fit` has them; the empty string is the
        method's own.
    networks : dict, optional
        The grid that the networks are tuned over, if it is not their own.
    also : tuple of str
        The rows that each fit is applied to besides the test rows, as `Fit` has them. With those of
        `FOLDS` it is also made without each fold of its training rows, for their held-out logits.
    """

    n_splits: int
    tune_every: int | None = None
    scores: tuple[str, ...] = TUNED_BY
    methods: tuple[str, ...] = ()
    weights: tuple[str, ...] = ("",)
    networks: Grid | None = None
    also: tuple[str, ...] = ()

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

    def points(self, method: Method) -> list[str]:
        """List the points of the grid that a method is tuned over."""
        other = self.networks if "l2" in method.grid else None
        return [text(point) for point in ParameterGrid(other or method.grid)]


PROTOCOLS = {
    # The paper's, tuned once; five whole runs of it, each with 4 splits and tuned on its first, as
    # in the paper; a stricter one, tuned in every split.
    "paper": Protocol(20, methods=(*COMPARED, *STOPPED)),
    "repeated": Protocol(20, tune_every=4, methods=(*NETWORKS, "MLP moved", "LR", "LR weighted")),
    "nested": Protocol(20, tune_every=1, methods=COMPARED),
    # That of the paper's Figure 1.
    "lambda": Protocol(
        20,
        scores=("f1",),
        methods=("CRCEN",),
        weights=("plain", *(f"alpha {alpha}" for alpha in ("0.5", "1", "1.5", "2"))),
    ),
    # A weight, or a moved threshold of a plain network; and CRCEN trained as one wishes.
    "plain": Protocol(8, scores=("f1", "log_loss"), methods=("MLP",), also=APPLIED),
    "weighted": Protocol(8, scores=("f1", "log_loss"), methods=("CRCEN",)),
    "wished": Protocol(
        8,
        scores=("log_loss",),
        methods=("CRCEN",),
        weights=tuple(f"{wish} {value:g}" for wish, value in WISHES),
    ),
    # What lies beyond the edges of the grid.
    "wide": Protocol(20, methods=NETWORKS, networks=WIDE_GRID),
    # Many sets: tuned in every split, over few points; and what promises and thresholds need.
    "hundred": Protocol(
        10, tune_every=1, scores=("log_loss",), methods=HUNDRED, networks=SHORT_GRID
    ),
    "hundred held out": Protocol(
        10,
        tune_every=1,
        scores=("log_loss",),
        methods=("MLP", "LR"),
        networks=SHORT_GRID,
        also=HELD_OUT,
    ),
}


class Search(NamedTuple):
    """A search over points of a method's grid, on the training rows of a split."""

    dataset: str
    method: str
    split: int


class Fit(NamedTuple):
    """One fit: the one answer that every view of it shows.

    Attributes
    ----------
    dataset, method : str
        Their names.
    params : str
        Parameters of the classifier, as `text` writes them. Besides its own, ``lam`` may be the
        name of a weight: ``"alpha 1.5"``, or a wish, ``"recall 0.8"`` or ``"expense 5"``, that
        `crcen.choose_lam` answers from the plain network tuned by log loss on the same split.
    split : int
        Number of the split.
    rows : str
        The rows that it is applied to: ``"test"``, trained on all training rows; ``"0"`` to
        ``"3"``, that fold of the training rows, trained on the others; or ``"train"``, the very
        rows that it was trained on.
    """

    dataset: str
    method: str
    params: str
    split: int
    rows: str = "test"


class Cell(NamedTuple):
    """One entry of a comparison before averaging."""

    protocol: str
    score: str
    dataset: str
    method: str
    split: int
    weight: str = ""


def text(params: Mapping[str, Any]) -> str:
    """Write parameters so that the same ones are the same text.

    Examples
    --------
    >>> text({"l2": 1e-05, "hidden_layer_sizes": (10,)})
    '{"hidden_layer_sizes": [10], "l2": 1e-05}'
    """
    return json.dumps(params, sort_keys=True)


def fit_of(cell: Cell, params: str) -> Fit:
    """Name the fit that a cell shows, given the parameters that its search chose.

    CRCEN with the plain weight is the MLP, and with alpha = 1 it is itself.

    Examples
    --------
    >>> fit_of(Cell("lambda", "f1", "abalone", "CRCEN", 3, "plain"), '{"l2": 0.1}').method
    'MLP'
    >>> fit_of(Cell("lambda", "f1", "abalone", "CRCEN", 3, "alpha 2"), '{"l2": 0.1}').params
    '{"l2": 0.1, "lam": "alpha 2"}'
    """
    method = "MLP" if cell.weight == "plain" else METHODS[cell.method].like or cell.method
    if cell.weight not in ("", "plain", "alpha 1"):
        params = text(json.loads(params) | {"lam": cell.weight})
    return Fit(cell.dataset, method, params, cell.split)


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
        Cell(name, score, dataset, method, split, weight)
        for name, protocol in protocols.items()
        for score in protocol.scores
        for dataset in datasets
        for method in methods
        if method in (protocol.methods or (method,))
        for split in range(protocol.n_splits)
        for weight in protocol.weights
    ]
