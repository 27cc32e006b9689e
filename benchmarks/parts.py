"""The parts of the benchmark by name; here those that measure ours alone, and the machine."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from contenders import OURS
from grids import Tables, grids, search
from joblib import cpu_count
from limits import batching, limits
from measure import clock, fresh
from pages import pages
from problem import Row
from reports import reports
from settings import Settings, report
from single import single, table1
from sklearn.exceptions import ConvergenceWarning

from crcen import CRCENClassifier


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
    "single": single,
    "table1": table1,
    "scaling": scaling,
    "limits": machine_limits,
    "batching": wide_products,
    "reports": reports,
    "pages": pages,
}
