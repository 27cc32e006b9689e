"""Fill a store with cells: search and fit what is missing, in parallel, the longest first.

One process keeps the store, the others compute and hand back what they found. So a cluster needs no
common disk, and a kill loses no more than the jobs that are running.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, NamedTuple, TypeVar

import pandas as pd
from joblib import Parallel, delayed, parallel_config
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from crcen.datasets import load_available, load_dataset
from crcen.evaluation import Rows, best, evaluate, tune, weight
from crcen.methods import METHODS, TOL, Method
from crcen.mishaps import deaf, end_with
from crcen.protocol import (
    FOLDS,
    PROTOCOLS,
    TEST_SIZE,
    Cell,
    Index,
    Labels,
    Protocol,
    Search,
    splits,
)
from crcen.results import Store, made_with

# What imbalanced-learn and scikit-learn raise where a method cannot be fitted to the rows.
FAILURES = (ValueError, RuntimeError)


class _Fit(NamedTuple):
    """One fit, which the cells that ask for the same parameters share."""

    dataset: str
    method: str
    split: int
    params: str  # as JSON, so that it can be compared


_Task = Search | _Fit | Cell
_Unit = TypeVar("_Unit", Search, _Fit)
_Given = tuple[Method, Rows, Labels, Index, Index, int]  # the last is the seed


def settings(
    methods: Mapping[str, Method] = METHODS,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
    seed: int = 0,
) -> dict[str, Any]:
    """Gather what every result depends on, for the manifest of a store.

    Examples
    --------
    >>> settings(seed=7)["seed"], settings()["protocols"]["paper"]["n_splits"]
    (7, 20)
    """
    return {
        "seed": seed,
        "tol": TOL,
        "test_size": TEST_SIZE,
        "folds": FOLDS,
        "grids": {name: method.grid for name, method in methods.items()},
        "protocols": {name: asdict(protocol) for name, protocol in protocols.items()},
    }


def fill(
    store: Store,
    wanted: Iterable[Cell],
    *,
    methods: Mapping[str, Method] = METHODS,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
    load: Callable[[str], Bunch] = load_dataset,
    n_jobs: int = 1,
    report: Callable[[str], object] = print,
) -> None:
    """Compute the cells that a store lacks.

    A search serves every cell that is tuned on its rows, a fit every cell that asks for its
    parameters. A method that cannot be tuned or fitted leaves cells whose `failed` says why. The
    seed of a split is the store's seed plus the split's number.

    Parameters
    ----------
    store : Store
        A store with the `settings` of these methods and protocols.
    wanted : iterable of Cell
        The cells; see `crcen.protocol.cells`.
    methods, protocols : mapping
        What the names in the cells mean.
    load : callable
        Takes the name of a data set, returns its data, target and sha256. The cells of a set that
        is not available are left out.
    n_jobs : int, default=1
        Processes, as in joblib: -1 for one on each core. Inside a joblib `parallel_config` with a
        Dask backend the cluster decides.
    report : callable
        Takes a line of text for each job done.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from crcen.protocol import cells
    >>> two = {"two": Protocol(2)}
    >>> with TemporaryDirectory() as folder:
    ...     store = Store(folder, settings(protocols=two))
    ...     wanted = cells(["abalone"], ["RUSB"], two)
    ...     fill(store, wanted, protocols=two, report=lambda line: None)
    ...     len(store.table())  # two splits, two scores
    4
    """
    missing = [cell for cell in wanted if cell.key not in store]
    data = load_available((cell.dataset for cell in missing), load, report)
    missing = [cell for cell in missing if cell.dataset in data]
    seed = store.manifest["settings"]["seed"]
    n_splits = max((cell.split + 1 for cell in missing), default=0)
    rows = {name: list(splits(each.target, n_splits, seed)) for name, each in data.items()}
    work = _Work(data, rows, methods, seed, n_jobs)

    search_of = {
        cell: Search(cell.dataset, cell.method, protocols[cell.protocol].tuned_on(cell.split))
        for cell in missing
        if methods[cell.method].grid
    }
    searches = [search for search in {*search_of.values()} if search.key not in store]
    todo: list[_Task] = [*searches, *missing]
    progress = Progress(len(todo), sum(map(work.cost, todo)), report)
    for search, found in work.run(searches):
        store.write(search.key, found | search._asdict())
        progress(search.key, 1, work.cost(search), found)

    searched = {search: store.read(search.key) for search in {*search_of.values()}}
    askers: dict[_Fit, list[Cell]] = defaultdict(list)
    for cell in missing:
        train, _ = rows[cell.dataset][cell.split]
        params = weight(cell.alpha, data[cell.dataset].target[train])
        if cell in search_of:
            found = searched[search_of[cell]]
            if found["failed"]:
                found = found | {"failed": f"in tuning, {found['failed']}", "seconds": 0.0}
                store.write(cell.key, found | cell._asdict() | work.origin(cell))
                progress(cell.key, 1, work.cost(cell), found)
                continue
            params = best(pd.DataFrame(found["search"]), cell.score) | params
        askers[_Fit(cell.dataset, cell.method, cell.split, json.dumps(params))].append(cell)
    for fit, found in work.run(askers):
        for cell in askers[fit]:
            grid = searched[search_of[cell]]["search"] if cell in search_of else []
            store.write(cell.key, found | cell._asdict() | _converged(found, grid))
        n = len(askers[fit])
        progress(askers[fit][0].key, n, n * work.cost(fit), found)


@dataclass(frozen=True)
class _Work:
    """What the jobs are made of, and how they run."""

    data: Mapping[str, Bunch]
    rows: Mapping[str, list[tuple[Index, Index]]]  # training and testing rows of each split
    methods: Mapping[str, Method]
    seed: int
    n_jobs: int

    def cost(self, unit: _Task) -> int:
        """Guess how long it takes, in time for one fit to one cell of the data."""
        points = prod(map(len, self.methods[unit.method].grid.values()))
        fits = FOLDS * points if isinstance(unit, Search) else 1
        return self.data[unit.dataset].data.size * fits

    def run(self, units: Iterable[_Unit]) -> Iterator[tuple[_Unit, dict[str, Any]]]:
        """Compute the units, the longest first, and hand back each when it is done."""
        queue = sorted(units, key=lambda unit: (-self.cost(unit), unit))
        parallel = Parallel(self.n_jobs, batch_size=1, return_as="generator_unordered")
        with deaf():
            results = parallel(self._job(unit) for unit in queue)
        for unit, found in results:
            yield unit, found | self.origin(unit)

    def origin(self, unit: _Task) -> dict[str, Any]:
        """Tell the seed and the data that a result comes from."""
        return {"seed": self.seed + unit.split, "sha256": self.data[unit.dataset].sha256}

    def _job(self, unit: _Unit) -> Any:
        return delayed(_compute)(unit, self._given(unit), os.getpid())

    def _given(self, unit: Search | _Fit) -> _Given:
        # A tuple, because joblib would send bare arrays to one Dask worker for the use of all, and
        # they would be lost with it.
        of = self.data[unit.dataset]
        train, test = self.rows[unit.dataset][unit.split]
        return self.methods[unit.method], of.data, of.target, train, test, self.seed + unit.split


def _compute(unit: _Unit, given: _Given, parent: int) -> tuple[_Unit, dict[str, Any]]:
    """Do one job, in one thread of this process."""
    end_with(parent)
    method, X, y, train, test, seed = given
    start = time.perf_counter()
    found: dict[str, Any] = {"failed": "", "versions": made_with()}
    with threadpool_limits(1), parallel_config("sequential"):
        try:
            if isinstance(unit, Search):
                search = tune(method, X[train], y[train], seed=seed)
                found["search"] = search.to_dict("records")
            else:
                found |= evaluate(method, X, y, train, test, json.loads(unit.params), seed=seed)
        except FAILURES as error:
            found["failed"] = f"{type(error).__name__}: {error}"
    found["seconds"] = round(time.perf_counter() - start, 3)
    return unit, found


def _converged(found: Mapping[str, Any], grid: list[dict[str, Any]]) -> dict[str, float]:
    """Share of the fits behind a cell that reached the tolerance: its own and its search's."""
    searched = FOLDS * sum(point["converged"] or 0 for point in grid)
    if found["failed"] or not searched:
        return {}
    return {"converged": (searched + found["converged"]) / (FOLDS * len(grid) + 1)}


class Progress:
    """Report what is done, and guess from its cost how long the rest will take."""

    def __init__(self, count: int, cost: int, report: Callable[[str], object]) -> None:
        self.count, self.cost, self.report = count, cost, report
        self.start, self.count_done, self.cost_done = time.monotonic(), 0, 0

    def __call__(self, name: str, count: int, cost: int, found: Mapping[str, Any]) -> None:
        """Report `count` jobs of one cost, done together."""
        self.count_done += count
        self.cost_done += cost
        passed = time.monotonic() - self.start
        left = passed * (self.cost - self.cost_done) / self.cost_done / 60
        how = f"failed: {found['failed']}" if found["failed"] else f"in {found['seconds']:.1f} s"
        self.report(f"{self.count_done}/{self.count}, {left:.1f} min left: {name} {how}")
