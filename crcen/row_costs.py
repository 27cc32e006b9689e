r"""Costs that differ by row: each row has a threshold of its own.

A missed payment costs its amount. If leaving row i alone though it is of the minority costs
:math:`C_i` false alarms, the least expected cost has the rule

.. math:: q_i > \frac{1}{1 + C_i} \iff \operatorname{logit} p_i >
          \log\frac{\lambda}{1-\lambda} - \log C_i ,

with :math:`q_i` the probability without the weight, and :math:`p_i` that of a model of weight
lambda. One lambda answers only if all the costs are one.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from crcen.choice import scores_as_logits
from crcen.validation import NOT_NEGATIVE, Values, check_binary, check_lam, check_numbers


class Decisions(NamedTuple):
    """What is decided for each row, and what that costs.

    Attributes
    ----------
    found : ndarray of bool
        Which rows are decided for the minority.
    threshold : ndarray
        On the scores as they are: a row is found where its score is above its own.
    cost_ratio : ndarray
        Cost of missing each row, in false alarms.
    expected : ndarray
        Expected cost of each decision, in false alarms, if the scores are calibrated.
    """

    found: NDArray[np.bool_]
    threshold: Values
    cost_ratio: Values
    expected: Values

    def cost(self, y: ArrayLike) -> float:
        """Count what the decisions cost, in false alarms, where the labels are known.

        Parameters
        ----------
        y : array-like of shape (n,)
            Labels, 1 for the minority class and 0 for the majority class.

        Returns
        -------
        float
            The number of false alarms, and the costs of the minority rows that were missed.

        Raises
        ------
        ValueError
            If `y` does not hold a zero or a one for each row.
        """
        labels = check_binary(y)
        if labels.size != self.found.size:
            raise ValueError(
                f"y has {labels.size} labels for {self.found.size} decisions: give one for each."
            )
        minority = labels == 1
        missed = self.cost_ratio[minority & ~self.found].sum()
        return float(missed + (self.found & ~minority).sum())


def decide_rows(
    values: ArrayLike,
    cost_ratio: ArrayLike,
    *,
    lam: float = 0.5,
    scores: Literal["logits", "probabilities"] | None = None,
) -> Decisions:
    """Decide for each row what costs least, where a miss costs what it does on that row.

    Parameters
    ----------
    values : array-like of shape (n,)
        Scores of the rows, calibrated but for the weight; `crcen.audit` says whether they are.
    cost_ratio : array-like of shape (n,)
        Cost of missing each row if it is of the minority, over that of a false alarm; zero or more.
    lam : float, default=0.5
        Weight with which the scores were made; `crcen.audit` finds it.
    scores : "logits" or "probabilities", optional
        What `values` holds, as for `crcen.choose_lam`.

    Returns
    -------
    Decisions
        For each row the decision, its threshold and the expected cost.

    Raises
    ------
    ValueError
        If a cost is negative or none, the scores are not one for each of them, it is not clear what
        they are, or `lam` is outside (0, 1).

    References
    ----------
    Elkan (2001), The foundations of cost-sensitive learning; Zadrozny and Elkan (2001), Learning
    and making decisions when costs and probabilities are both unknown.

    Examples
    --------
    >>> found = decide_rows([0.02, 0.02, 0.5], [10, 100, 0.5], scores="probabilities")
    >>> found.found, found.threshold.round(3), found.expected
    (array([False,  True, False]), array([0.091, 0.01 , 0.667]), array([0.2 , 0.98, 0.25]))
    >>> found.cost([0, 0, 1])
    1.5
    """
    costs = check_numbers(
        "cost_ratio", cost_ratio, NOT_NEGATIVE, ndim=1, remedy="give the cost of missing each row"
    )
    if not costs.size:
        raise ValueError("cost_ratio is empty: give the cost of one row or more.")
    o, shift = scores_as_logits(values, costs.size, scores), logit(check_lam(lam))
    with np.errstate(divide="ignore"):  # what costs nothing is never found
        threshold = shift - np.log(costs)
    found, q = o > threshold, expit(o - shift)
    return Decisions(
        found=found,
        threshold=expit(threshold) if scores == "probabilities" else threshold,
        cost_ratio=costs,
        expected=np.where(found, 1 - q, q * costs),
    )
