r"""The key equation read backwards: which weight is behind the probabilities of any model.

Eq. 6 ties the probabilities of a model to the weight of its training. Solved for the weight,

.. math:: \hat\lambda = \frac{B}{A + B}, \qquad A = \sum_{i \in S_1} (1 - p_i), \quad
          B = \sum_{j \in S_0} p_j .

On the rows of a training that has converged that is the weight itself. On others it has an error,
which the rows tell: whatever the columns, A and B are sums over rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from scipy.stats import norm

from crcen.choice import Share
from crcen.theory.laws import fresh_ratio_spread, platt_line, sample_point
from crcen.validation import (
    BETWEEN,
    Values,
    check_both,
    check_count,
    check_number,
    check_probabilities,
)
from crcen.weights import prior_shift


class Line(NamedTuple):
    """Platt's line through the logits of the rows that are not certain, with standard errors.

    All are nan if these rows are of one class or have one logit.

    Attributes
    ----------
    intercept, slope : float
        logit P(y = 1) = intercept + slope * logit(p). A weight alone leaves the slope at 1, and
        puts minus the log of its odds into the intercept; a slope below 1 says that the model is
        too sure of itself, as one that has overfitted is.
    intercept_error, slope_error : float
        Standard errors, from the curvature of the likelihood.
    """

    intercept: float
    slope: float
    intercept_error: float
    slope_error: float


class Audit(NamedTuple):
    r"""The weight behind probabilities, as far as labelled rows tell.

    Attributes
    ----------
    lam, alpha : float
        The weight lambda-hat, and its multiplier of the balanced odds.
    imbalance_ratio : float
        N0/N1 of the training rows, if they were given, and of these rows otherwise.
    spread : float
        Standard error of logit lambda-hat.
    line : Line
        Platt's line: is it a weight, or overfitting?
    recall, specificity : Share
        At threshold 1/2, minority rows found and majority rows left alone.
    announced : float
        Minority rows that the probabilities announce: their sum.
    certain : int
        Rows whose p is 0 or 1. They have no logit, and the line leaves them out.
    """

    lam: float
    alpha: float
    imbalance_ratio: float
    spread: float
    line: Line
    recall: Share
    specificity: Share
    announced: float
    certain: int

    @property
    def weight(self) -> float:
        """How many times a minority row counted: lambda/(1 - lambda), its odds.

        It is what is called `scale_pos_weight`, or the quotient of two class weights, and also
        what a decision at 1/2 pays at most: false alarms for the last minority row gained.
        """
        return self.lam / (1 - self.lam) if self.lam < 1 else float("inf")

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Bound lambda, by the normal law of its logit.

        Raises
        ------
        ValueError
            If `level` is outside (0, 1).
        """
        z = norm.isf((1 - check_number("level", level, BETWEEN)) / 2)
        if not np.isfinite(self.spread):
            return 0.0, 1.0
        middle = logit(self.lam)
        return float(expit(middle - z * self.spread)), float(expit(middle + z * self.spread))

    def names(self, level: float = 0.95) -> tuple[str, ...]:
        """Name the usual weights that lie in the interval.

        "none" is lambda = 1/2; "balanced", alpha = 1; "balanced twice", a minority row that counts
        IR squared times, as one does whose sampler and whose loss both balance the classes. None
        of them can lie in it, and several can.

        Raises
        ------
        ValueError
            If `level` is outside (0, 1).
        """
        low, high = self.interval(level)
        usual = {"none": 0, "balanced": 1, "balanced twice": 2}
        lams = {name: expit(k * np.log(self.imbalance_ratio)) for name, k in usual.items()}
        return tuple(name for name, lam in lams.items() if low <= lam <= high)

    def shift_back(self, p: ArrayLike) -> Values:
        """Take the weight out of probabilities of the same model, as `prior_shift` does.

        Parameters
        ----------
        p : array-like of shape (n,)
            Its probabilities of class 1, of any rows.

        Returns
        -------
        ndarray of shape (n,)
            Probabilities at the prior of the training rows, if Platt's slope is 1.

        Raises
        ------
        ValueError
            If lambda-hat is 0 or 1, or a value of `p` is no probability.
        """
        if self.lam in (0, 1):
            raise ValueError(
                f"lam={self.lam:g} cannot be taken out: the rows of one class are all certain; "
                "audit on rows that the model was not trained on."
            )
        return prior_shift(p, 1 - self.lam)


