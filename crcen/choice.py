r"""Which lambda: for a wanted recall, for a cost ratio, or for an expense that one can afford.

One plain fit answers, by its logits on held-out rows. They give the log-likelihood ratio
:math:`r = o - \log\alpha` of each row, CRCEN at another alpha decides for the minority where
:math:`r > -\log\alpha`, and the held-out rows on either side are counted.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import betabinom, binom, binomtest

from crcen.weights import (
    alpha_from_lam,
    check_binary,
    check_positive,
    imbalance_ratio,
    lam_from_alpha,
)

# The boundary stands this far below the minority row that it must not miss: more than rounding in
# lambda can move it, less than matters.
HAIR = 1e-6


class Share(NamedTuple):
    """A share that was counted on rows, and what it says of other rows.

    Attributes
    ----------
    part, total : int
        Rows that have the property, and all rows.

    Examples
    --------
    >>> found = Share(45, 50)
    >>> found.value, found.fresh(20)
    (0.9, (0.7, 1.0))
    >>> [round(end, 3) for end in found.interval()]
    [0.782, 0.967]
    """

    part: int
    total: int

    @property
    def value(self) -> float:
        """The share; nan of no rows."""
        return self.part / self.total if self.total else float("nan")

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Bound the share in the population, exactly (Clopper and Pearson)."""
        if not self.total:
            return 0.0, 1.0
        low, high = binomtest(self.part, self.total).proportion_ci(level, "exact")
        return float(low), float(high)

    def fresh(self, rows: int, level: float = 0.95) -> tuple[float, float]:
        r"""Bound the share among some fresh rows, by the beta-binomial law.

        With x of n rows counted, the number among m fresh rows lies between the quantiles
        :math:`(1 \mp \text{level})/2` of :math:`\mathrm{BB}(m, x, n-x+1)` and of
        :math:`\mathrm{BB}(m, x+1, n-x)`.
        """
        if not rows:
            return 0.0, 1.0
        (x, n), tail = self, (1 - level) / 2
        low = betabinom.ppf(tail, rows, x, n - x + 1) if x else 0
        high = betabinom.ppf(1 - tail, rows, x + 1, n - x) if x < n else rows
        return float(low / rows), float(high / rows)


