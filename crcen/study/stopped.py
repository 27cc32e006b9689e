"""A network whose training stops early: what the solver of `crcen` is compared with.

The record's digest of the code does not see this module, since a registry imports it and nothing
else does. After a change of what it computes, remove the rows of its methods and fill in anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neural_network import MLPClassifier
from sklearn.utils.class_weight import compute_sample_weight

BATCH = 200  # rows, scikit-learn's default, where there are as many


class StoppedMLP(ClassifierMixin, BaseEstimator):
    r"""scikit-learn's network, trained by Adam until the accuracy on held-out rows rises no more.

    Its objective is that of `crcen.CRCENClassifier`, the weighted mean of the cross entropy and
    :math:`\beta \lVert W \rVert^2`; only how it is trained differs. Of the training rows a tenth,
    stratified, is held out; after ten epochs in which their accuracy, weighted as the loss is, has
    not risen by 1e-4, training stops, and the network is the best one until then. All that is not
    named here has scikit-learn's defaults.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(10,)
        Neurons of each hidden layer.
    l2 : float, default=1e-3
        Strength beta of the penalty. scikit-learn's `alpha` is halved and divided by the rows of a
        batch, so it is twice this times the 200 of a whole one.
    weighted : bool, default=False
        Whether the classes weigh the same altogether, as with the balanced lambda.
    activation : str, default="logistic"
        Of the hidden neurons.
    random_state : int, optional
        Seed of the starting values, of the rows held out and of the batches.

    Attributes
    ----------
    classes_ : ndarray
        The labels.
    n_iter_ : int
        Epochs until it stopped.

    Examples
    --------
    >>> from crcen.theory.simulations import sim1
    >>> X, y = sim1(100, 1000, np.random.default_rng(0))
    >>> model = StoppedMLP(weighted=True, random_state=0).fit(X, y)
    >>> bool(model.predict_proba(X)[y == 1, 1].mean() > 0.5)
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (10,),
        *,
        l2: float = 1e-3,
        weighted: bool = False,
        activation: str = "logistic",
        random_state: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.l2 = l2
        self.weighted = weighted
        self.activation = activation
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on rows and labels."""
        self.network_ = MLPClassifier(
            tuple(self.hidden_layer_sizes),
            activation=self.activation,
            solver="adam",
            alpha=2 * self.l2 * BATCH,
            early_stopping=True,
            random_state=self.random_state,
        )
        weight = compute_sample_weight("balanced", y) if self.weighted else None
        self.network_.fit(X, y, sample_weight=weight)
        self.classes_, self.n_iter_ = self.network_.classes_, self.network_.n_iter_
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute the probabilities of the classes."""
        return np.asarray(self.network_.predict_proba(X), dtype=float)

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Decide for the more probable class."""
        return np.asarray(self.network_.predict(X))
