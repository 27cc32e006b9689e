"""Tests of crcen.study.tables: what a search chooses, which fit a cell shows, and its scores."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy.special import expit

from crcen.study.methods import METHODS, TOL, WIDE_GRID
from crcen.study.protocol import Cell, Fit, Protocol, Search
from crcen.study.protocol import text as written
from crcen.study.record import Record
from crcen.study.scores import Predictions
from crcen.study.tables import (
    chosen,
    figure_1,
    figure_1_steps,
    fits_of,
    fresh_quotient,
    score_cells,
    shown,
)

L2 = [1e-3, 1e-2, 1e-1]
POINTS = [written({"hidden_layer_sizes": [2], "l2": l2}) for l2 in L2]
ONE = Protocol(4)
HERE = Search("one", "MLP", 0)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Three points for each network."""
    for name in ("MLP", "MLP moved", "CRCEN"):
        grid = {"hidden_layer_sizes": [[2]], "l2": L2}
        monkeypatch.setitem(METHODS, name, replace(METHODS[name], grid=grid))


def searched(f1=(0.1, 0.3, 0.2), method="MLP", dataset="one", split=0, **columns):
    """A search as the record has it: here in an order that is not the grid's."""
    rows = pd.DataFrame({"params": POINTS, "f1": f1, **columns})
    rows = rows.assign(dataset=dataset, method=method, split=split, seed=0, failed="")
    return rows.sort_values("params", ascending=False, ignore_index=True)


def test_the_best_point_is_chosen():
    assert chosen(searched(), ONE, "f1", ["MLP"]) == {HERE: POINTS[1]}


@pytest.mark.parametrize(("score", "best"), [("gmean", 2), ("log_loss", 0)])
def test_of_a_loss_the_least_is_the_best(score, best):
    rows = searched(**{score: [0.1, 0.2, 0.3]})
    assert chosen(rows, ONE, score, ["MLP"]) == {HERE: POINTS[best]}


def test_of_equal_points_the_first_of_the_grid_is_chosen(monkeypatch):
    assert chosen(searched((0.3, 0.3, 0.3)), ONE, "f1", ["MLP"]) == {HERE: POINTS[0]}
    turned = replace(METHODS["MLP"], grid={"hidden_layer_sizes": [[2]], "l2": L2[::-1]})
    monkeypatch.setitem(METHODS, "MLP", turned)
    assert chosen(searched((0.3, 0.3, 0.2)), ONE, "f1", ["MLP"]) == {HERE: POINTS[1]}


def test_each_search_chooses_for_itself():
    rows = pd.concat([
        searched(), searched((0.5, 0.3, 0.2), split=4), searched((0, 0, 1), dataset="two"),
        searched((0.5, 0.6, 0.2), method="CRCEN"),
    ])  # fmt: skip
    assert chosen(rows, ONE, "f1") == {
        HERE: POINTS[1],
        Search("one", "MLP", 4): POINTS[0],
        Search("two", "MLP", 0): POINTS[2],
        Search("one", "CRCEN", 0): POINTS[1],
    }  # of the moved threshold there are no scores


def test_a_moved_threshold_is_tuned_by_the_scores_that_it_has():
    rows = searched(gmean=[1, 2, 3], f1_moved=[0.9, 0.3, 0.2], gmean_moved=[0, 1, 0])
    rows["log_loss"] = rows["f1"]
    for score, best in (("f1", 0), ("gmean", 1), ("log_loss", 0)):  # a threshold moves no loss
        found = chosen(rows, ONE, score, ["MLP moved"])
        assert found == {HERE._replace(method="MLP moved"): POINTS[best]}
    assert chosen(rows, ONE, "f1", ["MLP"]) == {HERE: POINTS[1]}


def test_a_search_that_is_not_whole_chooses_nothing():
    assert chosen(searched()[1:], ONE, "f1", ["MLP"]) == {}
    # One that has more points than the grid is another's as well.
    more = pd.concat([searched(), searched()[:1].assign(params="{}", f1=0.9)])
    assert chosen(more, ONE, "f1", ["MLP"]) == {HERE: POINTS[1]}
    assert chosen(more, replace(ONE, networks=WIDE_GRID), "f1", ["MLP"]) == {}


