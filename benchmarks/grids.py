"""Grid searches: every contender on every set, with one process and with two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from contenders import REFERENCE, Estimator, Grid, able, contenders, grid_search, own_search
from measure import clock, fresh, warm_up
from problem import Array, Row
from settings import Settings, load, report
from sklearn.model_selection import StratifiedKFold

Tables = Iterator[dict[str, pd.DataFrame]]  # what there is so far, by name

POINT = ["hidden", "l2"]


def search(name: str, data: str, n_jobs: int, settings: Settings) -> tuple[list[Row], Row]:
    """Search one grid with one contender; a row a fit, and the seconds."""
    X, y = load(data, settings.share)
    grid: Grid = {"hidden": [(h,) for h in settings.hidden], "l2": list(settings.l2)}
    folds = StratifiedKFold(settings.folds, shuffle=True, random_state=0)
    contender = contenders(settings.epochs)[name]
    estimator = Estimator(contender.fit, settings.max_iter, settings.tol)
    own: list[float] = []  # the seconds of each fit, by the contender's own clock

    def run(X: Array, y: Array, grid: Grid, folds: Any, n_jobs: int) -> list[Row]:
        if contender.fit_all is None:
            return grid_search(estimator, X, y, grid, folds, n_jobs)
        rows, own[:] = own_search(contender.fit_all, estimator, X, y, grid, folds, n_jobs)
        return rows

    # So many rows that ours is compiled for single precision, too.
    first = np.r_[np.flatnonzero(y == 0)[:2500], np.flatnonzero(y == 1)[:10]]
    small = X[first], y[first], {k: v[:1] for k, v in grid.items()}, StratifiedKFold(2)
    if contender.threads:
        run(*small, n_jobs)
    else:
        warm_up(n_jobs, lambda: run(*small, 1))
    if contender.warm:
        run(X, y, grid, folds, n_jobs)
    rows, times = clock(lambda: run(X, y, grid, folds, n_jobs))
    if own:  # dealt out in turn; starting a program and handing it the rows does not count
        scoring = sum(row["scoring_seconds"] for row in rows)
        times["seconds"] = scoring + max(sum(own[k::n_jobs]) for k in range(n_jobs))
        times["cpu_seconds"] += sum(own)
        times["others_cpu"] = max(0.0, times["others_cpu"] - sum(own))
    return rows, times


def grids(settings: Settings, chosen: list[str]) -> Tables:
    """Search every grid with every contender: searches and fits, complete after each set.

    The slow ones do so on the first set and with the most processes only.
    """
    searches, fits = [], []
    entrants = able(chosen, "grids")
    for data in settings.sets:
        for n_jobs in settings.processes:
            for name, contender in entrants.items():
                most = n_jobs == max(settings.processes)
                if contender.slow and not (most and data == settings.sets[0]):
                    continue
                (rows, times), peak = fresh(search, name, data, n_jobs, settings)
                key = {"set": data, "contender": name, "processes": n_jobs}
                searches.append(key | times | {"peak_mb": peak})
                fits += [key | row for row in rows]
                report(f"{data}, {name}, {n_jobs} processes", times)
        table = pd.DataFrame(fits)
        table["hidden"] = [hidden for (hidden,) in table["hidden"]]
        yield {"grids": summary(pd.DataFrame(searches), table, settings.tol), "fits": table}


def winner(fits: pd.DataFrame) -> dict[str, float]:
    """Find the point of a grid with the least mean held-out log loss, and its standard error."""
    by_point = fits.groupby(POINT)["held_out"].agg(["mean", "sem"])
    hidden, l2 = best = by_point["mean"].idxmin()
    mean, se = by_point.loc[best]
    return {"winner_hidden": hidden, "winner_l2": l2, "winner_log_loss": mean, "winner_se": se}


def summary(searches: pd.DataFrame, fits: pd.DataFrame, tol: float) -> pd.DataFrame:
    """Add to each search what its fits reached, beside those of scikit-learn's lbfgs.

    ``mean_ratio`` is the ratio of the two mean objectives, ``worst_ratio`` the largest ratio of a
    fit, ``within_1_percent`` the share of fits that are at most 1% above, ``certified`` the share
    whose gradient is at or below `tol`, and ``within_one_se`` whether the winner's held-out loss
    is at most one standard error above that of the reference's winner. Without the reference,
    what compares with it is empty.
    """
    point = ["set", "processes", "fold", *POINT]
    theirs_all = fits[fits["contender"] == REFERENCE]
    reference = theirs_all.set_index(point)["objective"]
    reached = []
    for (data, _, n_jobs), own in fits.groupby(["set", "contender", "processes"], sort=False):
        theirs = reference.reindex(pd.MultiIndex.from_frame(own[point])).to_numpy()
        ratio = own["objective"].to_numpy() / theirs
        won = winner(own)
        same = theirs_all[(theirs_all["set"] == data) & (theirs_all["processes"] == n_jobs)]
        is_empty = same.empty
        bound = np.nan
        if not is_empty:
            best = winner(same)
            bound = best["winner_log_loss"] + best["winner_se"]
        reached.append(
            {
                "scoring_seconds": own["scoring_seconds"].sum(),
                "fits": len(own),
                "objective": own["objective"].mean(),
                "mean_ratio": own["objective"].mean() / theirs.mean(),
                "within_1_percent": np.nan if is_empty else np.mean(ratio <= 1.01),
                "worst_ratio": ratio.max(),
                "certified": np.mean(own["gradient"] <= tol),
                "gradient_median": own["gradient"].median(),
                "gradient_max": own["gradient"].max(),
                "residual_max": own["residual"].max(),
                "iterations": own["n_iter"].mean(),
                "best_f1": own.groupby(POINT)["f1"].mean().max(),
            }
            | won
            | {"within_one_se": None if is_empty else bool(won["winner_log_loss"] <= bound)}
        )
    return pd.concat([searches, pd.DataFrame(reached)], axis=1)
