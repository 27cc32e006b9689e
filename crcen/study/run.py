"""Fill a record with what a protocol needs: in parallel, the longest jobs first.

One process keeps the record, the others compute and hand back what they found. So a cluster needs
no common disk, and a kill loses no more than the jobs that are running.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import pandas as pd
from joblib import Parallel, delayed, parallel_config
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from crcen.choice import choose_lam
from crcen.mishaps import deaf, end_with
from crcen.study.datasets import DATASETS, load_available, load_dataset
from crcen.study.fit import Rows, fit, search
from crcen.study.methods import METHODS, PAST, Method
from crcen.study.past import SCRIPT
from crcen.study.protocol import (
    PROTOCOLS,
    WISHES,
    Cell,
    Fit,
    Protocol,
    Search,
)
from crcen.study.provenance import code, code_of
from crcen.study.record import Record, RecordError, thousandths
from crcen.study.scores import Predictions
from crcen.study.splits import FOLDS, Index, Labels, folds, splits
from crcen.study.tables import by_fold, fits_of, of_seed, places, search_of, together
from crcen.weights import imbalance_ratio, lam_from_alpha

# What imbalanced-learn and scikit-learn raise where a method cannot be fitted to the rows.
FAILURES = (ValueError, RuntimeError)
PACK_EVERY = 200  # results
WISHED = tuple({wish for wish, _ in WISHES})

_Found = list[dict[str, Any]]  # rows for the record


class _SearchJob(NamedTuple):
    search: Search
    points: tuple[str, ...]

    @property
    def name(self) -> str:
        dataset, method, split = self.search
        return f"search of {method} on {dataset}, split {split}"


class _FitJob(NamedTuple):
    fit: Fit
    lam: float | None  # what the weight that the parameters name comes to
    failed: str = ""  # why it comes to none

    @property
    def name(self) -> str:
        dataset, method, params, split, rows = self.fit
        return f"{method} on {dataset}, split {split}, {rows}, {params}"


_Job = TypeVar("_Job", _SearchJob, _FitJob)
_Given = tuple[Method, Rows, Labels, Index, Index, int]  # the last is the seed


def fill(
    record: Record,
    wanted: Sequence[Cell],
    *,
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
    load: Callable[[str], Bunch] = load_dataset,
    n_jobs: int = 1,
    report: Callable[[str], object] = print,
) -> None:
    """Compute the searches and fits that cells need and a record lacks.

    A method that cannot be tuned or fitted leaves rows whose `failed` says why.

    Parameters
    ----------
    record : Record
        The record, which holds them afterwards.
    wanted : sequence of Cell
        The cells; see `crcen.study.protocol.cells`.
    seed : int, default=0
        Seed of the splits; that of a fit or search is this plus the split's number.
    protocols : mapping
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
    >>> from crcen.study.protocol import cells
    >>> two = {"two": Protocol(2)}
    >>> with TemporaryDirectory() as folder:
    ...     record = Record(folder)
    ...     wanted = cells(["abalone"], ["RUSB"], two)
    ...     fill(record, wanted, protocols=two, report=lambda line: None)
    ...     len(record.fits)  # two splits, of which either score shows the same fit
    2
    """
    record.pack()
    record.read()
    wanted = [*wanted, *_asked(wanted)]
    lacking = missing(record, wanted, seed, protocols)
    data = load_available((cell.dataset for cell in lacking), load, report)
    cells = [cell for cell in lacking if cell.dataset in data]
    n_splits = max((cell.split + 1 for cell in cells), default=0)
    rows = {name: list(splits(each.target, n_splits, seed)) for name, each in data.items()}
    work = _Work(record, data, rows, seed, n_jobs, report)

    work.run("searches", _searches(record, cells, seed, protocols))
    fits = needed(cells, of_seed(record.searches, seed), protocols)
    wishes = {f for f in fits if _weight(f).startswith(WISHED)}
    for some in (fits - wishes, wishes):  # a wish asks the held-out logits of a plain network
        jobs = [work.fit_job(f) for f in sorted(some - places(record, seed).keys())]
        work.run("fits", jobs)
    record.pack()


def missing(
    record: Record,
    wanted: Iterable[Cell],
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> list[Cell]:
    """List the cells whose search or fits a record lacks.

    Parameters
    ----------
    record, wanted, seed, protocols
        As in `fill`.
    """
    done = places(record, seed)
    lost = _failed(of_seed(record.searches, seed))
    named = fits_of(wanted, of_seed(record.searches, seed), protocols)
    return [
        cell
        for cell, found in named.items()
        if not (
            search_of(cell, protocols) in lost
            if found is None
            else all(fit in done for fit in _all_rows(found, protocols[cell.protocol]))
        )
    ]


def _asked(cells: Iterable[Cell]) -> list[Cell]:
    """List the cells of the plain networks that answer the wishes among cells."""
    wishes = [cell for cell in cells if cell.weight.startswith(WISHED)]
    return [Cell("plain", "log_loss", cell.dataset, "MLP", cell.split) for cell in wishes]


def needed(
    cells: Iterable[Cell], searches: pd.DataFrame, protocols: Mapping[str, Protocol]
) -> set[Fit]:
    """Gather the fits behind cells, as far as their searches are there."""
    named = fits_of(cells, searches, protocols)
    return {
        each
        for cell, found in named.items()
        if found
        for each in _all_rows(found, protocols[cell.protocol])
    }


def _all_rows(fit: Fit, protocol: Protocol) -> list[Fit]:
    return [fit, *(fit._replace(rows=each) for each in protocol.also)]


def _failed(searches: pd.DataFrame) -> set[Search]:
    rows = searches[searches["failed"] != ""][[*Search._fields]]
    return {Search(*row) for row in rows.itertuples(index=False)}


def _searches(
    record: Record, cells: Iterable[Cell], seed: int, protocols: Mapping[str, Protocol]
) -> list[_SearchJob]:
    """List the searches that cells need, each with the grids of all who ask."""
    points: dict[Search, dict[str, None]] = defaultdict(dict)
    for cell in cells:
        if METHODS[cell.method].grid:
            grid = protocols[cell.protocol].points(METHODS[cell.method])
            points[search_of(cell, protocols)] |= dict.fromkeys(grid)
    there = of_seed(record.searches, seed)[[*Search._fields, "params"]]
    found = {tuple(row) for row in there.itertuples(index=False)}
    return [
        _SearchJob(each, tuple(grid))
        for each, grid in sorted(points.items())
        if not found.issuperset((*each, point) for point in grid)
    ]


def _weight(fit: Fit) -> str:
    """Name the weight that a fit's parameters ask for, if it is not the method's own."""
    return str(json.loads(fit.params).get("lam", ""))


@dataclass(frozen=True)
class _Work:
    """What the jobs are made of, how they run, and where their results go."""

    record: Record
    data: Mapping[str, Bunch]
    rows: Mapping[str, list[tuple[Index, Index]]]  # training and testing rows of each split
    seed: int
    n_jobs: int
    report: Callable[[str], object]

    def run(self, kind: str, jobs: Iterable[_Job]) -> None:
        """Compute the jobs, the longest first, and put what each finds into the record."""
        queue = sorted(jobs, key=lambda job: (-self.cost(job), job))
        progress = Progress(kind, len(queue), sum(map(self.cost, queue)), self.report)
        parallel = Parallel(self.n_jobs, batch_size=1, return_as="generator_unordered")
        with deaf():
            results = parallel(delayed(_compute)(j, self._given(j), os.getpid()) for j in queue)
        for number, (job, found) in enumerate(results, 1):
            dataset, is_search = job[0].dataset, isinstance(job, _SearchJob)
            origin = {
                "seed": self.seed,
                "code": code(METHODS[job[0].method].pipeline(0)),
                "data": self.data[dataset].sha256[:12],
            }
            self.record.add(
                "searches" if is_search else "fits", dataset, [f | origin for f in found]
            )
            progress(job.name, self.cost(job), found[0])
            if number % PACK_EVERY == 0:
                self.record.pack()
        self.record.read()

    def cost(self, job: _SearchJob | _FitJob) -> int:
        """Guess how long a job takes, in time for one fit to one number of the data."""
        fits = FOLDS * len(job.points) if isinstance(job, _SearchJob) else 1
        return self.data[job[0].dataset].data.size * fits

    def fit_job(self, fit: Fit) -> _FitJob:
        """Make the job of a fit; a weight that there is none for is a failure of that fit only."""
        try:
            return _FitJob(fit, self.lam(fit))
        except FAILURES as error:
            return _FitJob(fit, None, f"{type(error).__name__}: {error}")

    def lam(self, fit: Fit) -> float | None:
        """Turn the name of a weight into the weight, by the rows that the fit is trained on.

        A wish is answered by the held-out logits of the plain network tuned by log loss.
        """
        if not (weight := _weight(fit)):
            return None
        what, number = weight.split()
        if what == "alpha":
            _, _, y, train, _, _ = self._given(_FitJob(fit, None))
            return lam_from_alpha(float(number), imbalance_ratio(y[train]))
        [cell] = _asked([Cell("wished", "log_loss", *fit[:2], fit.split, weight)])
        plain = fits_of([cell], of_seed(self.record.searches, self.seed))[cell]
        if plain is None:  # though it was asked for before
            raise RecordError(f"the search of {cell.method} on {cell.dataset} has failed")
        found = together(by_fold(self.record, plain, self.seed))
        wish = {what: float(number)}
        return choose_lam(found.logits, found.labels, scores="logits", **wish).lam

    def _given(self, job: _SearchJob | _FitJob) -> _Given:
        # A tuple, because joblib would send bare arrays to one Dask worker for the use of all, and
        # they would be lost with it.
        of = self.data[job[0].dataset]
        train, test = self.rows[job[0].dataset][job[0].split]
        seed = self.seed + job[0].split
        if isinstance(job, _FitJob) and job.fit.rows != "test":
            test = train
            if job.fit.rows != "train":
                train, test = (train[k] for k in folds(of.target[train], seed)[int(job.fit.rows)])
        return METHODS[job[0].method], of.data, of.target, train, test, seed


def _compute(job: _Job, given: _Given, parent: int) -> tuple[_Job, _Found]:
    """Do one job, in one thread of this process."""
    end_with(parent)
    start = time.perf_counter()
    with threadpool_limits(1), parallel_config("sequential"):
        try:
            found = (
                _search_rows(job, given) if isinstance(job, _SearchJob) else _fit_row(job, given)
            )
        except FAILURES as error:
            found = [{"failed": f"{type(error).__name__}: {error}"}]
    points = job.points if isinstance(job, _SearchJob) else [job.fit.params]
    key = job[0]._asdict() | {"seconds": round(time.perf_counter() - start, 3)}
    del key["dataset"]  # the name of the file
    found = found if len(found) == len(points) else found * len(points)
    return job, [
        {"failed": ""} | row | key | {"params": point}
        for row, point in zip(found, points, strict=True)
    ]


def _search_rows(job: _SearchJob, given: _Given) -> _Found:
    method, X, y, train, _, seed = given
    points = [json.loads(point) for point in job.points]
    return search(method, points, X[train], y[train], seed=seed).to_dict("records")


def _fit_row(job: _FitJob, given: _Given) -> _Found:
    if job.failed:
        return [{"failed": job.failed}]
    method, X, y, train, test, seed = given
    params = json.loads(job.fit.params) | ({} if job.lam is None else {"lam": job.lam})
    found = fit(method, params, X, y, train, test, seed=seed)._asdict()
    logits = found.pop("predictions")
    return [found | {n: thousandths(getattr(logits, n)) for n in Predictions._fields}]


class Progress:
    """Report what is done, and guess from its cost how long the rest will take."""

    def __init__(self, kind: str, count: int, cost: int, report: Callable[[str], object]) -> None:
        self.kind, self.count, self.cost, self.report = kind, count, cost, report
        self.start, self.count_done, self.cost_done = time.monotonic(), 0, 0

    def __call__(self, name: str, cost: int, found: Mapping[str, Any]) -> None:
        """Report a job."""
        self.count_done += 1
        self.cost_done += cost
        passed = time.monotonic() - self.start
        left = passed * (self.cost - self.cost_done) / self.cost_done / 60
        how = f"failed: {found['failed']}" if found["failed"] else f"in {found['seconds']:.1f} s"
        self.report(
            f"{self.kind} {self.count_done}/{self.count}, {left:.1f} min left: {name}, {how}"
        )


def stale(record: Record, load: Callable[[str], Bunch] = load_dataset) -> list[str]:
    """Tell which rows of a record other code or other data have made than those that are here now.

    Parameters
    ----------
    record : Record
        The record.
    load : callable
        As in `fill`; the data of a set that is not available is not compared.

    Returns
    -------
    list of str
        A line for each environment, data set, method, digest of code and digest of data.
    """
    lines = []
    code_now = {name: code(method.pipeline(0)) for name, method in METHODS.items()}
    code_now |= dict.fromkeys(PAST, code_of(SCRIPT))
    every = pd.concat([record.fits["dataset"], record.searches["dataset"]])
    loaded = load_available(sorted(every[every.isin([*DATASETS])].unique()), load)
    data_now = {name: each.sha256[:12] for name, each in loaded.items()}
    for kind, rows in (("fits", record.fits), ("searches", record.searches)):
        same_code = rows["code"] == rows["method"].map(code_now)
        same_data = rows["data"] == rows["dataset"].map(data_now)
        same_data |= ~rows["dataset"].isin([*data_now])
        key = ["environment", "dataset", "method", "code", "data"]
        for name, some in rows[~(same_code & same_data)].groupby(key, dropna=False):
            lines.append(f"{len(some)} {kind} of {' '.join(map(str, name))}")
    return lines
