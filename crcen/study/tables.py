"""Views of the record: which rows a protocol shows, and what they score."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from crcen.key_equation import fresh_key_equation
from crcen.study.datasets import TABLE_2
from crcen.study.fit import MOVED
from crcen.study.methods import METHODS, PAST, TOL
from crcen.study.protocol import (
    HELD_OUT,
    PROTOCOLS,
    TUNED_BY,
    Cell,
    Fit,
    Protocol,
    Search,
    cells,
    fit_of,
)
from crcen.study.record import Record, RecordError
from crcen.study.scores import DECIDED, SCORES, Predictions
from crcen.study.splits import FOLDS
from crcen.theory.bargains import Step, step_between
from crcen.theory.expense import Confusion
from crcen.weights import lam_from_alpha


def chosen(
    searches: pd.DataFrame, protocol: Protocol, score: str, methods: Iterable[str] = METHODS
) -> dict[Search, str]:
    """Choose the parameters of each search: the best point, of equals the first in the grid.

    A method that has failed on a fold of a search, or whose points are not all there, has none.

    Parameters
    ----------
    searches : DataFrame
        Those of a record, of one seed.
    protocol : Protocol
        Which grid.
    score : {"f1", "gmean", "average_precision", "log_loss"}
        What to look at.
    methods : iterable of str
        The methods.

    Returns
    -------
    dict
        Parameters, as `crcen.study.protocol.text` writes them, by search.
    """
    found: dict[Search, str] = {}
    for name in methods:
        method = METHODS[name]
        points = protocol.points(method)
        column = MOVED.get(score, score) if method.moved else score
        if not method.grid or column not in searches:
            continue
        of = searches[searches["method"] == (method.like or name)]
        of = of[of["params"].isin(points)]
        order = {point: number for number, point in enumerate(points)}
        of = of.assign(order=of["params"].map(order), lost=of[column] * _sign(score))
        of = of.sort_values(["dataset", "split", "lost", "order"])
        groups = of.groupby(["dataset", "split"])
        whole = groups.size().eq(len(points)) & groups["lost"].count().eq(len(points))
        best = groups.first()[whole]
        found |= {
            Search(str(dataset), name, int(split)): str(params)
            for (dataset, split), params in best["params"].items()
        }
    return found


def _sign(score: str) -> int:
    return 1 if SCORES[score].less_is_better else -1


def fits_of(
    wanted: Iterable[Cell],
    searches: pd.DataFrame,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> dict[Cell, Fit | None]:
    """Name the fit that each cell shows; None where the search that it needs is not there."""
    wanted = list(wanted)
    kinds = sorted({(cell.protocol, cell.score) for cell in wanted})
    best = {
        kind: chosen(searches, protocols[kind[0]], kind[1], {cell.method for cell in wanted})
        for kind in kinds
    }
    named: dict[Cell, Fit | None] = {}
    for cell in wanted:
        params: str | None = "{}"
        if METHODS[cell.method].grid:
            tuned_on = protocols[cell.protocol].tuned_on(cell.split)
            asked = Search(cell.dataset, cell.method, tuned_on)
            params = best[cell.protocol, cell.score].get(asked)
        named[cell] = None if params is None else fit_of(cell, params)
    return named


def shown(
    record: Record,
    wanted: Iterable[Cell],
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> dict[Cell, int]:
    """Find the fit that each cell shows, by its place in the index of `record.fits`.

    Cells whose fit is not there are left out.
    """
    place = places(record, seed)
    named = fits_of(wanted, of_seed(record.searches, seed), protocols)
    return {cell: place[fit] for cell, fit in named.items() if fit in place}


def on_test_rows(
    record: Record,
    datasets: Iterable[str],
    methods: Iterable[str],
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> Iterator[tuple[Cell, int, Predictions]]:
    """Go through what methods predict on the test rows of many sets, with the place of the fit.

    What the record lacks, and what has failed, is left out.
    """
    wanted = cells(datasets, methods, {"hundred": protocols["hundred"]})
    for cell, k in shown(record, wanted, seed, protocols).items():
        if not record.fits.loc[k, "failed"]:
            yield cell, k, record.predictions(k)


def places(record: Record, seed: int = 0) -> dict[Fit | None, int]:
    """Tell where in the index of `record.fits` each fit is."""
    rows = of_seed(record.fits, seed)[[*Fit._fields]]
    return {Fit(*row): place for place, *row in rows.itertuples()}


def of_seed(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Choose the rows of a seed: that of the splits, which the record keeps for each row."""
    return rows[rows["seed"] == seed]


