r"""Two thresholds: what lies between them is left undecided, for a person or a second test.

Where no weight keeps two wishes at once, each can have its own: rows below one threshold are
dismissed, of which a recall says how many minority rows may be among them, and rows above another
are alarms, of which a precision says how many have to be right. So a test is judged in medicine:
one threshold rules out, the other rules in.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from numpy.typing import ArrayLike

from crcen.choice import Choice, Share, choose_lam
from crcen.validation import BETWEEN, check_number


class Triage(NamedTuple):
    """Two choices, and what they leave between them.

    The shares have exact bounds, as those of a `Choice`, for thresholds that stand; and they are
    counted on the rows that the thresholds were chosen on.

    Attributes
    ----------
    dismiss : Choice
        Of the lower threshold: what is not above it is decided for the majority.
    accept : Choice
        Of the upper threshold: what is above it is decided for the minority. `accept.precision` is
        the share of these that is right, `accept.recall` that of the minority that is among them.
    """

    dismiss: Choice
    accept: Choice

    @property
    def undecided(self) -> Share:
        """Rows between the thresholds, among all."""
        rows = self.dismiss.recall.total + self.dismiss.specificity.total
        return Share(self.dismiss.precision.total - self.accept.precision.total, rows)

    @property
    def missed(self) -> Share:
        """Minority rows that are dismissed, among all of the minority."""
        found = self.dismiss.recall
        return Share(found.total - found.part, found.total)

    @property
    def cleared(self) -> Share:
        """Majority rows among those that are dismissed."""
        right = self.dismiss.specificity.part
        return Share(right, right + self.missed.part)


def triage(
    logits: ArrayLike,
    y: ArrayLike,
    *,
    recall: float,
    precision: float | None = None,
    expense: float | None = None,
    capacity: float | None = None,
    confidence: float | None = None,
    lam: float | Literal["balanced"] = 0.5,
    scores: Literal["logits", "probabilities"] | None = None,
) -> Triage:
    """Choose two thresholds: below one rows are dismissed, above the other they are alarms.

    Dismissed is as much as the recall allows, and alarms are as many as their wishes allow, each as
    `choose_lam` answers it alone. If the alarms' threshold is the lower of the two, it keeps both,
    takes the place of the other, and nothing is left undecided.

    Parameters
    ----------
    logits, y, lam, scores
        As for `crcen.choose_lam`.
    recall : float
        At most ``1 - recall`` of the minority is dismissed.
    precision, expense, capacity : float, optional
        Of the alarms, one or more: the share that is right, what the last minority row among them
        may cost in false alarms, and what share of all rows they may be.
    confidence : float, optional
        That the recall and the precision, each, are kept in the population.

    Returns
    -------
    Triage
        Both choices, the share that is left undecided and what is wrong among the rest.

    Raises
    ------
    ValueError
        If nothing is wished of the alarms, or as for `crcen.choose_lam`.

    References
    ----------
    Chow (1970), On optimum recognition error and reject tradeoff, whose rule has a cost for what is
    left undecided in place of the wishes.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([1, 0], [200, 2000])
    >>> found = triage(rng.normal(2 * y), y, recall=0.95, precision=0.8, lam="balanced")
    >>> found.missed, found.accept.precision, found.undecided
    (Share(part=9, total=200), Share(part=86, total=107), Share(part=671, total=2200))
    """
    check_number("recall", recall, BETWEEN)
    if precision is None and expense is None and capacity is None:
        raise ValueError(
            "triage was given no wish for the alarms: give precision, expense or capacity, or call "
            "choose_lam for one threshold."
        )
    dismiss = choose_lam(logits, y, recall=recall, confidence=confidence, lam=lam, scores=scores)
    accept = choose_lam(
        logits,
        y,
        precision=precision,
        expense=expense,
        capacity=capacity,
        confidence=None if precision is None else confidence,
        lam=lam,
        scores=scores,
    )
    return Triage(dismiss if dismiss.alpha > accept.alpha else accept, accept)
