r"""Models of a table of your own, asked about rows that they were not trained on.

Each row is held out once, in one of K parts. What has to be chosen for a part, the penalty of a
network, is chosen on the other parts; if the rows have an order, on earlier ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skrub import SquashingScaler, StringEncoder, TableVectorizer
from threadpoolctl import threadpool_limits

from crcen.own.table import Table
from crcen.validation import check_count
from crcen.weights import imbalance_ratio, lam_from_alpha

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

L2 = (1e-4, 1e-3, 1e-2, 1e-1)  # penalties of a network, from which one is chosen
HIDDEN = (10,)
TOL = 1e-3  # of the key equation on training rows: rows held out tell no finer
MOST = 20_000  # rows that a model is trained on; of more, the larger class is sampled
CERTAIN = 1e-12  # a probability is taken to be this far from 0 and 1 at least
NETWORK, LINEAR, BOOSTED = "network", "logistic regression", "gradient boosting"
#: The models that are not weighted; without PyTorch there is no network.
PLAIN = (LINEAR, NETWORK, BOOSTED) if find_spec("torch") else (LINEAR, BOOSTED)


class HeldOut(NamedTuple):
    """What models say of rows that they were not trained on.

    Attributes
    ----------
    part : ndarray of int of shape (n,)
        In which part a row was held out, from 0; -1 for those that only serve to learn from.
    logits : dict of str to ndarray of shape (n,)
        Of each model that is not weighted; nan where `part` is -1.
    weighted : dict of float to ndarray of shape (n,)
        Of the network at each alpha.
    trained_on : int
        Rows of the largest training.
    sampled : bool
        Whether these stand for more.
    """

    part: Ints
    logits: dict[str, Floats]
    weighted: dict[float, Floats]
    trained_on: int
    sampled: bool


def hold_out(
    table: Table,
    *,
    parts: int = 5,
    alphas: Sequence[float] = (0.25, 1.0, 4.0),
    most: int = MOST,
    seed: int = 0,
    n_jobs: int | None = None,
    tell: Callable[[str], object] = lambda line: None,
) -> HeldOut:
    """Train each model without each part of the rows, and ask it about that part.

    Parameters
    ----------
    table : Table
        The rows.
    parts : int, default=5
        Number of parts.
    alphas : sequence of float, default=(0.25, 1.0, 4.0)
        Weights of the networks beside the one that has none.
    most : int, default=20_000
        Most rows to train on. Of more, a sample is taken, see `sample`.
    seed : int, default=0
        Of the parts, the samples and the networks' starting values.
    n_jobs : int, optional
        Processes, as of joblib; one of them has one thread, so that the numbers are the same.
    tell : callable, optional
        Is called with a line of progress.

    Returns
    -------
    HeldOut
        The logits of each model.
    """
    seed = check_count("seed", seed, 0)
    n, ratio = len(table.y), imbalance_ratio(table.y)
    part = np.full(n, -1)
    lams: dict[float | None, float] = {}
    if NETWORK in PLAIN:
        lams = {None: 0.5} | {float(a): lam_from_alpha(a, ratio) for a in alphas}
    logits = {name: np.full(n, np.nan) for name in (LINEAR, BOOSTED)}
    tried = {alpha: np.full((len(L2), n), np.nan) for alpha in lams}
    trained_on = 0
    divided = divide(table, parts, seed)
    answers = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_part)(table, train, test, lams, most, [seed, k])
        for k, (train, test) in enumerate(divided)
    )
    for k, (answer, (_, test)) in enumerate(zip(answers, divided, strict=True)):
        tell(f"part {k + 1} of {parts}")
        part[test] = k
        for name, o in answer.logits.items():
            logits[name][test] = o
        for alpha, o in answer.tried.items():
            tried[alpha][:, test] = o
        trained_on = max(trained_on, answer.trained_on)
    chosen = {}
    for alpha, lam in lams.items():
        c = np.where(table.y == 1, lam, 1 - lam) * (1.0 if table.weights is None else table.weights)
        losses = np.stack([c * log_losses(o, table.y) for o in tried[alpha]])
        which = choose_elsewhere(losses, part, ordered=table.times is not None)
        chosen[alpha] = np.where(part < 0, np.nan, tried[alpha][which, np.arange(n)])
    if None in chosen:
        logits[NETWORK] = chosen.pop(None)
    weighted = {a: o for a, o in chosen.items() if a is not None}
    logits = {name: logits[name] for name in PLAIN}
    sampled = trained_on < max(train.size for train, _ in divided)
    return HeldOut(part, logits, weighted, trained_on, sampled)


class _Answer(NamedTuple):
    logits: dict[str, Floats]
    tried: dict[float | None, Floats]
    trained_on: int


def _part(
    table: Table,
    train: Ints,
    test: Ints,
    lams: dict[float | None, float],
    most: int,
    seed: list[int],
) -> _Answer:
    """Train all models on some rows, with one thread, and ask them about others."""
    with threadpool_limits(1):
        rows, weight = sample(table, train, most, np.random.default_rng(seed))
        y, start = table.y[rows], sum(seed)
        columns = prepare(start)
        Z = _floats(columns.fit_transform(table.X.iloc[rows]))
        Z_test = _floats(columns.transform(table.X.iloc[test]))
        logits = {n: _logits(fit(plain(n, start), Z, y, weight), Z_test) for n in (LINEAR, BOOSTED)}
        tried = {
            alpha: np.stack(
                [fit(network(lam, l2, start), Z, y, weight).decision_function(Z_test) for l2 in L2]
            )
            for alpha, lam in lams.items()
        }
    return _Answer(logits, tried, rows.size)


def divide(table: Table, parts: int, seed: int) -> list[tuple[Ints, Ints]]:
    """Divide rows into those to learn from and those to hold out: at random, by group, or by time.

    By time, the rows are cut into one block more than `parts`, rows of one time into one block, and
    all blocks before one are learnt from; groups that reach into it are left out of its training.

    Raises
    ------
    ValueError
        If a class has fewer than two rows to learn from, or none to hold out.
    """
    y, groups, times = table.y, table.groups, table.times
    if times is not None:
        divided = _by_time(times, groups, parts)
    elif groups is not None:
        by_group = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
        divided = list(by_group.split(y, y, groups))
    else:
        at_random = StratifiedKFold(parts, shuffle=True, random_state=seed)
        divided = list(at_random.split(y, y))
    for k, (train, test) in enumerate(divided):
        if (
            np.bincount(y[train], minlength=2).min() < 2
            or np.bincount(y[test], minlength=2).min() < 1
        ):
            how = "the time" if times is not None else "the groups"
            raise ValueError(
                f"part {k + 1} of {parts} by {how} has too few rows of a class to learn from or to "
                f"hold out: give more rows, or leave {how} out."
            )
    return divided


def _by_time(times: NDArray[Any], groups: Ints | None, parts: int) -> list[tuple[Ints, Ints]]:
    late = pd.Series(times).rank(method="min", pct=True).to_numpy()
    block = np.minimum((late * (parts + 1) - 1e-9).astype(int), parts)
    divided = []
    for k in range(1, parts + 1):
        train, test = np.flatnonzero(block < k), np.flatnonzero(block == k)
        if groups is not None:
            train = train[~np.isin(groups[train], groups[test])]
        divided.append((train, test))
    return divided


def sample(
    table: Table, rows: Ints, most: int, rng: np.random.Generator
) -> tuple[Ints, Floats | None]:
    """Keep `most` rows: a tenth of them of the rarer class, or its share of all if that is more.

    Rows count for those of their class that are left out. The more unlike these counts, the more
    a model is drawn to single rows, and the more it announces on others: so no more than a tenth.
    """
    weight = None if table.weights is None else table.weights[rows]
    if rows.size <= most:
        return rows, weight
    y = table.y[rows]
    counts = np.bincount(y, minlength=2)
    small = min(int(counts.min()), max(most // 10, round(most * counts.min() / y.size)))
    wanted = np.where(counts == counts.min(), small, most - small)
    kept = np.sort(
        np.concatenate(
            [rng.choice(np.flatnonzero(y == c), wanted[c], replace=False) for c in (0, 1)]
        )
    )
    times = (counts / wanted)[y[kept]]
    return rows[kept], times if weight is None else times * weight[kept]


def prepare(seed: int) -> Pipeline:
    """Turn columns into numbers of one scale: levels, dates and text by skrub, gaps as medians.

    A column with gaps brings a second one that says where they were.
    """
    return make_pipeline(
        TableVectorizer(
            low_cardinality=OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            high_cardinality=StringEncoder(n_components=10, random_state=seed),
        ),
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        SquashingScaler(max_absolute_value=5),
    )


def plain(name: str, seed: int) -> Any:
    """Make a model without weights."""
    if name == LINEAR:
        return LogisticRegression(max_iter=1000)
    return HistGradientBoostingClassifier(early_stopping=True, random_state=seed)


def network(lam: float, l2: float, seed: int) -> Any:
    """Make a network of one hidden layer."""
    from crcen.classifiers import CRCENClassifier

    return CRCENClassifier(HIDDEN, lam=lam, l2=l2, tol=TOL, random_state=seed, positive=1)


def fit(model: Any, Z: Floats, y: Ints, weight: Floats | None) -> Any:
    """Train, whatever a network says of itself: what it tells of rows held out is what counts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(Z, y, sample_weight=weight)