def score_cells(
    record: Record,
    wanted: Iterable[Cell],
    seed: int = 0,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
) -> pd.DataFrame:
    """Show cells, a row each, with the scores of their decisions.

    Parameters
    ----------
    record : Record
        The record.
    wanted : iterable of Cell
        The cells; those that the record lacks are left out.
    seed : int, default=0
        Seed of the splits.
    protocols : mapping
        What the names in the cells mean.

    Returns
    -------
    DataFrame
        The columns of `Cell`; the parameters of the classifier; the scores `DECIDED` at the
        method's threshold and the counts tn, fp, fn, tp, nan if it failed; `converged`, the share
        of the fits behind the cell that reached their tolerance, its own and its search's; and
        those of `record.fits`.
    """
    wanted = list(wanted)
    searches = of_seed(record.searches, seed)
    place, named = places(record, seed), fits_of(wanted, searches, protocols)
    behind = {name: _behind(searches, protocols[name]) for name in {c.protocol for c in wanted}}
    scored: dict[tuple[int, bool], dict[str, float]] = {}
    rows = []
    for cell, fit in named.items():
        n, done, failed = behind[cell.protocol].get(search_of(cell, protocols), (0, 0.0, ""))
        if fit is not None and fit in place:
            k, moved = place[fit], METHODS[cell.method].moved
            if (k, moved) not in scored:
                scored[k, moved] = _scores(record, k, moved)
            params = {name: _hashable(value) for name, value in json.loads(fit.params).items()}
            row = params | record.fits.loc[k].to_dict() | scored[k, moved]
            row["converged"] = (done + (row["grad_norm"] <= TOL)) / (n + 1)
            if np.isnan(row["grad_norm"]):
                row["converged"] = np.nan
        elif fit is None and failed:
            row = {"failed": f"in tuning, {failed}", "seconds": 0.0}
        else:
            continue
        rows.append(row | cell._asdict())
    others = [*DECIDED, *Confusion._fields, "converged", "residual", "failed"]
    frame = pd.DataFrame(rows, columns=None if rows else [*Cell._fields, *others])
    last = [name for name in frame if name not in (*Cell._fields, "rows", "seed")]
    return frame[[*Cell._fields, *last]].sort_values([*Cell._fields], ignore_index=True)


def score_past(record: Record, seed: int = 0) -> pd.DataFrame:
    """Show the fits of the `PAST` methods, which no cell names, with the scores of their decisions.

    Returns
    -------
    DataFrame
        A row a fit: the columns of `record.fits`, the scores `DECIDED` and the counts tn, fp, fn,
        tp, nan if it failed.
    """
    fits = of_seed(record.fits, seed)
    fits = fits[fits["method"].isin([*PAST])]
    columns = [*DECIDED, *Confusion._fields]
    scores = [_scores(record, place, moved=False) for place in fits.index]
    return fits.join(pd.DataFrame(scores, index=fits.index, columns=columns))


def _scores(record: Record, row: int, moved: bool) -> dict[str, float]:
    """Score a fit of the test rows at threshold 1/2, or at 1 - lambda with the balanced lambda."""
    if record.fits.loc[row, "failed"]:
        return dict.fromkeys((*DECIDED, *Confusion._fields), np.nan)
    found = record.predictions(row)
    if moved:
        found = found.moved(-log_ratio(found))
    return {name: SCORES[name].of(found) for name in DECIDED} | found.counts._asdict()


def fresh_quotient(found: Predictions, alpha: float) -> float:
    """Compute the left over the right side of Eq. 7 on fresh rows, which it says is 1."""
    ratio = float(np.exp(log_ratio(found)))
    lam = lam_from_alpha(alpha, ratio)
    return 1 + fresh_key_equation(found.labels, expit(found.logits), lam, ratio).residual


def log_ratio(found: Predictions) -> float:
    """Compute log IR, the logit of the balanced lambda, of stratified rows."""
    return float(np.log(found.negatives.size / found.positives.size))


def _hashable(value: Any) -> Any:
    """Put a tuple for a list, so that a table can be grouped by it."""
    return tuple(value) if isinstance(value, list) else value


