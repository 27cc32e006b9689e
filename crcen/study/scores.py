"""The scores, each computed from the logits of rows that a fit has not seen.

A score is one entry of `SCORES`. A moved threshold moves the logits, so no score knows of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.metrics import brier_score_loss, log_loss

from crcen.theory.expense import Confusion

Logits = NDArray[np.float64]


class Predictions(NamedTuple):
    """Logits of the minority rows and of the majority rows; a row above 0 is decided for class 1.

    Examples
    --------
    >>> found = Predictions(np.array([-0.5, 2.0]), np.array([-3.0, -1.0, 0.5]))
    >>> found.counts
    Confusion(tn=2, fp=1, fn=1, tp=1)
    >>> found.moved(-0.6).counts
    Confusion(tn=2, fp=1, fn=0, tp=2)
    """

    positives: Logits
    negatives: Logits

    @property
    def counts(self) -> Confusion:
        """Count the four kinds of decisions."""
        tp, fp = int((self.positives > 0).sum()), int((self.negatives > 0).sum())
        return Confusion(self.negatives.size - fp, fp, self.positives.size - tp, tp)

    def counts_at(self, thresholds: Logits) -> Confusion:
        """Count the four kinds of decisions at each of several thresholds on the logits.

        Examples
        --------
        >>> found = Predictions(np.array([-0.5, 2.0]), np.array([-3.0, -1.0, 0.5]))
        >>> found.counts_at(np.array([-2.0, 0.0])).tp
        array([2, 1])
        """
        below: Any = [np.searchsorted(np.sort(o), thresholds, "right") for o in self]
        fn, tn = below  # arrays
        return Confusion(tn, self.negatives.size - tn, fn, self.positives.size - fn)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the rows, the minority first."""
        return np.repeat(np.array([1, 0]), [self.positives.size, self.negatives.size])

    @property
    def logits(self) -> Logits:
        """Logits of the rows, the minority first."""
        return np.concatenate([self.positives, self.negatives])

    def moved(self, threshold: float) -> Predictions:
        """Decide at another threshold, given on the scale of the logits."""
        return Predictions(self.positives - threshold, self.negatives - threshold)


class Score(NamedTuple):
    """A score: its name in the report, how it is computed, and whether less of it is better.

    Those that decisions have are also computed `of_counts`, which may be arrays.
    """

    title: str
    of: Callable[[Predictions], float]
    less_is_better: bool = False
    of_counts: Callable[[Confusion], Any] | None = None


def _decided(title: str, formula: Callable[[Confusion], Any]) -> Score:
    return Score(title, lambda found: float(formula(found.counts)), of_counts=formula)


def _share(part: ArrayLike, whole: ArrayLike) -> Any:
    """Divide; a score whose denominator is zero is 0, as in the paper's Table 3."""
    zeros = np.zeros(np.broadcast(part, whole).shape)
    return np.divide(part, whole, out=zeros, where=np.asarray(whole) != 0)


def _f1(of: Confusion) -> Any:
    return _share(2 * of.tp, 2 * of.tp + of.fp + of.fn)


def _recall(of: Confusion) -> Any:
    return _share(of.tp, of.tp + of.fn)


def _precision(of: Confusion) -> Any:
    return _share(of.tp, of.tp + of.fp)


def _specificity(of: Confusion) -> Any:
    return _share(of.tn, of.tn + of.fp)


def _gmean(of: Confusion) -> Any:
    """Take the square root of recall times specificity."""
    return np.sqrt(_recall(of) * _specificity(of))


def _balanced_accuracy(of: Confusion) -> Any:
    """Take the mean of recall and specificity."""
    return (_recall(of) + _specificity(of)) / 2


def _mcc(of: Confusion) -> Any:
    """Correlate decisions and labels, as Matthews (1975) does."""
    tn, fp, fn, tp = (np.asarray(count, dtype=float) for count in of)
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return _share(tp * tn - fp * fn, spread)


def _auc(found: Predictions) -> float:
    """Count the pairs in the right order, by the ranks of the minority (Mann and Whitney)."""
    n1, n0 = found.positives.size, found.negatives.size
    above = rankdata(found.logits)[:n1].sum() - n1 * (n1 + 1) / 2
    return float(above / (n1 * n0))


def _average_precision(found: Predictions) -> float:
    """Average the precision at each logit of the minority, ties decided together."""
    positives = np.sort(found.positives)
    tp = positives.size - np.searchsorted(positives, positives)
    fp = found.negatives.size - np.searchsorted(np.sort(found.negatives), positives)
    return float(np.mean(tp / (tp + fp)))


#: Those that decisions have, without a ranking or a probability.
DECIDED = ("f1", "gmean", "recall", "precision", "specificity", "balanced_accuracy", "mcc")

#: The scores by name.
SCORES: dict[str, Score] = {
    "f1": _decided("F1", _f1),
    "gmean": _decided("G-mean", _gmean),
    "recall": _decided("recall", _recall),
    "precision": _decided("precision", _precision),
    "specificity": _decided("specificity", _specificity),
    "balanced_accuracy": _decided("balanced accuracy", _balanced_accuracy),
    "mcc": _decided("Matthews correlation", _mcc),
    # By their formulas: scikit-learn's checks of the input take twenty times as long.
    "average_precision": Score("average precision", _average_precision),
    "auc": Score("AUC", _auc),
    "brier": Score(
        "Brier score", lambda found: brier_score_loss(found.labels, expit(found.logits)), True
    ),
    "log_loss": Score("log loss", lambda found: log_loss(found.labels, expit(found.logits)), True),
}


def split_scores(y: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """Compute the scores that decisions have, and the counts behind them.

    Parameters
    ----------
    y, predicted : array-like of shape (n,)
        True and predicted labels in {0, 1}.

    Returns
    -------
    dict
        f1, gmean, recall, precision, specificity, and the counts tn, fp, fn, tp.

    Examples
    --------
    >>> found = split_scores([1, 1, 0, 0], [1, 0, 0, 0])
    >>> found["recall"], found["specificity"], found["fn"]
    (0.5, 1.0, 1)
    """
    found = decisions(y, predicted)
    return {name: SCORES[name].of(found) for name in DECIDED} | found.counts._asdict()


def decisions(y: ArrayLike, predicted: ArrayLike) -> Predictions:
    """Put decisions in the place of logits."""
    y, decided = np.asarray(y), np.asarray(predicted) - 0.5
    return Predictions(decided[y == 1], decided[y == 0])