class Choice(NamedTuple):
    """A weight, and what the held-out rows promise of it at threshold 1/2.

    Attributes
    ----------
    lam, alpha : float
        The weight and its multiplier. A plain model decides alike at threshold ``1 - lam``.
    recall, specificity : Share
        Minority rows found, and majority rows left alone.
    gained : Share
        Minority rows among the rows that plain cross entropy decides otherwise.
    """

    lam: float
    alpha: float
    recall: Share
    specificity: Share
    gained: Share

    @property
    def expense(self) -> float:
        """Majority rows accused for each minority row gained, beside plain cross entropy."""
        return _odds_against(self.gained.value)

    def expense_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Bound the expense in the population, exactly."""
        low, high = self.gained.interval(level)
        return _odds_against(high), _odds_against(low)


def choose_lam(
    logits: ArrayLike,
    y: ArrayLike,
    *,
    recall: float | None = None,
    cost_ratio: float | None = None,
    expense: float | None = None,
    confidence: float | None = None,
    lam: float | Literal["balanced"] = 0.5,
) -> Choice:
    r"""Choose lambda from the logits of held-out rows; give exactly one wish.

    For a cost ratio C, or an expense e that the last gained row may have,

    .. math:: \lambda = \frac{C}{1+C}, \qquad \lambda = \frac{e}{1+e},

    whatever the data; these need calibrated logits. For a recall R, with
    :math:`r_{(1)} \le \dots \le r_{(n)}` the log-likelihood ratios of the minority rows,

    .. math:: \alpha = e^{-r_{(k)}}, \qquad k = \lfloor (1-R)(n+1) \rfloor ,

    which needs a ranking only. A fresh minority row is then found with a probability of at least R,
    whatever the distribution.

    Parameters
    ----------
    logits : array-like of shape (n,)
        Logits of rows that the model was not trained on, as
        ``cross_val_predict(model, X, y, method="decision_function")`` gives them.
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    recall : float, optional
        Recall that one wants, in (0, 1).
    cost_ratio : float, optional
        Cost of a missed minority row over that of a false alarm, positive.
    expense : float, optional
        False alarms that the last gained minority row may cost, positive.
    confidence : float, optional
        With `recall`: choose so low a k that the recall in the population is at least R with this
        probability, over the draw of the held-out rows, :math:`P(\mathrm{Bin}(n, 1-R) \ge k)`.
    lam : float or "balanced", default=0.5
        Weight with which the logits were made. For given log-likelihood ratios say "balanced", at
        which the two are the same.

    Returns
    -------
    Choice
        The weight, and the shares that it has among the held-out rows.

    Raises
    ------
    ValueError
        If there is not exactly one wish or it is out of its range, the minority rows are too few
        for the wanted recall, or the logits are not one finite number for each label.

    References
    ----------
    Elkan (2001), The foundations of cost-sensitive learning.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_predict
    >>> from crcen import CRCENClassifier
    >>> from crcen.simulations import sim1
    >>> X, y = sim1(100, 1000, np.random.default_rng(0))
    >>> plain = CRCENClassifier((), lam=0.5, random_state=0)
    >>> o = cross_val_predict(plain, X, y, method="decision_function")
    >>> choice = choose_lam(o, y, recall=0.95)
    >>> round(choice.lam, 2), choice.recall
    (0.96, Share(part=96, total=100))
    >>> [round(end, 2) for end in choice.recall.interval()]
    [0.9, 0.99]
    >>> model = CRCENClassifier((), lam=choice.lam, random_state=0).fit(X, y)
    """
    wishes = {"recall": recall, "cost_ratio": cost_ratio, "expense": expense}
    given = {name: value for name, value in wishes.items() if value is not None}
    if len(given) != 1:
        raise ValueError(
            f"choose_lam was given {' and '.join(given) or 'no wish'}: give exactly one of recall, "
            "cost_ratio and expense."
        )
    if confidence is not None and recall is None:
        raise ValueError(
            f"confidence={confidence!r} belongs to recall: leave it out with {next(iter(given))}, "
            "whose weight does not depend on the rows."
        )
    labels, o = check_binary(y), np.asarray(logits, dtype=float)
    if o.shape != labels.shape or not np.isfinite(o).all():
        raise ValueError(
            f"logits must hold one finite number for each of the {labels.size} labels, got shape "
            f"{o.shape}: pass cross_val_predict(model, X, y, method='decision_function')."
        )
    ratio = imbalance_ratio(labels)
    [(wish, value)] = given.items()
    r = o - (0.0 if lam == "balanced" else np.log(alpha_from_lam(lam, ratio)))
    minority = labels == 1
    if wish == "recall":
        row = np.sort(r[minority])[_row(minority.sum(), value, confidence) - 1]
        alpha = float(np.exp(HAIR - row))
    else:
        alpha = float(check_positive(wish, value) / ratio)
    found, found_plainly = r > -np.log(alpha), r > np.log(ratio)
    changed = found != found_plainly
    return Choice(
        lam_from_alpha(alpha, ratio),
        alpha,
        _share(found[minority]),
        _share(~found[~minority]),
        _share(minority[changed]),
    )


def _row(n: int, recall: float, confidence: float | None) -> int:
    """Count, from below, to the minority row at which the boundary is to stand."""
    for name, value in (("recall", recall), ("confidence", confidence)):
        if value is not None and not 0 < value < 1:
            raise ValueError(f"{name}={value!r} must lie strictly between 0 and 1.")
    if confidence is None:
        k = int((1 - recall) * (n + 1) + 1e-9)  # 0.1 * 10 must not become 0
        least = int(np.ceil(recall / (1 - recall) - 1e-9))
    else:
        k = int((binom.sf(np.arange(n), n, 1 - recall) >= confidence).sum())
        least = int(np.ceil(np.log(1 - confidence) / np.log(recall)))
    if k < 1:
        raise ValueError(
            f"recall={recall!r}, confidence={confidence!r} cannot be promised from {n} minority "
            f"rows, it takes {least}: wish for less, or hold out more rows."
        )
    return k


def _share(chosen: NDArray[np.bool_]) -> Share:
    return Share(int(chosen.sum()), chosen.size)


def _odds_against(share: float) -> float:
    return (1 - share) / share if share else float("inf")
