"""Many sets: what each method comes to on each split, decided and judged in the same way.

Decisions are judged where a method takes them, rankings as they are, and probabilities after they
have been shifted back to the prior of the data: from a weight lambda by its logit, from a sample
that was balanced by log IR. So no method loses for the prior that it was trained under.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.metrics import precision_recall_curve

from crcen.study.methods import METHODS
from crcen.study.protocol import PROTOCOLS, Cell, Fit, Protocol, Search, cells
from crcen.study.record import Record
from crcen.study.scores import DECIDED, SCORES, Logits, Predictions
from crcen.study.tables import (
    by_fold,
    fits_of,
    fresh_quotient,
    log_ratio,
    of_seed,
    on_test_rows,
    places,
    search_of,
    together,
)
from crcen.theory.expense import Confusion
from crcen.theory.laws import platt_line
from crcen.threads import one_thread
from crcen.weights import alpha_from_lam

#: Methods that fit their classifier to as many rows of one class as of the other.
BALANCED = ("ADASYN", "SMOTE", "RUSB", "EE", "BRF", "BRF 2019")
#: What a threshold is tuned for, each at one of its own.
TUNED_FOR = ("f1", "gmean", "balanced_accuracy", "mcc")
COSTS = (2, 5, "IR", 100)  # of a missed minority row, in false alarms
RECALLS = np.linspace(0.05, 1, 20)  # at which curves of precision are averaged


@one_thread()  # several would wait for each other on rows of this number
def score_sets(
    record: Record,
    datasets: Iterable[str],
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> pd.DataFrame:
    """Score every method on every split of data sets, a row each.

    Parameters
    ----------
    record : Record
        The record; what it lacks is left out, and what has failed has nan for scores.
    datasets : iterable of str
        Their names.
    seed : int, default=0
        Seed of the splits.
    protocols : mapping
        What ``"hundred"`` and ``"hundred held out"`` mean.

    Returns
    -------
    DataFrame
        dataset, method, split; the scores of `crcen.study.scores.SCORES`; ``cost 2`` and so on,
        the cost when a missed minority row costs as many false alarms, over that of the better
        constant; and `quotient`, of Eq. 7 on the test rows, for methods of the cross entropy. A
        tuned threshold, as of ``"MLP tuned"``, has decisions only.
    """
    of, held_out = protocols["hundred"], protocols["hundred held out"]
    wanted = cells(datasets, of.methods, {"hundred": of})
    wanted += cells(datasets, held_out.methods, {"hundred held out": held_out})
    place, searches = places(record, seed), of_seed(record.searches, seed)
    lost = searches.loc[searches["failed"] != "", [*Search._fields]]
    untuned = {Search(*key) for key in lost.itertuples(index=False)}
    rows: dict[tuple[str, str, int], dict[str, Any]] = {}
    ranked: dict[Fit, dict[str, float]] = {}  # which methods at several thresholds share
    for cell, fit in fits_of(wanted, searches, protocols).items():
        if fit is None and search_of(cell, protocols) in untuned:
            rows[cell.dataset, cell.method, cell.split] = {}
        if fit is None or fit not in place:
            continue
        if cell.protocol != "hundred":
            if all(fit._replace(rows=each) in place for each in held_out.also):
                key = cell.dataset, f"{cell.method} tuned", cell.split
                rows[key] = _tuned(record, fit, place)
            continue
        key = cell.dataset, cell.method, cell.split
        if record.fits.loc[place[fit], "failed"]:
            rows[key] = {}
            continue
        found, lam = record.predictions(place[fit]), float(record.fits.loc[place[fit], "lam"])
        if fit not in ranked:
            ranked[fit] = _ranked(found, shifted_back(found, cell.method, lam), lam)
        rows[key] = _decided(found, cell) | ranked[fit]
    index = pd.MultiIndex.from_tuples(rows, names=["dataset", "method", "split"])
    return pd.DataFrame([*rows.values()], index=index).reset_index()


def _decided(found: Predictions, cell: Cell) -> dict[str, float]:
    """Score the decisions of a method, at its own threshold."""
    found = at_its_threshold(found, cell.method)
    return {name: SCORES[name].of(found) for name in DECIDED}


def at_its_threshold(found: Predictions, method: str) -> Predictions:
    """Move the logits of a method that decides at 1 - lambda with the balanced lambda."""
    return found.moved(-log_ratio(found)) if METHODS[method].moved else found


def shifted_back(found: Predictions, method: str, lam: float) -> Predictions:
    """Take the prior that a method was trained under out of its logits (Proposition 2)."""
    if method in BALANCED:
        return found.moved(log_ratio(found))
    return found if np.isnan(lam) else found.moved(float(logit(lam)))


def _ranked(found: Predictions, plain: Predictions, lam: float) -> dict[str, float]:
    """Score what does not depend on a threshold, and decisions at those that costs ask for."""
    y, ratio, o = found.labels, np.exp(log_ratio(found)), plain.logits
    scores = {
        "auc": SCORES["auc"].of(found),
        "average_precision": SCORES["average_precision"].of(found),
        "brier": float(np.mean((expit(o) - y) ** 2)),
        "log_loss": float(np.mean(np.logaddexp(0, np.where(y == 1, -o, o)))),
    }
    for cost in COSTS:
        of = ratio if cost == "IR" else float(cost)
        _, fp, fn, _ = plain.moved(-np.log(of)).counts
        scores[f"cost {cost}"] = (fp + of * fn) / min(
            found.negatives.size, of * found.positives.size
        )
    if not np.isnan(lam):
        scores["quotient"] = fresh_quotient(found, alpha_from_lam(lam, ratio))
    return scores


@one_thread()
def slopes(
    record: Record,
    datasets: Iterable[str],
    methods: Iterable[str],
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> pd.DataFrame:
    """Compute calibration slopes: of Platt's line, from the test rows of all splits of a set.

    Parameters
    ----------
    record, datasets, seed, protocols
        As in `score_sets`.
    methods : iterable of str
        The methods.

    Returns
    -------
    DataFrame
        dataset, method, slope: 1 if probabilities can be believed, below 1 if they are too bold;
        nan where a class is apart from the other.
    """
    parts: dict[tuple[str, str], list[Predictions]] = {}
    for cell, k, found in on_test_rows(record, datasets, methods, seed, protocols):
        plain = shifted_back(found, cell.method, float(record.fits.loc[k, "lam"]))
        parts.setdefault((cell.dataset, cell.method), []).append(plain)
    rows = []
    for (dataset, method), some in parts.items():
        found = together(some)
        apart = found.positives.min() >= found.negatives.max()
        slope = np.nan if apart else platt_line(found.logits, found.labels)[1]
        rows.append({"dataset": dataset, "method": method, "slope": slope})
    return pd.DataFrame(rows, columns=["dataset", "method", "slope"])


@one_thread()
def curves(
    record: Record,
    datasets: Iterable[str],
    methods: Iterable[str],
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> pd.DataFrame:
    """Compute precision over recall on the test rows of a set, and where each method decides.

    Parameters
    ----------
    record, datasets, seed, protocols
        As in `score_sets`.
    methods : iterable of str
        The methods.

    Returns
    -------
    DataFrame
        dataset, method, recall, precision, decided. Where `decided` is false, a point of the
        curve at a recall of `RECALLS`: the best precision of a split at that recall or more, in
        the mean over splits. Where it is true, the decisions of all splits together.
    """
    parts: dict[tuple[str, str], list[tuple[Logits, Confusion]]] = {}
    for cell, _, found in on_test_rows(record, datasets, methods, seed, protocols):
        some = parts.setdefault((cell.dataset, cell.method), [])
        some.append((_best_precision(found), at_its_threshold(found, cell.method).counts))
    rows = []
    for (dataset, method), some in parts.items():
        mean = np.mean([best for best, _ in some], axis=0)
        _, fp, fn, tp = np.sum([counts for _, counts in some], axis=0)
        precision = tp / (tp + fp) if tp + fp else np.nan
        points = [*zip(RECALLS, mean, strict=True), (tp / (tp + fn), precision)]
        rows += [(dataset, method, *at, k == len(RECALLS)) for k, at in enumerate(points)]
    return pd.DataFrame(rows, columns=["dataset", "method", "recall", "precision", "decided"])


def _best_precision(found: Predictions) -> Logits:
    """Find the best precision at each of `RECALLS` or above."""
    precision, recall, _ = precision_recall_curve(found.labels, found.logits)  # from recall 1 down
    last = np.searchsorted(-recall, -RECALLS, "right") - 1
    return np.maximum.accumulate(precision)[last]


def _tuned(record: Record, fit: Fit, place: Mapping[Fit | None, int]) -> dict[str, float]:
    """Score decisions at the thresholds that are best on held-out rows, each score at its own."""
    found = record.predictions(place[fit])
    held_out = together(by_fold(record, fit, place=place))
    return {
        score: SCORES[score].of(found.moved(best_threshold(held_out, score))) for score in TUNED_FOR
    }


def best_threshold(found: Predictions, score: str) -> float:
    """Find the threshold on the logits at which decisions on given rows have the best score.

    Parameters
    ----------
    found : Predictions
        Logits of the rows.
    score : str
        A score of decisions.

    Returns
    -------
    float
        A point in the middle between two neighbouring logits; the lowest of equals.

    Examples
    --------
    >>> best_threshold(Predictions(np.array([0.0, 2.0]), np.array([-3.0, -1.0])), "f1")
    -0.5
    """
    logits = np.unique(found.logits)
    cuts = np.concatenate([logits[:1] - 1, (logits[1:] + logits[:-1]) / 2])
    of_counts = SCORES[score].of_counts
    if of_counts is None:
        raise ValueError(f"score={score!r} is none of decisions: take one of {', '.join(DECIDED)}.")
    return float(cuts[np.argmax(of_counts(found.counts_at(cuts)))])
