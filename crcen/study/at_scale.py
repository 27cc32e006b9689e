r"""The laws on many sets: Eq. 7 on fresh rows, promises of a recall, and what a step costs.

Each law is looked at on every split of every set, from the recorded logits of rows that a fit has
not seen. What is left is one number a set, and families of sets are the sample.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import betabinom

from crcen.choice import Share, choose_lam
from crcen.study.datasets import load_available
from crcen.study.meta import effects
from crcen.study.methods import METHODS
from crcen.study.protocol import HELD_OUT, PROTOCOLS, WISHES, Fit, Protocol, cells
from crcen.study.record import Record
from crcen.study.scores import Predictions
from crcen.study.splits import splits
from crcen.study.statistics import above, below, of_sets
from crcen.study.tables import (
    by_fold,
    fits_of,
    fresh_quotient,
    log_ratio,
    of_seed,
    on_test_rows,
    places,
    together,
)
from crcen.theory.expense import expense_interval, expenses
from crcen.theory.laws import expense_band
from crcen.theory.left_out import fresh_ratio, left_out_logits
from crcen.threads import one_thread
from crcen.weights import alpha_from_lam

if TYPE_CHECKING:
    from sklearn.utils import Bunch

PLAIN = ("MLP", "LR")  #: whose held-out logits are recorded, and whose thresholds are moved
RECALLS = tuple(value for wish, value in WISHES if wish == "recall")
ALPHAS = (0.5, 1.0, 2.0)  #: the ends of two steps
LEAST_GAINED = 20  #: rows that a step gains over all splits, if its expense is to count
FEWEST = 5  #: families of an interval; that all of five are alike has a chance of 2**-5, below 5%
AFFORDABLE = 1_000_000  #: derivatives of a fit whose leverages take less than a second


def alone(rows: pd.DataFrame, column: str, families: Mapping[str, str] | None) -> pd.DataFrame:
    """Gather a quantity by set as `crcen.study.meta.effects` does a difference: as one from zero.

    Parameters
    ----------
    rows : DataFrame
        The columns dataset, split, and one of the quantity; several rows of a split count as their
        mean.
    column : str
        The quantity.
    families : mapping, optional
        The family of each set; by default each set is one.

    Returns
    -------
    DataFrame
        As `crcen.study.meta.effects` returns it.

    Examples
    --------
    >>> rows = pd.DataFrame({"dataset": "abalone", "split": [0, 0, 1], "kept": [1.0, 0.0, 1.0]})
    >>> alone(rows, "kept", None)["mean"].item()
    0.75
    """
    by_split = rows.groupby(["dataset", "split"], as_index=False)[column].mean()
    parts = [by_split.assign(method="it"), by_split.assign(method="nothing", **{column: 0.0})]
    return effects(pd.concat(parts), column, "it", "nothing", families)


class Shared(NamedTuple):
    """A share with one vote a family, its interval, and how many sets and families there are."""

    mean: float
    low: float
    high: float
    n_sets: int
    n_families: int


def share(
    rows: pd.DataFrame, column: str, families: Mapping[str, str] | None = None, level: float = 0.9
) -> Shared:
    """Tell in which share of cases something is so, with families as the sample.

    Parameters
    ----------
    rows : DataFrame
        The columns dataset, split, and one that is 1 where it is so and 0 where it is not.
    column : str
        That column.
    families : mapping, optional
        The family of each set; by default each set is one.
    level : float, default=0.9
        Level of the interval, Student's of the families' shares.

    Returns
    -------
    Shared
        The ends are nan of fewer families than `FEWEST`.

    Examples
    --------
    >>> rows = pd.DataFrame({"dataset": list("abcdef"), "split": 0, "kept": [1.0] * 5 + [0.4]})
    >>> [round(value, 2) for value in share(rows, "kept")[:3]]
    [0.9, 0.7, 1.0]
    """
    found = alone(rows, column, families)
    votes = found["mean"].groupby(found["family"]).mean()
    mean, half, _ = of_sets(votes, level)
    half = half if len(votes) >= FEWEST else math.nan
    low, high = np.clip([mean - half, mean + half], 0, 1).tolist()
    return Shared(mean, low, high, len(found), len(votes))


def quotients(
    record: Record,
    datasets: Iterable[str],
    methods: Iterable[str],
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> pd.DataFrame:
    r"""Compute the quotient of Eq. 7 on the test rows of each split.

    .. math:: \alpha\,\frac{1-\bar p_1}{\bar p_0} ,

    which the equation says is 1, at the weight that the method was trained with.

    Parameters
    ----------
    record, datasets, methods, seed, protocols
        As in `crcen.study.hundred.slopes`; methods that have no weight are left out.

    Returns
    -------
    DataFrame
        dataset, method, split; missed and false, the upper and the lower side of the quotient;
        quotient, and its logarithm `log`, nan if the rows of a class are all certain.
    """
    rows = []
    for cell, k, found in on_test_rows(record, datasets, methods, seed, protocols):
        lam = float(record.fits.loc[k, "lam"])
        if not math.isnan(lam):
            alpha = alpha_from_lam(lam, np.exp(log_ratio(found)))
            missed, false = alpha * expit(-found.positives).mean(), expit(found.negatives).mean()
            value = fresh_quotient(found, alpha)
            log = math.log(value) if 0 < value < math.inf else math.nan
            rows.append((cell.dataset, cell.method, cell.split, missed, false, value, log))
    columns = ["dataset", "method", "split", "missed", "false", "quotient", "log"]
    return pd.DataFrame(rows, columns=columns)


def summed(rows: pd.DataFrame, families: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Take the quotient of each set from the errors of all its splits together.

    Where a class of few test rows is nearly sure, the quotient of one split is that of its least
    sure row, and the logarithm far below what Eq. 7 would have in the mean. Sums are not.

    Parameters
    ----------
    rows : DataFrame
        Of `quotients`, of one method.
    families : mapping, optional
        The family of each set; by default each set is one.

    Returns
    -------
    DataFrame
        As `crcen.study.meta.effects` returns it, with the logarithm of the quotient as the mean,
        and no variance.

    Examples
    --------
    >>> rows = pd.DataFrame({"dataset": "abalone", "split": [0, 1], "missed": [1e-9, 0.2]})
    >>> summed(rows.assign(false=0.1))["mean"].round(3).item()
    0.0
    """
    found = alone(rows, "missed", families)
    with np.errstate(divide="ignore"):
        log = np.log(found["mean"]) - np.log(alone(rows, "false", families)["mean"])
    return found.assign(mean=log, variance=0.0)[np.isfinite(log)]