def choose_elsewhere(losses: Floats, part: Ints, ordered: bool) -> Ints:
    """Choose for each row among settings, by their loss on other parts, or on earlier ones.

    Parameters
    ----------
    losses : ndarray of shape (settings, n)
        Loss of each setting on each row.
    part : ndarray of int of shape (n,)
        The part of each row; -1 for none.
    ordered : bool
        Whether a part may only see those before it. The first sees itself: there is none before.

    Returns
    -------
    ndarray of int of shape (n,)
        The setting of each row; 0 where `part` is -1.
    """
    which = np.zeros(part.size, dtype=np.int64)
    for k in range(part.max() + 1):
        seen = others(part, k, ordered)
        which[part == k] = losses[:, seen].mean(axis=1).argmin()
    return which


def others(part: Ints, k: int, ordered: bool) -> NDArray[np.bool_]:
    """Tell which rows may be looked at to choose for part k."""
    if ordered:
        return (part >= 0) & (part < max(k, 1))
    return (part >= 0) & (part != k)


def log_losses(o: Floats, y: Ints) -> Floats:
    """Compute -log p of what came, a value a row, from logits."""
    with np.errstate(invalid="ignore"):  # rows that were not held out
        return np.logaddexp(0, np.where(y == 1, -o, o))


def _logits(model: Any, Z: Floats) -> Floats:
    p = np.clip(model.predict_proba(Z)[:, 1], CERTAIN, 1 - CERTAIN)
    return np.asarray(logit(p), dtype=np.float64)


def _floats(Z: Any) -> Floats:
    return np.ascontiguousarray(Z, dtype=np.float64)
