r"""Why a step costs what it costs: the price of the weight, the rows of one curve, another curve.

Models a and b decide the same rows, a with the false-alarm rate :math:`u_a` and the recall
:math:`t_a`. Let b first accuse only as many majority rows as a, which it does with the recall
:math:`R_b(u_a)` of its own ROC curve, and then go on to its own :math:`(u_b, t_b)`:

.. math:: \frac{\Delta\mathrm{FP}}{-\Delta\mathrm{FN}} =
          \alpha_b\,\mathrm{IR}\; e^{-c}\; \xi, \qquad
          e^{c} = \alpha_b\,\frac{t_b - R_b(u_a)}{u_b - u_a}, \qquad
          \xi = \frac{t_b - R_b(u_a)}{t_b - t_a} .
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crcen.validation import (
    FINITE,
    POSITIVE,
    Values,
    check_both,
    check_logits,
    check_number,
    check_numbers,
)


class Step(NamedTuple):
    """A step from one model to another on the same rows; steps of several splits may be summed.

    Attributes
    ----------
    added : float
        Majority rows that the second model accuses beyond those of the first, net.
    gained : float
        Minority rows that it finds beyond those of the first, net.
    along : float
        Minority rows that the second model finds beyond those that it finds with as many false
        positives as the first: what the step gains along its own curve.
    """

    added: float
    gained: float
    along: float


class Factors(NamedTuple):
    """The expense of a step and its three factors, nan where they do not exist.

    Attributes
    ----------
    expense : float
        Majority rows accused for each minority row gained: the product of the three.
    price : float
        What the last row should cost: alpha IR.
    calibration : float
        exp(-c), with c the weighted log-odds of the minority among the rows of the step along the
        second model's curve.
    ranking : float
        The share of the gain that is a step along that curve; the rest is a better curve.
    """

    expense: float
    price: float
    calibration: float
    ranking: float


def step_between(y: ArrayLike, before: ArrayLike, after: ArrayLike) -> Step:
    """Count what a step adds and gains, and what of the gain lies on the second model's curve.

    Rows with a logit above 0 are accused. Of rows that share a logit any part can be accused, by
    lot, so that the curve is joined by straight lines. Where it is vertical at the first model's
    false positives, the point nearest to that model is taken: a model whose threshold was moved
    lies on its own curve.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    before, after : array-like of shape (n,)
        Logits of the two models, each less its threshold.

    Returns
    -------
    Step
        In rows, which a lot may make fractions.

    Raises
    ------
    ValueError
        If `y` is not of zeros and ones with both present, or `before` or `after` does not hold a
        finite number for each label.

    Examples
    --------
    >>> y = [0, 0, 0, 0, 1, 1, 1]
    >>> step_between(y, [-1, -2, -3, 1, -1, -1, 1], [-1, -1, 0.5, 1, 2, 0.2, 2])
    Step(added=1.0, gained=2.0, along=1.0)
    """
    labels = check_both(y, "a step")
    a, b = (check_logits(n, o, labels.size) for n, o in (("before", before), ("after", after)))
    minority = labels == 1
    fp_a, tp_a, fp_b, tp_b = (
        float((o[rows] > 0).sum()) for o in (a, b) for rows in (~minority, minority)
    )
    low, high = _recalled(fp_a, b[minority], b[~minority])
    return Step(fp_b - fp_a, tp_b - tp_a, tp_b - min(max(tp_a, low), high))


def factors(step: Step, alpha: float, imbalance_ratio: float) -> Factors:
    r"""Divide the expense of a step into price, calibration and ranking (Proposition 16).

    Parameters
    ----------
    step : Step
        Counts of the step, or their sum over splits.
    alpha : float
        The alpha of the second model, positive.
    imbalance_ratio : float
        IR = N0/N1 of the rows that were counted, positive.

    Returns
    -------
    Factors
        nan for those whose numerator or denominator is zero, for the expense as well if a factor
        is nan.

    Raises
    ------
    ValueError
        If `step` is not three finite numbers, or `alpha` or `imbalance_ratio` not positive.

    Examples
    --------
    >>> factors(Step(added=10.0, gained=5.0, along=2.5), alpha=1.0, imbalance_ratio=8.0)
    Factors(expense=2.0, price=8.0, calibration=0.5, ranking=0.5)
    """
    counts = check_numbers("step", step, FINITE, 1, "give what is added, gained, and along")
    if counts.size != len(Step._fields):
        raise ValueError(f"step={step!r} must be a Step, as step_between gives it.")
    price = check_number("alpha", alpha, POSITIVE) * check_number(
        "imbalance_ratio", imbalance_ratio, POSITIVE
    )
    added, gained, along = (float(v) if v else np.nan for v in counts)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        along_curve = np.float64(added) / along
        calibration, ranking = along_curve / price, np.float64(along) / gained
        expense = along_curve * ranking
    return Factors(float(expense), price, float(calibration), float(ranking))


def _recalled(fp: float, positives: Values, negatives: Values) -> tuple[float, float]:
    """Tell how many minority rows a model finds with so many false positives: from, to."""
    logits = np.unique(np.concatenate([positives, negatives]))[::-1]

    def accused(rows: Values) -> Values:
        """Count the rows at or above each logit, from none to all."""
        below = np.searchsorted(np.sort(rows), logits)
        return np.concatenate([[0.0], rows.size - below])

    x, y = accused(negatives), accused(positives)
    first, last = np.searchsorted(x, fp), np.searchsorted(x, fp, side="right") - 1
    if first <= last:  # a corner, or a vertical part
        return float(y[first]), float(y[last])
    at = float(np.interp(fp, x[[last, first]], y[[last, first]]))
    return at, at