def _behind(searches: pd.DataFrame, protocol: Protocol) -> dict[Search, tuple[int, float, str]]:
    """Count the fits of each search and those that reached the tolerance; say why it failed."""
    points = {point for method in METHODS.values() for point in protocol.points(method)}
    groups = searches[searches["params"].isin(points)].groupby([*Search._fields])
    found = groups.agg(n=("params", "size"), done=("converged", "sum"), failed=("failed", "max"))
    return {
        Search(*key): (FOLDS * n, FOLDS * done, failed)
        for key, n, done, failed in found.itertuples(name=None)
    }


def search_of(cell: Cell, protocols: Mapping[str, Protocol] = PROTOCOLS) -> Search:
    """Name the search whose choice a cell shows."""
    method = METHODS[cell.method].like or cell.method
    return Search(cell.dataset, method, protocols[cell.protocol].tuned_on(cell.split))


def by_fold(
    record: Record, fit: Fit, seed: int = 0, place: Mapping[Fit | None, int] | None = None
) -> list[Predictions]:
    """Gather the logits of each fold of the training rows, from the fit made without it.

    Who asks more than once passes what `places` has returned.

    Raises
    ------
    RecordError
        If the record lacks a fold, or the fit without it has failed.
    """
    place = places(record, seed) if place is None else place
    wanted = [fit._replace(rows=rows) for rows in HELD_OUT]
    if any(each not in place or record.fits.loc[place[each], "failed"] for each in wanted):
        raise RecordError(
            f"{record.folder} lacks folds of {fit.method} on {fit.dataset}, split {fit.split}: run "
            "`python -m crcen.study --protocols plain`."
        )
    return [record.predictions(place[each]) for each in wanted]


def together(parts: Iterable[Predictions]) -> Predictions:
    """Put the predictions of several parts of the rows together."""
    return Predictions(*map(np.concatenate, zip(*parts, strict=True)))


def choices(
    searches: pd.DataFrame,
    protocol: Protocol,
    methods: Iterable[str],
    scores: Iterable[str] = TUNED_BY,
) -> pd.DataFrame:
    """List what searches chose: dataset, method, split, score, params, and each parameter."""
    rows = [
        search._asdict() | {"score": score, "params": params} | json.loads(params)
        for score in scores
        for search, params in chosen(searches, protocol, score, methods).items()
    ]
    return pd.DataFrame(rows)


def figure_1(record: Record, seed: int = 0) -> pd.DataFrame:
    """Show CRCEN at the five weights of the paper's Figure 1: `score_cells` with the alpha."""
    wanted = cells(TABLE_2, METHODS, {"lambda": PROTOCOLS["lambda"]})
    scored = score_cells(record, wanted, seed)
    return scored.assign(alpha=scored["weight"].str.removeprefix("alpha "))


#: The steps of Figure 1, each by the weights at its ends, and one over three of them.
STEPS = {"0.5": ("plain", "0.5"), "1": ("0.5", "1"), "1.5": ("1", "1.5"), "2": ("1.5", "2")}
STEPS |= {"0.5 to 2": ("0.5", "2")}


def figure_1_steps(record: Record, seed: int = 0) -> pd.DataFrame:
    """Count the steps of Figure 1 on the test rows of each split, with the part along one curve.

    Returns
    -------
    DataFrame
        A row a data set, split and step: dataset, split, step (the alpha that it leads to, or both
        ends), and the fields of `crcen.theory.bargains.Step`. Steps that lack an end are left out.
    """
    wanted = cells(TABLE_2, METHODS, {"lambda": PROTOCOLS["lambda"]})
    found: dict[tuple[str, int], dict[str, int]] = {}
    for cell, place in shown(record, wanted, seed).items():
        if not record.fits.loc[place, "failed"]:
            alpha = cell.weight.removeprefix("alpha ")
            found.setdefault((cell.dataset, cell.split), {})[alpha] = place
    rows = []
    for (dataset, split), place_of in found.items():
        models = {alpha: record.predictions(place) for alpha, place in place_of.items()}
        for name, (before, after) in STEPS.items():
            if {before, after} <= models.keys():
                a, b = models[before], models[after]
                step = step_between(a.labels, a.logits, b.logits)
                rows.append({"dataset": dataset, "split": split, "step": name} | step._asdict())
    return pd.DataFrame(rows, columns=["dataset", "split", "step", *Step._fields])
