"""Single fits, and the fits of Table 1: seconds, and what the judge says of each."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from contenders import OURS, REFERENCE, able, contenders
from grids import Tables
from joblib import Parallel, delayed
from measure import clock, fresh, warm_up
from problem import Array, Fit, Problem, Row, judge
from settings import Settings, load, report
from sklearn.preprocessing import StandardScaler

from crcen.theory.simulations import sim1, sim2


def problems(settings: Settings) -> dict[str, Problem]:
    """Lay out the single fits by name."""
    X, y = load("satimage", settings.share)
    X = StandardScaler().fit_transform(X)
    rng = np.random.default_rng(0)
    few, few_y = load("abalone", 1.0)
    some = rng.permutation(len(few_y))[:300]
    few = StandardScaler().fit_transform(few[some])
    many = rng.normal(size=(settings.large, 10))
    many_y = (many[:, 0] * many[:, 1] + rng.normal(size=settings.large) > 1).astype(int)
    rows: dict[str, tuple[Array, Array, int, float]] = {
        "satimage": (X, y, 16, 1e-3),
        "satimage, weak penalty": (X, y, 16, 1e-4),
        "small": (few, few_y[some], 16, 1e-3),
        "large": (many, many_y, 10, 1e-4),
    }
    return {
        f"{name} {X.shape[1]}-{h}-1, {len(y)} rows, l2 {l2:g}": Problem(
            X, y, (h,), l2, settings.tol, settings.single_iter
        )
        for name, (X, y, h, l2) in rows.items()
    }


def one_by_one(name: str, settings: Settings, skipped: list[str]) -> list[Row]:
    """Fit every problem with one contender: the best of a few times, or one for the slow ones."""
    contender = contenders()[name]
    rows = []
    for title, problem in problems(settings).items():
        if title in skipped:
            continue
        once = contender.slow or (not contender.warm and contender.threads)  # cold
        seconds: list[float] = []
        if not once:
            contender.fit(problem)  # imports, and what is compiled
        while len(seconds) < (1 if once else settings.repeats) and sum(seconds) < 1:
            start = time.perf_counter()
            fit = contender.fit(problem)
            seconds.append(fit.seconds or time.perf_counter() - start)
        judged = judge(fit.layers, problem.l2, problem.X, problem.y, problem.lam)
        rows.append(
            {"problem": title, "contender": name, "seconds": min(seconds), "repeats": len(seconds)}
            | {k: judged[k] for k in ("objective", "gradient", "residual")}
            | {"iterations": fit.n_iter, "certified": judged["gradient"] <= problem.tol}
        )
    return rows


def single(settings: Settings, chosen: list[str]) -> Tables:
    """Time single fits with every contender; a row a problem and contender."""
    table: list[Row] = []
    *_, largest = problems(settings)  # a minute of nnet, for what the others tell already
    for name in able(chosen, "single"):
        certified = [
            row["problem"] for row in table if row["contender"] == REFERENCE and row["certified"]
        ]
        skipped = {"sklearn-lbfgs-on": certified, "nnet-all-decay": [largest]}.get(name, [])
        rows, _ = fresh(one_by_one, name, settings, skipped)
        table += rows
        print(f"  {name}: {', '.join(format(row['seconds'], '.3f') for row in rows)} s", flush=True)
    found = pd.DataFrame(table).sort_values("problem", kind="stable", key=_first_seen)
    yield {"single": found}


def _first_seen(names: pd.Series) -> pd.Series:
    return pd.Series(pd.factorize(names)[0], index=names.index)


SIMULATIONS: dict[str, tuple[Callable[..., tuple[Array, Array]], tuple[int, ...], float]] = {
    "sim1": (sim1, (), 0.0),
    "sim2": (sim2, (10,), 1e-4),
}
TABLE1_TOL = 1e-7
ALPHAS = (0.1, 1.0, 2.0)  # plain cross entropy, balanced, twice that


def one_run(
    contender: str, simulation: str, settings: Settings, minority: int, k: int
) -> list[Row]:
    """Draw the training rows of run `k` of Table 1 and fit its three weights, as the chapter."""
    draw, hidden, l2 = SIMULATIONS[simulation]
    X, y = draw(minority, 10 * minority, np.random.default_rng(k))
    rows, fit = [], contenders()[contender].fit
    for alpha in ALPHAS:
        problem = Problem(X, y, hidden, l2, TABLE1_TOL, settings.single_iter, k, alpha)
        found: Fit = fit(problem)
        judged = judge(found.layers, l2, X, y, problem.lam)
        rows.append(judged | {"n_iter": found.n_iter})
    return rows


def simulate(
    contender: str, simulation: str, settings: Settings, n_jobs: int
) -> tuple[pd.DataFrame, Row]:
    """Run one simulation of Table 1 in full; a row a fit, and the seconds."""
    warm_up(n_jobs, lambda: one_run(contender, simulation, settings, 20, 0))
    tasks = (
        delayed(one_run)(contender, simulation, settings, settings.minority, k)
        for k in range(settings.runs)
    )
    runs, times = clock(lambda: Parallel(n_jobs)(tasks))
    return pd.DataFrame([row for rows in runs for row in rows]), times


def table1(settings: Settings, chosen: list[str]) -> Tables:
    """Fit the networks of Table 1 in full, with the most processes; a row a simulation."""
    rows, n_jobs = [], max(settings.processes)
    for simulation in SIMULATIONS:
        for contender in able(chosen, "table1") or [OURS]:
            (fits, times), peak = fresh(simulate, contender, simulation, settings, n_jobs)
            key = {"simulation": simulation, "contender": contender, "processes": n_jobs}
            rows.append(
                key
                | {"fits": len(fits)}
                | times
                | {
                    "peak_mb": peak,
                    "scoring_seconds": fits["scoring_seconds"].sum(),
                    "objective": fits["objective"].mean(),
                    "gradient_max": fits["gradient"].max(),
                    "residual_max": fits["residual"].max(),
                    "iterations": fits["n_iter"].mean(),
                    "certified": np.mean(fits["gradient"] <= TABLE1_TOL),
                }
            )
            report(f"{simulation}, {contender}", times)
    yield {"table1": pd.DataFrame(rows)}
