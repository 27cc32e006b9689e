"""The parts of the benchmark, each a table: grids, Table 1, scaling, limits, batching."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from contenders import (
    OURS,
    REFERENCE,
    Array,
    Contender,
    Grid,
    Row,
    contenders,
    grid_search,
)
from joblib import Parallel, cpu_count, delayed
from limits import batching, limits
from measure import clock, fresh, warm_up
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold

from crcen import CRCENClassifier, key_equation, lam_from_alpha
from crcen.datasets import load_dataset
from crcen.protocol import splits
from crcen.simulations import sim1, sim2

SLOW = ("sklearn-adam", "skorch-adam")  # minutes a search: with the most processes only,
SLOWEST = "skorch-adam"  # and this one on the first set only

Tables = Iterator[dict[str, pd.DataFrame]]  # what there is so far, by name


@dataclass(frozen=True)
class Settings:
    """The sizes of a run; those of `QUICK` serve to try the benchmark, not to quote it."""

    sets: tuple[str, ...] = ("satimage", "abalone", "coil_2000")
    share: float = 1.0  # of the rows of each set
    hidden: tuple[int, ...] = (4, 8, 16, 32)
    l2: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    folds: int = 4
    processes: tuple[int, ...] = (1, 2)
    epochs: int = 200  # of skorch
    max_iter: int = 300  # of ours, in the grids and their scaling
    runs: int = 100  # of each simulation, in Table 1
    minority: int = 1000  # training rows in Table 1; ten times as many of the majority
    rows: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    networks: tuple[int, ...] = (1, 10, 100, 1000)
    seconds: float = 0.05  # a measurement of the machine's limits


QUICK = Settings(
    sets=("satimage",),
    share=0.1,
    hidden=(2, 16),
    l2=(1e-4, 1e-2),
    processes=(2,),
    epochs=5,
    runs=4,
    minority=100,
    rows=(1_000, 10_000),
    networks=(1, 10),
    seconds=0.002,
)


def report(what: str, times: Row) -> None:
    """Print a line of progress: wall seconds, and the CPU seconds of other programs."""
    print(f"  {what}: {times['seconds']:.2f} s, others {times['others_cpu']:.2f} s", flush=True)


def load(name: str, share: float) -> tuple[Array, Array]:
    """Load the training rows of the report's first split, which is what it tunes on."""
    data = load_dataset(name)
    train, _ = next(splits(data.target, 1, seed=0))
    X, y = data.data[train], data.target[train]
    if share < 1:
        keep = np.random.default_rng(0).permutation(len(y))[: int(share * len(y))]
        X, y = X[keep], y[keep]
    return X, y


def search(contender: str, name: str, n_jobs: int, settings: Settings) -> tuple[list[Row], Row]:
    """Search one grid with one contender; a row a fit, and the seconds."""
    X, y = load(name, settings.share)
    grid: Grid = {"hidden": [(h,) for h in settings.hidden], "l2": list(settings.l2)}
    folds = StratifiedKFold(settings.folds, shuffle=True, random_state=0)
    small = {k: v[:1] for k, v in grid.items()}, StratifiedKFold(2)

    def run(X: Array, y: Array, grid: Grid, folds: Any, n_jobs: int) -> list[Row]:
        fitter = contenders(settings.epochs, settings.max_iter)[contender]
        return grid_search(Contender(fitter), X, y, grid, folds, n_jobs)

    first = np.r_[np.flatnonzero(y == 0)[:50], np.flatnonzero(y == 1)[:10]]
    warm_up(n_jobs, lambda: run(X[first], y[first], *small, 1))
    return clock(lambda: run(X, y, grid, folds, n_jobs))


def grids(settings: Settings, chosen: list[str]) -> Tables:
    """Search every grid with every contender: searches and fits, complete after each set.

    Those of `SLOW` do so with the most processes only, and `SLOWEST` on the first set only.
    """
    searches, fits = [], []
    for name in settings.sets:
        for n_jobs in settings.processes:
            for contender in chosen:
                if contender in SLOW and n_jobs < max(settings.processes):
                    continue
                if contender == SLOWEST and name != settings.sets[0]:
                    continue
                (rows, times), peak = fresh(search, contender, name, n_jobs, settings)
                key = {"set": name, "contender": contender, "processes": n_jobs}
                searches.append(key | times | {"peak_mb": peak})
                fits += [key | row for row in rows]
                report(f"{name}, {contender}, {n_jobs} processes", times)
        table = pd.DataFrame(fits)
        table["hidden"] = [hidden for (hidden,) in table["hidden"]]
        yield {"grids": summary(pd.DataFrame(searches), table), "fits": table}