@one_thread()
def foretold(
    record: Record,
    datasets: Iterable[str],
    most: int,
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
    load: Callable[[Iterable[str]], Mapping[str, Bunch]] = load_available,
) -> pd.DataFrame:
    """Predict CRCEN's quotient of Eq. 7 from the training rows of one split (Proposition 14).

    CRCEN is trained again with the parameters that the record has chosen. That and the leverages
    take a time that grows with the derivatives, one for each training row and parameter.

    Parameters
    ----------
    record, datasets, seed, protocols
        As in `quotients`.
    most : int
        The largest number of derivatives; fits that have more are left out.
    load : callable
        Loads those data sets that can be had.

    Returns
    -------
    DataFrame
        dataset, split (0), measured (on the test rows of the record), predicted, and `spread`, the
        standard deviation of the logarithm of measured over predicted.
    """
    names = list(datasets)
    wanted = [
        cell
        for cell in cells(names, ["CRCEN"], {"hundred": protocols["hundred"]})
        if cell.split == 0
    ]
    known = quotients(record, names, ["CRCEN"], seed, protocols)
    known = known[known["split"] == 0].set_index("dataset")["quotient"]
    rows = []
    for cell, fit in fits_of(wanted, of_seed(record.searches, seed), protocols).items():
        if fit is None or cell.dataset not in known:
            continue
        params = json.loads(fit.params)
        for data in load([cell.dataset]).values():
            train, test = next(splits(data.target, 1, seed))
            if train.size * _size(data.data.shape[1], params["hidden_layer_sizes"]) > most:
                continue
            y = data.target[train]
            pipeline = METHODS["CRCEN"].pipeline(seed)
            X = pipeline["scaler"].fit_transform(data.data[train])
            clf = pipeline["classifier"].set_params(**params).fit(X, y)
            fresh = int(data.target[test].sum()), int((1 - data.target[test]).sum())
            guess = fresh_ratio(y, left_out_logits(clf, X, y), clf.lam_, fresh)
            rows.append((cell.dataset, 0, known[cell.dataset], guess.ratio, guess.spread))
    return pd.DataFrame(rows, columns=["dataset", "split", "measured", "predicted", "spread"])


def _size(n_columns: int, hidden: Sequence[int]) -> int:
    """Count the parameters of a network.

    Examples
    --------
    >>> _size(3, [2])  # 3 weights and a bias for each neuron; 2 and a bias for the output
    11
    """
    sizes = [n_columns, *hidden, 1]
    return sum((a + 1) * b for a, b in pairwise(sizes))


