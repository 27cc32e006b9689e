r"""A promise slip: what was chosen and what was promised of it, and whether later rows keep it.

The promise is that of later minority rows at least a share :math:`R` is found, that of majority
rows at least a share :math:`S` is left alone and, if a precision was wished for, that of the alarms
at least a share :math:`P` is right. Later rows are looked at as they come, so the test has to be
valid at any time: a martingale that is small while the promise stands.
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaln, expit, logit

import crcen
from crcen.choice import Choice, Share, choose_lam, scores_as_logits
from crcen.mishaps import write_whole
from crcen.validation import BETWEEN, Values, check_binary, check_both, check_number
from crcen.weights import alpha_from_lam, imbalance_ratio

ASSUMES = (
    "the rows of the promise and the rows that it is kept on are draws of the same two classes",
    "the scores come from the same model",
    "no row's label depends on what was decided for it",
)

SHARES = ("recall", "specificity", "gained")  # of a choice


class Kept(NamedTuple):
    """How one promise fares on later rows.

    Attributes
    ----------
    promised : float
        The least share that was promised.
    found : Share
        What the later rows have.
    evidence : float
        Against the promise: the largest value so far of a martingale that starts at 1. While the
        promise stands, it ever reaches 1/a with a chance of a at most.
    since : int or None
        After how many of the later rows the promise was broken; None if it stands.
    """

    promised: float
    found: Share
    evidence: float
    since: int | None


class Check(NamedTuple):
    """What later rows say of a slip, promise by promise.

    Attributes
    ----------
    recall, specificity : Kept
        The promises of every slip.
    precision : Kept or None
        That of a slip on which a precision was wished for.
    """

    recall: Kept
    specificity: Kept
    precision: Kept | None = None

    @property
    def broken(self) -> bool:
        """Whether one of the promises is broken."""
        return any(kept is not None and kept.since is not None for kept in self)


class Outlook(NamedTuple):
    """What the same decisions come to at another prevalence.

    Attributes
    ----------
    precision : float
        Share of the minority among the rows that are decided for it.
    alarms : float
        Share of all rows that are decided for the minority.
    price : float
        False alarms for the last minority row found, if the scores are calibrated.
    threshold : float
        On the scores, where the price is what was wished for, if that was a cost ratio or an
        expense and nothing else; the written one otherwise: no prevalence touches a recall.
    """

    precision: float
    alarms: float
    price: float
    threshold: float


class Slip(NamedTuple):
    """A choice that is written down with what it promises.

    Attributes
    ----------
    choice : Choice
        The weight, and the shares on the rows that the promise was made from.
    threshold : float
        A row is decided for the minority where its score is above it.
    scores : str
        What the scores are, "logits" or "probabilities".
    wish : dict
        What was asked for.
    prevalence : float
        Share of the minority among the rows that the promise was made from.
    digest : str
        SHA-256 of these rows' scores and labels.
    made : str
        The date, as in 2026-01-31.
    version : str
        Version of `crcen`.
    """

    choice: Choice
    threshold: float
    scores: str
    wish: dict[str, float]
    prevalence: float
    digest: str
    made: str
    version: str

    def check(self, values: ArrayLike, y: ArrayLike, level: float = 0.95) -> Check:
        r"""Say whether later rows keep the promises, however often they are looked at.

        Promised are the lower ends of exact intervals for m shares, recall and specificity and, if
        it was wished for, precision, at :math:`a = (1 - \text{level})/(2m)` each. That of a promise
        of p, after k of n rows, is broken when

        .. math:: E_n = \frac{1}{p} \int_0^p
                  \frac{\theta^k (1-\theta)^{n-k}}{p^k (1-p)^{n-k}} \, d\theta \ge \frac1a ,

        a martingale at a share of p and a supermartingale above it. By Ville's inequality the m
        intervals and the m martingales together call rows without drift broken with a probability
        of at most ``1 - level``, also when you look after each row. A precision breaks, too, where
        the classes are as before and the minority has become rarer: `at` says how much.

        Parameters
        ----------
        values : array-like of shape (n,)
            Scores of all rows since the slip was made, in their order.
        y : array-like of shape (n,)
            Their labels.
        level : float, default=0.95
            In (0, 1).

        Returns
        -------
        Check
            The promises, with the evidence against each.

        Raises
        ------
        ValueError
            If the labels are not zeros and ones, the scores not one number for each of them, or
            `level` is outside (0, 1).
        """
        wished = "precision" in self.wish
        a = (1 - check_number("level", level, BETWEEN)) / (6 if wished else 4)
        labels = check_binary(y)
        found = scores_as_logits(values, labels.size, self.scores) > _as_logit(
            self.threshold, self.scores
        )
        return Check(
            _kept(self.choice.recall, found, labels == 1, a),
            _kept(self.choice.specificity, ~found, labels == 0, a),
            _kept(self.choice.precision, labels == 1, found, a) if wished else None,
        )

    def at(self, prevalence: float) -> Outlook:
        """Say what another prevalence does, if the classes keep the distribution of their scores.

        Parameters
        ----------
        prevalence : float
            The share of the minority, in (0, 1); `crcen.prevalence.prevalence` estimates it.

        Returns
        -------
        Outlook
            Precision, alarms, the price of the last row, and the threshold to go to.

        Raises
        ------
        ValueError
            If `prevalence` is outside (0, 1).
        """
        new = check_number("prevalence", prevalence, BETWEEN)
        hits = self.choice.recall.value * new
        alarms = hits + (1 - self.choice.specificity.value) * (1 - new)
        shift = float(logit(new) - logit(self.prevalence))
        threshold = self.threshold
        if {*self.wish} <= {"cost_ratio", "expense"}:
            moved = _as_logit(threshold, self.scores) - shift
            threshold = float(expit(moved)) if self.scores == "probabilities" else moved
        price = self.choice.lam / (1 - self.choice.lam) * float(np.exp(-shift))
        return Outlook(hits / alarms if alarms else float("nan"), alarms, price, threshold)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the slip to a JSON file, whole or not at all.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        choice = self.choice._asdict() | {name: list(getattr(self.choice, name)) for name in SHARES}
        what = {"slip": 1} | self._asdict() | {"choice": choice, "assumes": ASSUMES}
        write_whole(path, json.dumps(what, indent=2))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Slip:
        """Read a slip that was written by `write`.

        Raises
        ------
        OSError
            If there is no such file.
        ValueError
            If the file is not a slip.
        """
        try:
            what = json.loads(Path(path).read_text(encoding="utf-8"))
            if what.pop("slip") != 1:
                raise ValueError("another version of slips")
            what.pop("assumes")
            of = what.pop("choice")
            shares = [Share(*of.pop(name)) for name in SHARES]
            slip = cls(choice=Choice(of.pop("lam"), of.pop("alpha"), *shares), **what)
            _as_logit(slip.threshold, slip.scores)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"path={os.fspath(path)!r} is not a promise slip ({error}): give a file that "
                "Slip.write has written."
            ) from error
        return slip


def promise(
    values: ArrayLike,
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
) -> Slip:
    """Choose a threshold as `crcen.choose_lam` does, and write down what it promises.

    Parameters
    ----------
    values, y, recall, precision, cost_ratio, expense, capacity, confidence, lam, scores
        As for `crcen.choose_lam`, one wish or several. Later rows are checked for recall and
        specificity, and for a precision if it was wished for.

    Returns
    -------
    Slip
        The choice, the threshold on the scores as they are, and what they were.

    Raises
    ------
    ValueError
        As for `crcen.choose_lam`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([1, 0], [200, 2000])
    >>> slip = promise(rng.normal(2 * y), y, recall=0.9)
    >>> slip.choice.recall, round(slip.choice.specificity.value, 2)
    (Share(part=181, total=200), 0.77)
    >>> later = rng.permutation(y)
    >>> scores = rng.normal(2 * later)
    >>> slip.check(scores, later).broken, slip.check(scores - 1, later).broken
    (False, True)
    """
    labels = check_both(y, "a promise")
    o = scores_as_logits(values, labels.size, scores)
    asked = {"recall": recall, "precision": precision, "cost_ratio": cost_ratio}
    asked |= {"expense": expense, "capacity": capacity, "confidence": confidence}
    choice = choose_lam(o, labels, **asked, lam=lam, scores="logits")
    made_with = 1.0  # "balanced", the one text that choose_lam takes
    if not isinstance(lam, str):
        made_with = alpha_from_lam(lam, imbalance_ratio(labels))
    cut = float(np.log(made_with) - np.log(choice.alpha))
    kind = scores or "logits"
    return Slip(
        choice=choice,
        threshold=float(expit(cut)) if kind == "probabilities" else cut,
        scores=kind,
        wish={name: float(value) for name, value in asked.items() if value is not None},
        prevalence=float(labels.mean()),
        digest=_digest(values, labels),
        made=date.today().isoformat(),
        version=crcen.__version__,
    )


def _kept(made: Share, good: NDArray[np.bool_], of: NDArray[np.bool_], a: float) -> Kept:
    """Follow one promise through the rows that it is of."""
    promised = made.interval(1 - 2 * a)[0]
    at, good = np.flatnonzero(of), good[of]
    if not good.size or not promised:  # nothing yet, or nothing that could be broken
        return Kept(promised, Share(int(good.sum()), good.size), 1.0, None)
    n = np.arange(1, good.size + 1)
    k = np.cumsum(good)
    with np.errstate(divide="ignore"):  # what is far above the promise has no evidence against it
        log_e = (
            np.log(betainc(k + 1, n - k + 1, promised))
            + betaln(k + 1, n - k + 1)
            - (k + 1) * np.log(promised)
            - (n - k) * np.log1p(-promised)
        )
    most = np.maximum.accumulate(log_e)
    broken = np.flatnonzero(most >= -np.log(a))
    evidence = float(np.exp(min(max(most[-1], 0.0), 700.0)))
    since = int(at[broken[0]]) + 1 if broken.size else None
    return Kept(promised, Share(int(good.sum()), good.size), evidence, since)


def _as_logit(threshold: float, scores: str) -> float:
    return float(logit(threshold)) if scores == "probabilities" else float(threshold)


def _digest(values: ArrayLike, labels: Values) -> str:
    """Digest scores and labels, whatever the order of the rows."""
    rows = np.column_stack([np.asarray(values, dtype=np.float64), labels])
    return hashlib.sha256(rows[np.lexsort(rows.T)].tobytes()).hexdigest()