@pytest.mark.parametrize("lost", [slice(0, 3), slice(0, 1)])
def test_a_search_that_failed_chooses_nothing(lost):
    rows = searched()
    rows.loc[rows.index[lost], ["failed", "f1"]] = "ValueError: torn", None
    assert chosen(rows.astype({"f1": float}), ONE, "f1", ["MLP"]) == {}


def test_nothing_is_chosen_by_a_score_that_no_search_has_or_without_a_grid():
    assert chosen(searched(), ONE, "gmean", ["MLP"]) == {}
    assert chosen(searched(method="RUSB"), ONE, "f1", ["RUSB"]) == {}
    empty = pd.DataFrame(columns=["dataset", "method", "params", "split", "seed"])
    assert chosen(empty, ONE, "f1") == {}


PROTOCOLS = {"paper": ONE, "nested": Protocol(4, tune_every=1), "lambda": ONE}


def show(cell, searches):
    return fits_of([cell], searches, PROTOCOLS)[cell]


def test_a_cell_shows_the_fit_with_the_parameters_of_its_search():
    rows = pd.concat([searched(), searched((0.5, 0.3, 0.2), split=3)])
    cell = Cell("paper", "f1", "one", "MLP", 3)
    assert show(cell, rows) == Fit("one", "MLP", POINTS[1], 3)
    assert show(cell._replace(protocol="nested"), rows) == Fit("one", "MLP", POINTS[0], 3)
    assert show(cell._replace(protocol="nested", split=2), rows) is None
    assert show(cell._replace(dataset="two"), rows) is None


def test_a_cell_of_a_method_without_a_grid_needs_no_search():
    cell = Cell("nested", "gmean", "one", "RUSB", 2)
    assert show(cell, searched()) == Fit("one", "RUSB", "{}", 2)


def test_weights_share_the_parameters_of_the_method_that_they_are_for():
    rows = pd.concat([searched(method="CRCEN"), searched((0.5, 0.3, 0.2))])
    cell = Cell("lambda", "f1", "one", "CRCEN", 2, "plain")
    assert show(cell, rows) == Fit("one", "MLP", POINTS[1], 2)
    found = show(cell._replace(weight="alpha 2"), rows)
    assert found.method == "CRCEN"
    assert '"lam": "alpha 2"' in found.params


def test_cells_of_two_protocols_and_scores_are_told_apart():
    wanted = [
        Cell(protocol, score, "one", "MLP", 1)
        for protocol in ("paper", "nested")
        for score in ("f1", "gmean")
    ]
    rows = pd.concat(
        [searched(gmean=[3, 2, 1]), searched((0.1, 0.2, 0.3), split=1, gmean=[1, 3, 2])]
    )
    found = fits_of(wanted, rows, PROTOCOLS)
    assert [POINTS.index(fit.params) for fit in found.values()] == [1, 0, 2, 1]
    assert list(found) == wanted


# Scores of cells


@pytest.fixture
def record(tmp_path):
    """One split of three methods, of which one has failed in tuning; two of the searches."""
    record = Record(tmp_path)
    key = {"split": 0, "seed": 0, "failed": "", "code": "c0de", "data": "da7a", "seconds": 1.0}
    row = key | {"rows": "test", "method": "MLP", "lam": 0.5, "grad_norm": TOL / 2, "residual": 0.0}
    row |= {"positives": [-500, 2000], "negatives": [-3000, -1500, -800, 500]}
    rusb = row | {"method": "RUSB", "grad_norm": math.nan}
    record.add("fits", "one", [row | {"params": POINTS[1]}, rusb | {"params": "{}"}])
    more = searched(gmean=[1, 2, 3], converged=[1.0, 1.0, 0.5], f1_moved=[0.1, 0.3, 0.2])
    record.add(
        "searches", "one", [*(key | r for r in more.drop(columns="dataset").to_dict("records"))]
    )
    lost = [{"method": "CRCEN", "params": point, "failed": "ValueError: torn"} for point in POINTS]
    record.add("searches", "one", [key | each for each in lost])
    record.read()
    return record


