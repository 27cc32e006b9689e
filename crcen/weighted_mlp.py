"""The estimator that `crcen.classifiers` gives a loss: parameters, checks, training, logits."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Callable, Sequence
from functools import update_wrapper, wraps
from types import FunctionType
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from crcen.losses import Loss
from crcen.network import ACTIVATIONS, TILE, Network, Objective, as_tensor
from crcen.solver import minimize
from crcen.threads import one_thread
from crcen.validation import (
    NOT_NEGATIVE,
    POSITIVE,
    check_count,
    check_lam,
    check_number,
    check_numbers,
    check_weights,
)
from crcen.weights import imbalance_ratio, lam_from_alpha

CONSTANT = 1e-4  # share of a constant's loss: a fit that removes less is as good as one
MOST = 10**8  # parameters: beyond that, the solver's memory would be 80 GB


class WeightedMLP(ClassifierMixin, BaseEstimator):
    """Everything of the two classifiers but the loss and what the output means."""

    _loss: Loss

    @staticmethod
    def _loss_of_constant(shares: NDArray[np.float64]) -> float:
        """Compute the least loss of a constant, from the weighted shares of the classes."""
        raise NotImplementedError

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give each classifier an `__init__` and a `fit` of its own name, which TypeErrors tell."""
        if WeightedMLP in cls.__bases__:
            for name in {"__init__", "fit"} - {*vars(cls)}:
                own = _renamed(vars(WeightedMLP)[name], cls.__name__)
                setattr(cls, name, _with_remedy(own) if name == "__init__" else own)
        super().__init_subclass__(**kwargs)

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (10,),
        *,
        lam: float | Literal["balanced"] = "balanced",
        l2: float = 1e-3,
        activation: Literal["logistic", "tanh", "relu", "identity"] = "logistic",
        tol: float = 1e-6,
        max_iter: int = 5000,
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        positive: object = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.lam = lam
        self.l2 = l2
        self.activation = activation
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.warm_start = warm_start
        self.positive = positive

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train to a stationary point.

        A fit that raises or is interrupted leaves the classifier as it was: as the last fit made
        it, or not fitted.

        Parameters
        ----------
        X : array-like of shape (n, p)
            Rows; scale them first, the L2 penalty and the solver expect comparable columns.
        y : array-like of shape (n,)
            Labels of two classes. Lambda weights `positive`, by default ``classes_[1]``, the larger
            label.
        sample_weight : array-like of shape (n,), optional
            Non-negative row weights; a row of weight k counts as k rows, in "balanced" too.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of its range, a cell is NaN or infinite, a sample weight is
            negative, `y` does not hold exactly two classes with rows of positive weight, or their
            weights are so far apart that a balancing lambda rounds to 0 or 1.
        TypeError
            If `X` is sparse, or a cell is no number.

        Warns
        -----
        ConvergenceWarning
            If the relative gradient is still above `tol` after `max_iter` iterations, or the fit
            is no better on its own rows than a constant.
        UserWarning
            If `lam` is a number other than 0.5, `positive` is not given, and the larger label,
            which `lam` then weights, has the more rows, as "good" beside "bad" may have.
        """
        before = vars(self).copy()
        try:
            return self._fit(X, y, sample_weight)
        except BaseException:
            self.__dict__ = before
            raise

    def _fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Self:
        self._check_parameters()
        rows, labels = self._validated(X, y)
        s = check_weights(sample_weight, len(rows))
        try:
            check_classification_targets(labels)
            self.classes_ = np.unique(labels)
            y01 = (labels == self.classes_[-1]).astype(int)
        except TypeError:
            raise ValueError(
                "y has labels of several kinds, which have no order: give two numbers or two "
                "texts, and leave out rows without a label."
            ) from None
        self._check_classes(labels, s)
        weighted = self._weighted_class()
        self.positive_ = self.classes_[weighted]
        is_positive = (y01 == weighted).astype(int)

        if isinstance(self.lam, str):
            self.lam_ = _balancing(is_positive, s)
        else:
            self.lam_ = check_lam(self.lam)
            self._warn_of_majority(y01, s, sample_weight)
        network = Network((rows.shape[1], *map(int, self.hidden_layer_sizes), 1), self.activation)
        if network.n_parameters > MOST:
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} must make fewer parameters, at "
                f"most {MOST:.0e}: the solver keeps a hundred vectors of that length."
            )
        weight = s * np.where(is_positive, self.lam_, 1 - self.lam_)  # Eq. 1
        shares = np.bincount(y01, weight / weight.sum(), 2).astype(float)  # of the two classes
        self.l2_ = float(self.l2 * 4 * shares.prod())
        objective = Objective(network, self._loss, rows, y01.astype(float), weight, self.l2_)
        solution = minimize(
            objective,
            self._start(network),
            tol=self.tol,
            max_iter=self.max_iter,
            single=objective.single if objective.many_rows else None,
            hessian=objective.hessian if network.is_tiny else None,
            unit=lambda: objective.error,
        )

        self.activation_ = self.activation
        layers = network.layers(torch.from_numpy(solution.theta))
        self.coefs_ = [W.numpy() for W, _ in layers]
        self.intercepts_ = [b.numpy() for _, b in layers]
        self.loss_ = solution.value
        self.n_iter_ = solution.n_iter
        self.grad_norm_ = solution.grad_norm
        loss = solution.value - objective.penalty(solution.theta)
        self.d2_ = float(1 - loss / self._loss_of_constant(shares))
        if not solution.converged:
            remedy = (
                f"raise max_iter (now {self.max_iter}), scale the columns of X, or raise l2 "
                "(separable data has no minimum at l2=0)"
                if solution.n_iter >= self.max_iter
                else "rounding stops it there, so raise tol, or scale the columns of X"
            )
            warnings.warn(
                f"{type(self).__name__} stopped after {solution.n_iter} iterations at a relative "
                f"gradient of {solution.grad_norm:.1e}, above tol={float(self.tol):g}: {remedy}.",
                ConvergenceWarning,
                stacklevel=3,
            )
        elif self.d2_ < CONSTANT:
            remedy = f"lower l2 (now {float(self.l2):g}), or " if self.l2 else ""
            warnings.warn(
                f"{type(self).__name__} is no better than a constant on its own rows (d2_ below "
                f"{CONSTANT:g}): {remedy}the columns of X say nothing about y.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _start(self, network: Network) -> NDArray[np.float64]:
        """Take the last fit's parameters, if they are wanted and of this shape; else draw some."""
        if self.warm_start and hasattr(self, "coefs_") and self._shape() == network:
            return self._theta()
        return network.initial(check_random_state(self.random_state))

    def _theta(self) -> NDArray[np.float64]:
        """Join the layers to the flat vector that the solver moved."""
        return np.concatenate(
            [a.ravel() for layer in zip(self.coefs_, self.intercepts_, strict=True) for a in layer]
        )

    def _shape(self) -> Network:
        sizes = (len(self.coefs_[0]), *(len(b) for b in self.intercepts_))
        return Network(sizes, self.activation_)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute the output logits o (Eq. 2); ``classes_[1]`` is predicted where o > 0.

        Parameters
        ----------
        X : array-like of shape (n, p)
            Rows.

        Returns
        -------
        ndarray of shape (n,)
            Logits.
        """
        check_is_fitted(self)
        rows = self._validated(X, reset=False)
        network, weights = self._shape(), torch.from_numpy(self._theta())
        with one_thread():  # a forked worker could not wait for PyTorch's others
            return np.concatenate(
                [
                    network.logits(weights, as_tensor(rows[start : start + TILE])).numpy()
                    for start in range(0, len(rows), TILE)
                ]
            )

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the class at threshold 1/2.

        Parameters
        ----------
        X : array-like of shape (n, p)
            Rows.

        Returns
        -------
        ndarray of shape (n,)
            Labels from `classes_`.
        """
        o = self.decision_function(X)  # first, so that an unfitted classifier says so
        return self.classes_[(o > 0).astype(int)]

    def _validated(self, *given: ArrayLike, **options: bool) -> Any:
        try:
            return validate_data(self, *given, dtype=np.float64, **options)
        except (OverflowError, RuntimeError) as error:  # scikit-learn does not expect such things
            raise ValueError(f"X or y cannot be read as numbers: {error}.") from None

    def _check_parameters(self) -> None:
        sizes = self.hidden_layer_sizes
        if (
            isinstance(sizes, str)
            or not isinstance(sizes, Sequence | np.ndarray)
            or (isinstance(sizes, np.ndarray) and sizes.ndim != 1)
            or not all(isinstance(h, numbers.Integral) and h > 0 for h in sizes)
        ):
            raise ValueError(
                f"hidden_layer_sizes={sizes!r} must be a sequence of positive integers: write "
                "(10,) for one hidden layer of 10, () for logistic regression."
            )
        if not (isinstance(self.lam, str) and self.lam == "balanced"):
            try:
                check_lam(self.lam)
            except ValueError as error:
                raise ValueError(f"{error} Or set lam='balanced'.") from None
        if not isinstance(self.activation, str) or self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation={self.activation!r} must be one of {', '.join(ACTIVATIONS)}."
            )
        check_number("l2", self.l2, NOT_NEGATIVE)
        check_number("tol", self.tol, POSITIVE)
        check_count("max_iter", self.max_iter)
        if not isinstance(self.warm_start, bool | np.bool_):
            raise ValueError(f"warm_start={self.warm_start!r} must be True or False.")
        try:
            check_random_state(self.random_state)
        except ValueError:
            raise ValueError(
                f"random_state={self.random_state!r} must be an integer from 0 to 2**32 - 1, a "
                "numpy.random.RandomState, or None."
            ) from None

    def _check_classes(self, y: NDArray[Any], s: NDArray[np.float64]) -> None:
        weighted = np.unique(y[s > 0])
        if len(self.classes_) > 2:
            # scikit-learn's own checks look for the first sentence.
            raise ValueError(
                "Only binary classification is supported. y has the "
                f"{len(self.classes_)} classes {self.classes_[:5].tolist()}: choose one class "
                "against the rest, e.g. y == label."
            )
        if len(weighted) < 2:
            raise ValueError(
                f"y has rows of positive weight in one class only, {weighted.tolist()}: "
                f"{type(self).__name__} needs two classes; add rows of the other, or weight them."
            )

    def _weighted_class(self) -> int:
        """Tell the number of the class that lambda weights."""
        if self.positive is None:
            return 1
        labels = self.classes_.tolist()
        try:
            return labels.index(self.positive)
        except Exception:  # whatever a thing does that is no label when it is compared
            raise ValueError(
                f"positive={self.positive!r} must be one of the labels of y, {labels}, that which "
                f"lam is to weight, or None for {labels[1]!r}."
            ) from None

    def _warn_of_majority(
        self, y01: NDArray[Any], s: NDArray[np.float64], sample_weight: ArrayLike | None
    ) -> None:
        """Say so where a weight falls on the majority only because its label is the larger."""
        n0, n1 = np.bincount(y01, s, 2).tolist()
        more = n1 > n0 * (1 + 1e-9)  # and not by rounding: the weights may balance the classes
        if self.positive is None and self.lam_ != 0.5 and more:
            low, high = self.classes_.tolist()
            if sample_weight is not None:  # in the unit that it came in
                unit = float(check_numbers("sample_weight", sample_weight, NOT_NEGATIVE).max())
                n0, n1 = (n * (unit / float(s.max())) for n in (n0, n1))
            warnings.warn(
                f"lam={self.lam!r} weights {high!r}, the majority with {n1:.10g} rows, and not "
                f"{low!r} with {n0:.10g}: say positive={low!r} to weight the minority, or "
                f"positive={high!r} if that is meant.",
                UserWarning,
                stacklevel=4,
            )


def _balancing(y: NDArray[Any], s: NDArray[np.float64]) -> float:
    """Compute the lambda that balances the classes, or say why there is none."""
    try:
        return lam_from_alpha(1, imbalance_ratio(y, s))
    except ValueError as error:
        raise ValueError(
            f"sample_weight cannot be balanced ({error}): give weights of comparable size, or a "
            "number as lam."
        ) from None


def _with_remedy(init: Callable[..., None]) -> Callable[..., None]:
    """Let an `__init__` say what stands for the parameter that most classifiers have."""

    @wraps(init)
    def told(*args: Any, **parameters: Any) -> None:
        if "class_weight" in parameters:
            raise TypeError(
                f"{init.__qualname__}() got an unexpected keyword argument 'class_weight': "
                "class_weight='balanced' is lam='balanced', the default; weights w0 and w1 of the "
                "two classes are lam = w1/(w0 + w1)."
            )
        init(*args, **parameters)

    return told


def _renamed(function: Any, owner: str) -> FunctionType:
    """Copy a function as the method of another class."""
    own = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    update_wrapper(own, function)
    del own.__dict__["__wrapped__"]
    own.__kwdefaults__ = function.__kwdefaults__
    own.__qualname__ = f"{owner}.{function.__name__}"
    return own