@lru_cache(maxsize=10_000)
def _promise(found: Share, rows: int) -> tuple[float, float, float, float]:
    """Bound a recall among fresh rows, and tell how often a promise that is exact would be kept."""
    low, high = found.fresh(rows)
    # The recall is Beta(n - k + 1, k): the row that the boundary stands at is on its own side.
    law = betabinom(rows, found.part, found.total - found.part + 1)
    missed = float(law.cdf(round(low * rows) - 1))
    return low, high, float(law.cdf(round(high * rows))) - missed, 1 - missed


def promises(
    record: Record,
    datasets: Iterable[str],
    methods: Iterable[str] = PLAIN,
    recalls: Iterable[float] = RECALLS,
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> pd.DataFrame:
    """Wish for a recall on the training rows of each split, and count on the test rows.

    `crcen.choose_lam` is asked with the logits that the plain model has of the folds of the
    training rows, each from a fit without it. The model of all training rows then decides at the
    threshold that it says.

    Parameters
    ----------
    record, datasets, seed, protocols
        As in `quotients`.
    methods : iterable of str
        Plain models whose held-out logits are recorded.
    recalls : iterable of float
        What is wished.

    Returns
    -------
    DataFrame
        dataset, method, split, wish; recall, on the test rows; low and high, the 95% interval that
        was promised; kept, whether the recall lies in it, and `least kept`, whether it is low or
        more, as 1 or 0; and `exact` and `least exact`, how often these two would be if the promise
        were exact, more than 95% and 97.5% since rows are whole. A wish that cannot be promised has
        nan for all but its name.
    """
    of, wishes = protocols["hundred held out"], list(recalls)
    place = places(record, seed)
    wanted = cells(datasets, methods, {"hundred held out": of})
    rows = []
    for cell, fit in fits_of(wanted, of_seed(record.searches, seed), protocols).items():
        if fit is None or not _whole(record, fit, place):
            continue
        held_out, test = together(by_fold(record, fit, place=place)), record.predictions(place[fit])
        for wish in wishes:
            row = {"dataset": cell.dataset, "method": cell.method, "split": cell.split}
            rows.append(row | {"wish": wish} | _kept(held_out, test, wish))
    columns = ["dataset", "method", "split", "wish", *KEPT]
    return pd.DataFrame(rows, columns=columns)


KEPT = ("recall", "low", "high", "kept", "exact", "least kept", "least exact")


def _whole(record: Record, fit: Fit, place: Mapping[Fit | None, int]) -> bool:
    """Tell whether a fit has been applied to the test rows and to each fold."""
    parts = [fit, *(fit._replace(rows=rows) for rows in HELD_OUT)]
    return all(part in place and not record.fits.loc[place[part], "failed"] for part in parts)


def _kept(held_out: Predictions, test: Predictions, wish: float) -> dict[str, float]:
    """Ask for a threshold, and count what becomes of the promise."""
    try:
        choice = choose_lam(held_out.logits, held_out.labels, recall=wish)
    except ValueError:  # too few rows, or a weight that rounds to 0 or 1
        return dict.fromkeys(KEPT, math.nan)
    found = test.moved(-math.log(choice.alpha) - log_ratio(held_out)).counts
    n, recall = test.positives.size, found.tp / test.positives.size
    low, high, exact, least = _promise(choice.recall, n)
    kept = float(low <= recall <= high), exact, float(recall >= low), least
    return dict(zip(KEPT, (recall, low, high, *kept), strict=True))


class Promised(NamedTuple):
    """Columns of `promises` of a promise, what is promised, and what one that is kept has."""

    kept: str
    exact: str
    promised: float
    margin: float


def asked(margin: float) -> dict[str, Promised]:
    """List the two promises of an interval of 95%: all of it, and its lower end alone.

    Parameters
    ----------
    margin : float
        The least share of the whole intervals that counts as kept. The lower ends may be missed
        half as often, as half of the rest of 5% lies below.

    Examples
    --------
    >>> [round(each.margin, 3) for each in asked(0.9).values()]
    [0.9, 0.95]
    """
    return {
        "the interval": Promised("kept", "exact", 0.95, margin),
        "its lower end": Promised("least kept", "least exact", 0.975, (1 + margin) / 2),
    }


def keeping(
    kept: pd.DataFrame, margin: float, families: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Decide whether promises are kept, of each model and of both promises of `asked`.

    Parameters
    ----------
    kept : DataFrame
        Of `promises`, without those that could not be made.
    margin : float
        As in `asked`.
    families : mapping, optional
        As in `share`.

    Returns
    -------
    DataFrame
        method, promise; share, a `Shared` with its 90% interval; exact, the share that exact
        promises would have; margin; and holds, whether the share is above it, None if it cannot
        be told.
    """
    rows = []
    for method in PLAIN:
        of = kept[kept["method"] == method]
        for name, promise in asked(margin).items():
            found = share(of, promise.kept, families)
            exact = share(of, promise.exact, families).mean
            holds = above(found.low, found.high, promise.margin)
            rows.append((method, name, found, exact, promise.margin, holds))
    columns = ["method", "promise", "share", "exact", "margin", "holds"]
    return pd.DataFrame(rows, columns=columns)


def steps(
    record: Record,
    datasets: Iterable[str],
    margin: float,
    methods: Iterable[str] = PLAIN,
    alphas: Sequence[float] = ALPHAS,
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> pd.DataFrame:
    """Count what it costs to move the threshold of a plain model from one alpha to the next.

    Parameters
    ----------
    record, datasets, seed, protocols
        As in `quotients`.
    margin : float
        A factor beyond the ends of the band, 1 or more, that counts as none.
    methods : iterable of str
        Plain models.
    alphas : sequence of float
        The ends of the steps, rising.

    Returns
    -------
    DataFrame
        A row a set, method and step: dataset, method, before, after; gained and added, minority
        rows and false positives over all splits; expense; low and high, the ends of the band of
        Proposition 4; inside, whether the expense is in the band but for the margin; and told,
        whether its 90% interval is: True if all of it, False if none, None if it reaches over an
        end.
    """
    plain = [name for name in methods if not METHODS[name].moved]
    counts: dict[tuple[str, str], list[list[Any]]] = {}
    ratios: dict[str, float] = {}
    for cell, _, found in on_test_rows(record, datasets, plain, seed, protocols):
        log = log_ratio(found)
        at = [found.moved(-math.log(alpha) - log).counts for alpha in alphas]
        counts.setdefault((cell.dataset, cell.method), []).append(at)
        ratios[cell.dataset] = math.exp(log)
    bands = {name: expense_band(alphas[:-1], alphas[1:], ratio) for name, ratio in ratios.items()}
    rows = []
    for (dataset, method), of in counts.items():
        whole = np.array(of)
        summed = whole.sum(axis=0)
        ends = zip(*bands[dataset], *expense_interval(whole, 0.9), strict=True)
        for j, (low, high, least, most) in enumerate(ends):
            value = float(expenses(summed)[j])
            inner, outer = low / margin, high * margin
            rows.append(
                {
                    "dataset": dataset,
                    "method": method,
                    "before": alphas[j],
                    "after": alphas[j + 1],
                    "gained": int(summed[j, 2] - summed[j + 1, 2]),
                    "added": int(summed[j + 1, 1] - summed[j, 1]),
                    "expense": value,
                    "low": low,
                    "high": high,
                    "inside": inner <= value <= outer,
                    "told": _between(above(least, most, inner), below(least, most, outer)),
                }
            )
    columns = ["dataset", "method", "before", "after", "gained", "added", "expense"]
    return pd.DataFrame(rows, columns=[*columns, "low", "high", "inside", "told"])


def priced(moved: pd.DataFrame, families: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Decide whether the expense of each step lies in its band on most sets.

    That a set's expense is in the band is taken as it is found, noise and all: noise can only take
    it out of a narrow band. That it is outside has to be told. So neither verdict owes to noise.

    Parameters
    ----------
    moved : DataFrame
        Of `steps`; those that gain fewer than `LEAST_GAINED` rows are left out.
    families : mapping, optional
        As in `share`.

    Returns
    -------
    DataFrame
        A row a method and step: method, before, after; inside, the share of sets whose expense is
        in the band, with its 90% interval; beyond, the share of those told to be outside; told,
        the number of sets told to be inside; outside and under, told to be outside and below; and
        most: True if `inside` is above one half, False if `beyond` is, None if neither is told.
    """
    counted = moved[moved["gained"] >= LEAST_GAINED].assign(split=0)
    rows = []
    for (method, before, after), _ in moved.groupby(["method", "before", "after"], sort=False):
        of = counted[(counted["method"] == method) & (counted["before"] == before)]
        out = of["told"].map(lambda told: told is False).astype(float)
        inside = share(of.assign(inside=of["inside"].astype(float)), "inside", families)
        beyond = share(of.assign(beyond=out), "beyond", families)
        out_on_most = above(beyond.low, beyond.high, 0.5)
        most = False if out_on_most else above(inside.low, inside.high, 0.5) or None
        told = int(of["told"].map(lambda told: told is True).sum())
        under = int((out * (of["expense"] < of["low"])).sum())
        rows.append((method, before, after, inside, beyond, told, int(out.sum()), under, most))
    columns = ["method", "before", "after", "inside", "beyond", "told", "outside", "under", "most"]
    return pd.DataFrame(rows, columns=columns)


def _between(*parts: bool | None) -> bool | None:
    """Whether both parts hold: not if one does not, and None if one that cannot be told is left."""
    if False in parts:
        return False
    return None if None in parts else True