def test_a_cell_is_shown_with_the_scores_of_its_decisions(record):
    wanted = [Cell("paper", "f1", "one", name, 0) for name in ("MLP moved", "MLP", "RUSB")]
    found = score_cells(record, [*wanted, wanted[0]._replace(split=1)], 0, PROTOCOLS)
    assert list(found)[:6] == [*Cell._fields]
    assert found["method"].tolist() == ["MLP", "MLP moved", "RUSB"]  # and not that of split 1
    assert found["recall"].tolist() == [0.5, 1, 0.5]  # 1 - lambda is at -log 2
    assert found["specificity"].tolist() == [0.75, 0.75, 0.75]
    assert found[["tn", "fp", "fn", "tp"]].to_numpy().tolist() == [
        [3, 1, 1, 1], [3, 1, 0, 2], [3, 1, 1, 1]
    ]  # fmt: skip
    assert found["l2"].tolist()[:2] == [1e-2, 1e-2]
    assert found["hidden_layer_sizes"].tolist()[0] == (2,)  # a tuple, so that it can be grouped
    # Ten of twelve fits of the search, and the one that is shown.
    assert found["converged"].tolist()[:2] == [pytest.approx(11 / 13)] * 2
    assert math.isnan(found["converged"][2])


def test_a_cell_whose_search_failed_is_shown_with_the_reason_and_no_score(record):
    found = score_cells(record, [Cell("paper", "f1", "one", "CRCEN", 0)], 0, PROTOCOLS)
    assert found["failed"].tolist() == ["in tuning, ValueError: torn"]
    assert "f1" not in found or found["f1"].isna().all()


def test_a_fit_that_failed_is_shown_without_scores(record):
    key = {"split": 1, "seed": 0, "rows": "test", "method": "RUSB", "params": "{}", "code": "c0de"}
    record.add("fits", "one", [key | {"failed": "ValueError: torn", "grad_norm": math.nan}])
    record.read()
    found = score_cells(record, [Cell("paper", "f1", "one", "RUSB", 1)], 0, PROTOCOLS)
    assert found["failed"].tolist() == ["ValueError: torn"]
    assert found[["f1", "tp", "converged"]].isna().all(axis=None)


def test_a_table_of_nothing_has_its_columns(record):
    found = score_cells(record, [Cell("paper", "f1", "two", "MLP", 0)], 0, PROTOCOLS)
    assert found.empty
    assert {*Cell._fields, "f1", "tp", "converged", "failed"} <= {*found}
    assert score_cells(
        record, [Cell("paper", "f1", "one", "MLP", 0)], 1, PROTOCOLS
    ).empty  # that seed


def test_the_place_of_a_cell_is_that_of_its_fit(record):
    cell = Cell("paper", "f1", "one", "MLP moved", 0)
    found = shown(record, [cell, cell._replace(split=1)], 0, PROTOCOLS)
    assert list(found) == [cell]
    assert record.fits.loc[found[cell], ["method", "params"]].tolist() == ["MLP", POINTS[1]]


# The report's own record: what steps add and gain is what the counts of Figure 1 say.
def test_the_steps_of_figure_1_are_those_of_its_counts(monkeypatch):
    monkeypatch.undo()  # of the small methods of this file
    record = Record(ROOT / "results")
    steps = figure_1_steps(record).set_index(["dataset", "split", "step"])
    counts = figure_1(record).set_index(["dataset", "split", "alpha"])[["fp", "fn"]]
    for step, before, after in (("0.5", "plain", "0.5"), ("0.5 to 2", "0.5", "2")):
        change = counts.xs(after, level="alpha") - counts.xs(before, level="alpha")
        found = steps.xs(step, level="step").loc[change.index]
        assert (found["added"] == change["fp"]).all()
        assert (found["gained"] == -change["fn"]).all()
        minority = counts.groupby(["dataset", "split"])["fn"].max()
        assert (found["along"] >= -minority).all()
    parts = steps.loc[(slice(None), slice(None), ["1", "1.5", "2"]), ["added", "gained"]]
    whole = steps.xs("0.5 to 2", level="step")[["added", "gained"]]
    pd.testing.assert_frame_equal(parts.groupby(["dataset", "split"]).sum(), whole.sort_index())


def test_the_quotient_on_fresh_rows_is_what_eq_7_says_is_1(seed):
    rng = np.random.default_rng(seed)
    found = Predictions(rng.normal(size=20), rng.normal(size=80))
    missed, false = 1 - expit(found.positives).mean(), expit(found.negatives).mean()
    for alpha in (0.25, 1.0, 2.0):
        assert fresh_quotient(found, alpha) == pytest.approx(alpha * missed / false)
