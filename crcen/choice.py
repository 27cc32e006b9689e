r"""Which lambda: for a recall, a precision, a cost ratio, an expense, a capacity, or several.

One plain fit answers, by its logits on held-out rows. They give the log-likelihood ratio
:math:`r = o - \log\alpha` of each row, CRCEN at another alpha decides for the minority where
:math:`r > -\log\alpha`, and the held-out rows on either side are counted.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from scipy.stats import betabinom, binomtest

from crcen.validation import (
    BETWEEN,
    POSITIVE,
    TINY,
    Values,
    check_both,
    check_choice,
    check_count,
    check_logits,
    check_number,
    check_probabilities,
)
from crcen.weights import alpha_from_lam, imbalance_ratio, lam_from_alpha
from crcen.wishes import Rows

SCORES = ("logits", "probabilities")  # what a model's answers are
PRICES = ("cost_ratio", "expense")  # wishes that are no shares


class _Counted(NamedTuple):
    part: int
    total: int


class Share(_Counted):
    """A share that was counted on rows, and what it says of other rows.

    Parameters
    ----------
    part, total : int
        Rows that have the property, and all rows.

    Raises
    ------
    ValueError
        If a number is no integer of zero or more, or `part` is above `total`.

    Examples
    --------
    >>> found = Share(45, 50)
    >>> found.value, found.fresh(20)
    (0.9, (0.7, 1.0))
    >>> [round(end, 3) for end in found.interval()]
    [0.782, 0.967]
    """

    __slots__ = ()

    def __new__(cls, part: int, total: int) -> Share:
        """Check the counts."""
        part, total = check_count("part", part, 0), check_count("total", total, 0)
        if part > total:
            raise ValueError(f"part={part} must be at most total={total}: it counts some of them.")
        return super().__new__(cls, part, total)

    @property
    def value(self) -> float:
        """The share; nan of no rows."""
        return self.part / self.total if self.total else float("nan")

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Bound the share in the population, exactly (Clopper and Pearson).

        Raises
        ------
        ValueError
            If `level` is outside (0, 1).
        """
        level = check_number("level", level, BETWEEN)
        if not self.total:
            return 0.0, 1.0
        low, high = binomtest(self.part, self.total).proportion_ci(level, "exact")
        return float(low), float(high)

    def fresh(self, rows: int, level: float = 0.95) -> tuple[float, float]:
        r"""Bound the share among some fresh rows, by the beta-binomial law.

        With x of n rows counted, the number among m fresh rows lies between the quantiles
        :math:`(1 \mp \text{level})/2` of :math:`\mathrm{BB}(m, x, n-x+1)` and of
        :math:`\mathrm{BB}(m, x+1, n-x)`.

        Raises
        ------
        ValueError
            If `rows` is no integer from 0 to ten million, or `level` is outside (0, 1).
        """
        rows = check_count("rows", rows, 0, most=10**7)
        tail = (1 - check_number("level", level, BETWEEN)) / 2
        if not rows:
            return 0.0, 1.0
        x, n = self
        low = _quantile(tail, rows, x, n - x + 1) if x else 0
        high = _quantile(1 - tail, rows, x + 1, n - x) if x < n else rows
        return low / rows, high / rows


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
    def precision(self) -> Share:
        """Minority rows among the alarms, the rows that are decided for the minority."""
        false = self.specificity.total - self.specificity.part
        return Share(self.recall.part, self.recall.part + false)

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
    precision: float | None = None,
    cost_ratio: float | None = None,
    expense: float | None = None,
    capacity: float | None = None,
    confidence: float | None = None,
    lam: float | Literal["balanced"] = 0.5,
    scores: Literal["logits", "probabilities"] | None = None,
) -> Choice:
    r"""Choose lambda from the logits of held-out rows, for one wish or several (Proposition 8).

    For a cost ratio C, or an expense e that the last gained row may have,

    .. math:: \lambda = \frac{C}{1+C}, \qquad \lambda = \frac{e}{1+e},

    whatever the data; these need calibrated logits. For a recall R, with
    :math:`r_{(1)} \le \dots \le r_{(n)}` the log-likelihood ratios of the minority rows,

    .. math:: \alpha = e^{-r_{(k)}}, \qquad k = \lfloor (1-R)(n+1) \rfloor ,

    which needs a ranking only. A fresh minority row is then found with a probability of at least R,
    whatever the distribution. For a capacity c, the same of all n rows from above: of them
    :math:`\lfloor c(n+1) \rfloor - 1` are decided for the minority, and a fresh row is with a
    probability of c at most. Of the boundaries that decide all rows as these do, the middle one is
    taken: where classes do not overlap, that of the gap. For a precision P, the most alarms of
    which a share of at least P were right on these rows; as it is chosen among many it flatters,
    unless `confidence` is given.

    Of several wishes each bounds alpha: a recall from below, an expense and a capacity from above,
    and a precision leaves out the thresholds that miss it. A cost ratio bounds nothing, it is an
    aim. Of what is left is chosen

    - with a cost ratio, the alpha that is nearest to its own, at which calibrated logits cost least
      within the bounds;
    - without one, but with a recall, the least: the fewest alarms;
    - otherwise the greatest: the most minority rows found.

    Parameters
    ----------
    logits : array-like of shape (n,)
        Logits of rows that the model was not trained on, as
        ``cross_val_predict(model, X, y, method="decision_function")`` gives them.
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    recall : float, optional
        Recall that one wants at least, in (0, 1).
    precision : float, optional
        Share of the alarms that is to be right at least, in (0, 1), where the minority is as
        frequent as among these rows.
    cost_ratio : float, optional
        Cost of a missed minority row over that of a false alarm, positive. For costs that differ by
        row see `crcen.row_costs.decide_rows`.
    expense : float, optional
        False alarms that the last gained minority row may cost at most, positive.
    capacity : float, optional
        Share of all rows that can be looked at, in (0, 1).
    confidence : float, optional
        That the recall and the precision, each, are kept in the population, with this probability
        over the draw of the held-out rows. For the recall: choose so low a k that
        :math:`P(\mathrm{Bin}(n, 1-R) \ge k)` reaches it. For the precision: from n/2
        alarms, n/4 and so on to eight, J starts that are set beforehand, go on to more as long as
        the lower limit of Clopper and Pearson at :math:`(1 - \text{confidence})/J` is at least P
        (fixed sequences, as in Learn then Test). Above an order statistic the rows are a sample of
        those above it, so each limit is exact; so is the promise, if more alarms let the precision
        in the population fall below P but once.
    lam : float or "balanced", default=0.5
        Weight with which the logits were made. For given log-likelihood ratios say "balanced", at
        which the two are the same.
    scores : "logits" or "probabilities", optional
        What `logits` holds. By default they are logits, unless all of them lie in [0, 1], as
        probabilities do: then it has to be said.

    Returns
    -------
    Choice
        The weight, and the shares that it has among the held-out rows.

    Raises
    ------
    ValueError
        If there is no wish or one is out of its range, wishes contradict each other on these rows,
        the rows are too few for one, the logits are not one finite number for each label, or all of
        them lie in [0, 1] and `scores` does not say what they are.

    References
    ----------
    Elkan (2001), The foundations of cost-sensitive learning; Angelopoulos et al. (2025), Learn then
    test.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_predict
    >>> from crcen import CRCENClassifier
    >>> from crcen.theory.simulations import sim1
    >>> X, y = sim1(100, 1000, np.random.default_rng(0))
    >>> plain = CRCENClassifier((), lam=0.5, random_state=0)
    >>> o = cross_val_predict(plain, X, y, method="decision_function")
    >>> choice = choose_lam(o, y, recall=0.95)
    >>> round(choice.lam, 2), choice.recall
    (0.97, Share(part=96, total=100))
    >>> [round(end, 2) for end in choice.recall.interval()]
    [0.9, 0.99]
    >>> model = CRCENClassifier((), lam=choice.lam, random_state=0).fit(X, y)

    Two wishes that the rows cannot keep together:

    >>> y = np.repeat([1, 0], [100, 900])
    >>> o = np.append(np.linspace(-1, 5, 100), np.linspace(-5, 3, 900))
    >>> choose_lam(o, y, recall=0.8, capacity=0.1)
    Traceback (most recent call last):
    ValueError: recall=0.8 takes 40.2% of the rows, more than capacity=0.1: wish for
        recall=0.415 or less, or capacity=0.403 or more.
    """
    wishes = {
        "recall": recall,
        "precision": precision,
        "cost_ratio": cost_ratio,
        "expense": expense,
        "capacity": capacity,
    }
    remedy = "decide_rows takes one for each row" if hasattr(cost_ratio, "__len__") else ""
    if cost_ratio is not None:
        check_number("cost_ratio", cost_ratio, POSITIVE, remedy)
    given = {
        name: check_number(name, value, POSITIVE if name in PRICES else BETWEEN)
        for name, value in wishes.items()
        if value is not None
    }
    if not given:
        raise ValueError(f"choose_lam was given no wish: give one or more of {', '.join(wishes)}.")
    if confidence is not None and not {"recall", "precision"} & {*given}:
        raise ValueError(
            f"confidence={confidence!r} belongs to recall and precision: leave it out with "
            f"{' and '.join(given)}."
        )
    if confidence is not None:
        confidence = check_number("confidence", confidence, BETWEEN)
    labels = check_both(y, "a weight")
    o, ratio = scores_as_logits(logits, labels.size, scores), imbalance_ratio(labels)
    minority = labels == 1
    made_with = 1.0 if isinstance(lam, str) and lam == "balanced" else alpha_from_lam(lam, ratio)
    r = o - np.log(made_with)
    alpha = Rows(r, minority, ratio, confidence).choose(given)
    try:
        weight = lam_from_alpha(alpha, ratio)
    except ValueError:
        wish = " and ".join(f"{name}={value!r}" for name, value in given.items())
        raise ValueError(
            f"{wish} takes alpha={alpha:.3g}, at which lambda rounds to 0 or 1: wish for "
            "less; if it is a recall, raise the l2 of the model, whose logits are too steep."
        ) from None
    found, found_plainly = r > -np.log(alpha), r > np.log(ratio)
    changed = found != found_plainly
    return Choice(
        weight,
        alpha,
        _share(found[minority]),
        _share(~found[~minority]),
        _share(minority[changed]),
    )


def scores_as_logits(values: ArrayLike, n: int, scores: str | None) -> Values:
    """Take logits as they are, and probabilities to logits; never the one for the other."""
    if scores is not None and check_choice("scores", scores, SCORES) == "probabilities":
        # A probability of 0 or 1 ranks first or last, and has the nearest logit that is finite.
        return logit(np.clip(check_probabilities(values, n), TINY, 1 - np.finfo(float).epsneg))
    o = check_logits("logits", values, n)
    if scores is None and o.min() >= 0 and o.max() <= 1:
        raise ValueError(
            "logits all lie in [0, 1], as probabilities do, at which a weight would mean nothing: "
            "say scores='probabilities', or scores='logits' if that is what they are."
        )
    return o


def _share(chosen: NDArray[np.bool_]) -> Share:
    return Share(int(chosen.sum()), chosen.size)


def _quantile(q: float, rows: int, a: float, b: float) -> int:
    """Find the least number k with P(BB <= k) >= q; SciPy's own search may not end."""
    chance = np.cumsum(betabinom.pmf(np.arange(rows + 1), rows, a, b))
    return min(int(np.searchsorted(chance, q)), rows)


def _odds_against(share: float) -> float:
    return (1 - share) / share if share else float("inf")
