"""Fits of one network along a grid of penalties, each from its neighbour's parameters.

A weak penalty takes many iterations, most of them to come near a minimum that the next stronger
penalty has found already. From a strong one there is no way: its minimum is the constant, where
the neurons are alike, and a path that starts there never leaves it. So penalties from `ANCHOR` on
are fitted from the starting values, and weaker ones from the next stronger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, clone

from crcen.weighted_mlp import WeightedMLP

# Penalties below are fitted from their neighbour.
ANCHOR = 1e-3


def fit_path(
    classifier: ClassifierMixin, points: Sequence[Mapping[str, Any]], X: ArrayLike, y: ArrayLike
) -> Iterator[tuple[int, Any]]:
    """Fit a classifier at every point of a grid, weak penalties from their stronger neighbours.

    Parameters
    ----------
    classifier : estimator
        The classifier, which is not changed. Any will do: one that is no network of `crcen`, or a
        grid without `l2`, has no path, and each point is fitted for itself.
    points : sequence of mapping
        Parameters of the classifier at each point.
    X, y : array-like of shape (n, p) and (n,)
        Training rows and their labels.

    Yields
    ------
    number : int
        Which point.
    fitted : estimator
        The classifier fitted there, to be used before the next one is asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from crcen import CRCENClassifier
    >>> from crcen.theory.simulations import sim1
    >>> X, y = sim1(100, 1000, np.random.default_rng(0))
    >>> points = [{"l2": 1e-4}, {"l2": 1e-3}, {"l2": 1e-2}]
    >>> [number for number, _ in fit_path(CRCENClassifier(random_state=0), points, X, y)]
    [2, 1, 0]
    """
    paths: dict[str, list[int]] = {}
    for number, point in enumerate(points):
        others = {name: value for name, value in point.items() if name != "l2"}
        paths.setdefault(repr(sorted(others.items())), []).append(number)
    for path in paths.values():
        model = clone(classifier)
        for number in sorted(path, key=lambda number: -points[number].get("l2", ANCHOR)):
            point = dict(points[number])
            if "l2" in point and isinstance(model, WeightedMLP):
                point["warm_start"] = point["l2"] < ANCHOR
            yield number, model.set_params(**point).fit(X, y)