def audit(y: ArrayLike, p: ArrayLike, *, train: tuple[int, int] | None = None) -> Audit:
    r"""Find the weight with which any model was trained, from labels and its probabilities.

    .. math:: \operatorname{logit} \hat\lambda = \log \frac BA, \qquad
              \operatorname{var} \approx \frac{\sum_{S_1} (1-p_i)^2}{A^2}
              + \frac{\sum_{S_0} p_j^2}{B^2},

    over the draw of the rows from a population in which the key equation holds (Proposition 18).
    With the class counts of the training, `train`, the rows may have any share of the minority, as
    Eq. 7 does not ask for it, and the draw of the training rows is allowed for
    (`crcen.theory.laws.fresh_ratio_spread`):

    .. math:: \hat\alpha = \frac{\bar p_0}{1 - \bar p_1}, \qquad
              \frac{\hat\lambda}{1 - \hat\lambda} = \hat\alpha \, \frac{N_0}{N_1} .

    The model should not have seen the rows. On training rows of a cross entropy whose bias is free
    lambda-hat is exact, and the interval too wide; what has learned its rows by heart has no weight
    left to be found. On fresh rows a balanced model that has overfitted looks as if it had less
    weight (the proposition on rows left out); the slope of the line tells.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    p : array-like of shape (n,)
        The model's probabilities of class 1.
    train : tuple of int, optional
        Minority and majority rows that it was trained on, N1 and N0. By default the rows are taken
        for a draw of the same population, and the model for one that was trained on many more.

    Returns
    -------
    Audit
        The weight with its error, Platt's line, and what decisions at 1/2 find.

    Raises
    ------
    ValueError
        If `y` is not of zeros and ones with both present; `p` does not hold a probability for each
        of them; every row is certain and right, so that any weight would do; or `train` is not
        two positive counts.

    References
    ----------
    Li & Zhu (2019), arXiv 1906.04026, Eq. 6 and 7; Platt (1999).

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from crcen import audit
    >>> from crcen.theory.simulations import sim1
    >>> rng = np.random.default_rng(0)
    >>> X, y = sim1(1000, 10000, rng)
    >>> model = LogisticRegression(class_weight="balanced").fit(X, y)
    >>> X, y = sim1(200, 2000, rng)
    >>> found = audit(y, model.predict_proba(X)[:, 1], train=(1000, 10000))
    >>> round(found.lam, 2), [round(end, 2) for end in found.interval()], found.names()
    (0.9, [0.87, 0.92], ('balanced',))
    >>> round(found.announced), y.sum(), round(found.shift_back(model.predict_proba(X)[:, 1]).sum())
    (458, np.int64(200), 210)
    """
    labels = check_both(y, "a weight")
    p = check_probabilities(p, labels.size)
    missed, false = 1 - p[labels == 1], p[labels == 0]
    a, b = missed.sum(), false.sum()  # the sums of Eq. 6
    if a == 0 == b:
        raise ValueError(
            "p is 1 on every minority row and 0 on every other, which any weight brings about: "
            "audit on rows that the model was not trained on."
        )
    fresh = missed.size, false.size
    n1, n0 = fresh if train is None else _counts(train)
    with np.errstate(divide="ignore"):
        alpha = np.float64(b / fresh[1]) / np.float64(a / fresh[0])  # Eq. 7
    odds = alpha * (n0 / n1)
    spread: Values | float = np.inf  # of a class whose rows are all certain
    if a * b > 0 and train is None:
        spread = np.hypot(np.linalg.norm(missed) / a, np.linalg.norm(false) / b)
    elif a * b > 0:
        point = sample_point(logit(p[labels == 1]), logit(p[labels == 0]), 1.0)
        spread = fresh_ratio_spread(point, (n1, n0), fresh)
    lam = float(odds / (1 + odds)) if np.isfinite(odds) else 1.0
    certain = int(((p == 0) | (p == 1)).sum())
    return Audit(
        lam=lam,
        alpha=float(alpha),
        imbalance_ratio=n0 / n1,
        spread=float(spread),
        line=_line(p, labels),
        recall=Share(int((missed < 0.5).sum()), missed.size),
        specificity=Share(int((false <= 0.5).sum()), false.size),
        announced=float(p.sum()),
        certain=certain,
    )


def _counts(train: tuple[int, int]) -> tuple[int, int]:
    try:
        n1, n0 = train
    except (TypeError, ValueError):
        raise ValueError(
            f"train={train!r} must be two counts: minority and majority rows of the training."
        ) from None
    return check_count("train", n1), check_count("train", n0)


def _line(p: Values, labels: Values) -> Line:
    """Fit Platt's line, with the errors that the curvature of the likelihood gives."""
    open_ = (p > 0) & (p < 1)
    o, labels = logit(p[open_]), labels[open_]
    if np.unique(labels).size < 2 or np.ptp(o) == 0:
        return Line(*[float("nan")] * 4)
    intercept, slope = platt_line(o, labels)
    q = expit(intercept + slope * o)
    curvature = q * (1 - q)
    i00, i01, i11 = (float(curvature @ o**k) for k in range(3))
    with np.errstate(divide="ignore"):  # classes that do not overlap
        variances = np.array([i11, i00]) / max(i00 * i11 - i01**2, 0)
    return Line(intercept, slope, *(float(error) for error in np.sqrt(variances)))