def summary(searches: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """Add to each search what its fits reached, beside those of scikit-learn's lbfgs.

    ``mean_ratio`` is the ratio of the two mean objectives, ``worst_ratio`` the largest ratio of a
    fit, ``within_1_percent`` the share of fits that are at most 1% above.
    """
    point = ["set", "processes", "fold", "hidden", "l2"]
    reference = fits[fits["contender"] == REFERENCE].set_index(point)["objective"]
    reached = []
    for _, own in fits.groupby(["set", "contender", "processes"], sort=False):
        theirs = reference.reindex(pd.MultiIndex.from_frame(own[point])).to_numpy()
        ratio = own["objective"].to_numpy() / theirs
        reached.append(
            {
                "scoring_seconds": own["scoring_seconds"].sum(),
                "fits": len(own),
                "objective": own["objective"].mean(),
                "mean_ratio": own["objective"].mean() / theirs.mean(),
                "within_1_percent": np.mean(ratio <= 1.01),
                "worst_ratio": ratio.max(),
                "gradient_median": own["gradient"].median(),
                "gradient_max": own["gradient"].max(),
                "iterations": own["n_iter"].mean(),
                "best_f1": own.groupby(["hidden", "l2"])["f1"].mean().max(),
            }
        )
    return pd.concat([searches, pd.DataFrame(reached)], axis=1)


SIMULATIONS: dict[str, tuple[Callable[..., tuple[Array, Array]], Row]] = {
    "sim1": (sim1, {"hidden_layer_sizes": (), "l2": 0.0}),
    "sim2": (sim2, {"hidden_layer_sizes": (10,), "l2": 1e-4}),
}


def one_run(simulation: str, minority: int, number: int) -> list[Row]:
    """Draw the training rows of one run of Table 1 and fit its three weights, as the chapter."""
    draw, options = SIMULATIONS[simulation]
    X, y = draw(minority, 10 * minority, np.random.default_rng(number))
    classifiers = [
        CRCENClassifier(lam=lam, tol=1e-7, random_state=number, **options)
        for lam in (0.5, lam_from_alpha(1, 10), lam_from_alpha(2, 10))
    ]
    for clf in classifiers:
        clf.fit(X, y)
    return [
        {
            "gradient": clf.grad_norm_,
            "residual": abs(key_equation(y, clf.predict_proba(X)[:, 1], clf.lam_).residual),
            "n_iter": clf.n_iter_,
        }
        for clf in classifiers
    ]


def simulate(simulation: str, settings: Settings, n_jobs: int) -> tuple[pd.DataFrame, Row]:
    """Run one simulation of Table 1 in full; a row a fit, and the seconds."""
    warm_up(n_jobs, lambda: one_run(simulation, 20, 0))
    tasks = (delayed(one_run)(simulation, settings.minority, k) for k in range(settings.runs))
    runs, times = clock(lambda: Parallel(n_jobs)(tasks))
    return pd.DataFrame([row for rows in runs for row in rows]), times


def table1(settings: Settings, _: list[str]) -> Tables:
    """Fit the networks of Table 1 in full, with the most processes; a row a simulation."""
    rows, n_jobs = [], max(settings.processes)
    for simulation in SIMULATIONS:
        (fits, times), peak = fresh(simulate, simulation, settings, n_jobs)
        rows.append(
            {"simulation": simulation, "processes": n_jobs, "fits": len(fits)}
            | times
            | {
                "peak_mb": peak,
                "gradient_max": fits["gradient"].max(),
                "residual_max": fits["residual"].max(),
                "iterations": fits["n_iter"].mean(),
            }
        )
        report(simulation, times)
    yield {"table1": pd.DataFrame(rows)}


def several(n: int, networks: int, seconds: float) -> tuple[int, Row]:
    """Fit networks 10-10-1 to `n` rows for 20 iterations each; iterations in all, and seconds.

    The seconds are the mean of as many fits as take `seconds`, after one that is not counted.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 10))
    y = (X[:, 0] * X[:, 1] + rng.normal(size=n) > 1).astype(int)

    def fit() -> int:
        classifiers = [
            CRCENClassifier(lam=0.5, l2=1e-4, tol=1e-12, max_iter=20, random_state=seed)
            for seed in range(networks)
        ]
        return sum(clf.fit(X, y).n_iter_ for clf in classifiers)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 20 iterations are the point
        first = clock(fit)[1]["seconds"]
        counts, times = clock(lambda: [fit() for _ in range(max(1, int(seconds / first)))])
    times |= {name: times[name] / len(counts) for name in ("seconds", "cpu_seconds", "others_cpu")}
    return counts[0], times


def scaling(settings: Settings, _: list[str]) -> Tables:
    """Measure the engine's cost against rows, networks and processes, and the log-log slopes."""
    axes: dict[str, list[tuple[int, Any]]] = {
        "rows": [(n, (several, n, 1, 10 * settings.seconds)) for n in settings.rows],
        "networks": [(k, (several, 1000, k, 10 * settings.seconds)) for k in settings.networks],
        "processes": [
            (k, (search, OURS, settings.sets[0], k, settings))
            for k in sorted({*(2**i for i in range(10) if 2**i < cpu_count()), cpu_count()})
        ],
    }
    table = []
    for axis, points in axes.items():
        rows: list[Row] = []
        for size, (work, *args) in points:
            (result, times), peak = fresh(work, *args)
            n_iter = result if isinstance(result, int) else sum(row["n_iter"] for row in result)
            rows.append(
                {"axis": axis, "size": size} | times | {"peak_mb": peak, "iterations": n_iter}
            )
            report(f"{axis} {size}", times)
        cost = pd.DataFrame(rows)
        cost["ms_per_iteration"] = 1e3 * cost["seconds"] / cost["iterations"]
        if len(cost) > 1:
            cost["slope"] = np.polyfit(np.log(cost["size"]), np.log(cost["seconds"]), 1)[0]
        table.append(cost)
    yield {"scaling": pd.concat(table)}


def machine_limits(settings: Settings, _: list[str]) -> Tables:
    """Measure the machine's limits and the engine's share of them."""
    yield {"limits": pd.DataFrame(fresh(limits, settings.seconds)[0])}


def wide_products(settings: Settings, _: list[str]) -> Tables:
    """Compare one evaluation of several networks at once with as many single ones."""
    yield {"batching": pd.DataFrame(fresh(batching, settings.seconds)[0])}


#: Every part takes the settings and the contenders, and yields its tables by name.
PARTS = {
    "grids": grids,
    "table1": table1,
    "scaling": scaling,
    "limits": machine_limits,
    "batching": wide_products,
}
