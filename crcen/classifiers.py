"""CRCENClassifier and CSMLPClassifier: scikit-learn estimators for two classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from crcen.losses import CROSS_ENTROPY, SQUARED_ERROR
from crcen.weighted_mlp import WeightedMLP

_PARAMETERS = r"""
    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(10,)
        Neurons of each hidden layer; ``()`` for none, with logits that are linear in the columns.
    lam : float or "balanced", default="balanced"
        Weight lambda of the class `positive`, in (0, 1); the other gets 1 - lambda.
        "balanced" is N0/(N0 + N1) of the data in hand, the inverse class frequency, where N1 counts
        the rows of `positive`.
    l2 : float, default=1e-3
        Strength of the penalty on the weights; biases are free. The penalty is
        ``l2_ * (sum of the squared weights)`` beside the weighted mean loss, with beta =
        ``l2_ = l2 * 4 pi (1 - pi)`` and pi the weighted share of class 1: `l2` itself if the
        classes are balanced, and as strong at any other share, where a constant leaves less loss.
    activation : {"logistic", "tanh", "relu", "identity"}, default="logistic"
        Activation of the hidden layers.
    tol : float, default=1e-6
        Training has converged when the relative gradient is at or below `tol`: the max-norm of
        the gradient over the mean of the two sides of Eq. 6. So `tol` bounds the residual of the
        key equation on the training rows, whatever the base rate and the weight. Fits of one
        problem that is written in two ways, such as a row twice or of weight 2, agree to about
        that over the curvature, and not to the last digit.
    max_iter : int, default=5000
        Most iterations of the solver.
    random_state : int, RandomState instance or None, default=None
        Seed of the starting values.
    warm_start : bool, default=False
        Whether `fit` starts where the last one ended, if the network has the same shape: along a
        path of penalties or weights, see `crcen.path`.
    positive : label, default=None
        The label that lambda weights, the paper's class 1; None for ``classes_[1]``, the larger.
        Nothing else depends on it: logits, columns of probabilities and predictions belong to
        `classes_` in its order, as everywhere in scikit-learn.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two labels, sorted; positive logits speak for ``classes_[1]``.
    positive_ : label
        The label that `lam_` weights.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Column names, if `X` had string names.
    coefs_ : list of ndarray of shape (fan_in, fan_out)
        Weights of each layer.
    intercepts_ : list of ndarray of shape (fan_out,)
        Biases of each layer; ``intercepts_[-1]`` is the output bias b of Eq. 2.
    lam_ : float
        The lambda used, the weight of `positive_`.
    activation_ : str
        The activation used.
    loss_ : float
        The objective at the end: weighted mean loss plus penalty.
    n_iter_ : int
        Iterations of the solver.
    grad_norm_ : float
        Relative gradient at the end: its max-norm over the mean of the two sides of Eq. 6,
        :math:`\tfrac12 \sum_i w_i |\partial \ell_i/\partial o_i| / \sum_i w_i`.
    l2_ : float
        Strength beta of the penalty as used.
    d2_ : float
        Share of the loss of the best constant that the fit removes on its own rows, 0 to 1
        (scikit-learn's ``d2_log_loss_score`` with the class weights, for cross entropy).
"""


class CRCENClassifier(WeightedMLP):  # noqa: D101 (below, it shares _PARAMETERS)
    __doc__ = (
        r"""Class-wise reweighted cross-entropy network (CRCEN).

    A multilayer perceptron with a sigmoid output that minimises Eq. 1 of Li & Zhu (2019),

    .. math:: L(\theta) = -\lambda \sum_{i \in S_1} \log p_i
              - (1-\lambda) \sum_{j \in S_0} \log (1-p_j),

    divided by :math:`\lambda N_1 + (1-\lambda) N_0`, plus :math:`\beta \lVert W \rVert_2^2`.
    ``lam=0.5`` is plain cross entropy.

    **Under the hood**, full-batch L-BFGS runs to a stationary point (`crcen.solver`), where the
    training data satisfies the key equation (Eq. 6); see `crcen.key_equation`.
"""
        + _PARAMETERS
        + """
    References
    ----------
    Li & Zhu (2019), CRCEN, arXiv 1906.04026, Eq. 1 and 6.

    Examples
    --------
    >>> from crcen import CRCENClassifier, key_equation
    >>> from crcen.theory.simulations import sim1
    >>> X, y = sim1(100, 1000, np.random.default_rng(0))
    >>> clf = CRCENClassifier(random_state=0).fit(X, y)
    >>> round(clf.lam_, 4)
    0.9091
    >>> bool(abs(key_equation(y, clf.predict_proba(X)[:, 1], clf.lam_).residual) < 1e-4)
    True
    """
    )

    _loss = CROSS_ENTROPY

    @staticmethod
    def _loss_of_constant(shares: NDArray[np.float64]) -> float:
        return float(-shares @ np.log(shares))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute the probabilities of the two classes under the *weighted* prior.

        They speak for a population in which class 1, that is `positive_`, has been reweighted to
        the prior odds lambda N1 / ((1 - lambda) N0), which is 1 for ``lam="balanced"``: for a
        balanced fit they overstate the minority in the training population.
        ``crcen.prior_shift(p, 1 - lam_)`` takes the column of `positive_` back to the training
        prior.

        Parameters
        ----------
        X : array-like of shape (n, p)
            Rows.

        Returns
        -------
        ndarray of shape (n, 2)
            Probabilities of ``classes_[0]`` and ``classes_[1]``.
        """
        o = self.decision_function(X)
        return np.column_stack([expit(-o), expit(o)])


class CSMLPClassifier(WeightedMLP):  # noqa: D101 (below, it shares _PARAMETERS)
    __doc__ = (
        r"""Cost-sensitive multilayer perceptron of Castro & Braga (CSMLP).

    A multilayer perceptron with a tanh output that minimises the class-weighted squared error on
    the labels -1 and +1,

    .. math:: \lambda \sum_{i \in S_1} (1 - \tanh o_i)^2 + (1-\lambda) \sum_{j \in S_0}
              (-1 - \tanh o_j)^2,

    divided by :math:`\lambda N_1 + (1-\lambda) N_0`, plus :math:`\beta \lVert W \rVert_2^2`. The
    default weights each class by its inverse frequency, as the authors do. Which class is +1 does
    not matter: exchanging the two changes the sign of o and nothing else.
"""
        + _PARAMETERS
        + """
    References
    ----------
    Castro & Braga (2013), IEEE TNNLS 24(6), 888-899; Li & Zhu (2019), sections 1 and 2.

    Examples
    --------
    >>> from crcen import CSMLPClassifier
    >>> from crcen.theory.simulations import sim1
    >>> X, y = sim1(100, 1000, np.random.default_rng(0))
    >>> clf = CSMLPClassifier(random_state=0).fit(X, y)
    >>> clf.predict([[-3.0], [3.0]])
    array([1, 0])
    """
    )

    _loss = SQUARED_ERROR

    @staticmethod
    def _loss_of_constant(shares: NDArray[np.float64]) -> float:
        return float(4 * shares.prod())  # where tanh o is the difference of the shares

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Map the tanh output to (0, 1): (1 + tanh o)/2 for ``classes_[1]``.

        The minimiser of the squared error over all functions is 2P - 1, with P the probability of
        class 1 under the *weighted* prior (an even one if `lam` is "balanced"), so this estimates
        the same quantity as `CRCENClassifier.predict_proba`; but it need not satisfy Eq. 6.

        Parameters
        ----------
        X : array-like of shape (n, p)
            Rows.

        Returns
        -------
        ndarray of shape (n, 2)
            Estimates for ``classes_[0]`` and ``classes_[1]``.
        """
        o = 2 * self.decision_function(X)  # (1 + tanh o)/2 = sigmoid(2 o)
        return np.column_stack([expit(-o), expit(o)])
