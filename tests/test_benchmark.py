"""Tests of crcen.benchmark: rows seen, fits shared, kills survived, the cluster, the command."""

import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
from conftest import SEED
from imblearn.over_sampling import ADASYN, SMOTE
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import Bunch

from crcen import __main__, methods
from crcen.benchmark import FAILURES, fill, settings
from crcen.datasets import DatasetUnavailable
from crcen.evaluation import split_scores, weight
from crcen.methods import METHODS, Method
from crcen.protocol import Cell, Protocol, cells, splits
from crcen.results import Store

GRID = {"classifier__hidden_layer_sizes": [(2,)], "classifier__l2": [1e-3, 1e-2]}
SMALL = {
    name: replace(METHODS[name], grid=GRID if METHODS[name].grid else {})
    for name in ("CRCEN", "SMOTE", "RUSB")
}
PROTOCOLS = {
    "paper": Protocol(2),
    "nested": Protocol(2, tune_every=1),
    "repeated": Protocol(4, tune_every=2, scores=("f1",), methods=("SMOTE",)),
    "lambda": Protocol(2, scores=("f1",), methods=("CRCEN",), alphas=("plain", "0.5", "1")),
}
SETS = ("one", "two")


def load(name):
    """Two overlapping normal classes; the first column is the number of the row.

    The samples are fixed ones, on which F1 and the G-mean choose different parameters: on others
    nobody could see that a cell has those of its own score.
    """
    rng = np.random.default_rng(3 + SETS.index(name))
    y = rng.permutation(np.repeat([1, 0], [40, 160]))
    X = np.column_stack([np.arange(200.0), rng.normal(size=(200, 2)) + y[:, None]])
    return Bunch(data=X, target=y, sha256=f"digest of {name}")


def small_store(folder, which=SMALL, protocols=PROTOCOLS, **more):
    """Fill a store with all small cells, quietly."""
    store = Store(folder, settings(which, protocols))
    more = {"report": lambda line: None} | more
    wanted = cells(SETS, which, protocols)
    fill(store, wanted, methods=which, protocols=protocols, load=load, **more)
    return store


def text(store):
    """The table without the times, as a file has it.

    However a run went, the next one ends with the same bytes: a fit has one thread, so that one
    machine computes the same twice.
    """
    return store.table().drop(columns="seconds").to_csv(index=False)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return small_store(tmp_path_factory.mktemp("store"))


# Which rows are seen


class Rule(ClassifierMixin, BaseEstimator):
    """Predict by the sign of a column, and record the rows of every fit and prediction."""

    fitted: list = []  # noqa: RUF012 (shared by clones on purpose)
    predicted: list = []  # noqa: RUF012

    def __init__(self, column=1):
        self.column = column

    def fit(self, X, y):
        self.fitted.append(X[:, 0])
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        self.predicted.append({*X[:, 0]})
        return (X[:, self.column] > 0).astype(int)


class Scaler(TransformerMixin, BaseEstimator):
    """Leave the rows, with their numbers, as they are, and record those of every fit."""

    fitted: list = []  # noqa: RUF012

    def fit(self, X, y=None):
        self.fitted.append({*X[:, 0]})
        return self

    def transform(self, X):
        return X


def spy(sampler):
    class Spy(sampler):
        fitted: list = []  # noqa: RUF012

        def fit_resample(self, X, y):
            self.fitted.append({*X[:, 0]})
            return super().fit_resample(X, y)

    return Spy


@pytest.fixture
def spied(monkeypatch):
    """Spies in the place of scaler, samplers and classifier; the lists of rows, emptied."""
    Rule.fitted, Rule.predicted, Scaler.fitted = [], [], []
    monkeypatch.setattr(methods, "StandardScaler", Scaler)
    monkeypatch.setattr(methods, "SMOTE", spy(SMOTE))
    monkeypatch.setattr(methods, "ADASYN", spy(ADASYN))

    def run(name, protocol, folder):
        grid = {"classifier__column": [1, 2]}
        method = {name: replace(METHODS[name], classifier=lambda seed: Rule(), grid=grid)}
        store = Store(folder, settings(method, protocol))
        wanted = cells(["one"], method, protocol)
        fill(store, wanted, methods=method, protocols=protocol, load=load, report=str)
        samplers = {"SMOTE": methods.SMOTE, "ADASYN": methods.ADASYN}
        return store.table(), samplers[name].fitted if name in samplers else None

    return run


@pytest.mark.parametrize("name", ["MLP", "SMOTE", "ADASYN"])
@pytest.mark.parametrize(("tune_every", "searches"), [(None, 1), (1, 3)])
def test_nothing_is_fitted_on_a_row_that_is_held_out(name, tune_every, searches, spied, tmp_path):
    protocol = Protocol(3, tune_every=tune_every, scores=("f1",))
    table, sampled = spied(name, {"p": protocol}, tmp_path)
    train, test = zip(*splits(load("one").target, 3, seed=0), strict=True)
    train, test = [{*map(float, t)} for t in train], [{*map(float, t)} for t in test]
    folds, finals = Scaler.fitted[:-3], Scaler.fitted[-3:]
    assert len(folds) == 4 * searches  # once for each fold, whatever the grid
    assert len(table) == 3
    assert finals == train
    assert Rule.predicted[-3:] == test
    for number, fold in enumerate(folds):
        held_out = train[number // 4] - fold
        assert fold < train[number // 4]
        assert len(held_out) in (37, 38)  # a quarter of 150
        # Both points of the grid are scored on the rows held out, and on nothing else.
        assert Rule.predicted[2 * number : 2 * number + 2] == [held_out, held_out]
    if name == "MLP":
        assert [{*rows} for rows in Rule.fitted] == [f for f in folds for _ in (1, 2)] + train
    else:
        assert sampled == Scaler.fitted
        # The classifier sees those rows, and after them rows made from two of them.
        of_fit = [f for f in folds for _ in (1, 2)] + train
        for seen, rows in zip(Rule.fitted, of_fit, strict=True):
            assert {*seen[: len(rows)]} == rows
            assert len(seen) > len(rows)
            minority = [row for row in rows if load("one").target[int(row)] == 1]
            assert (seen[len(rows) :] >= min(minority)).all()
            assert (seen[len(rows) :] <= max(minority)).all()


# What is in the cells


def test_a_cell_is_what_the_pipeline_gives(undisturbed):
    table = undisturbed.table()
    assert len(table) == len(cells(SETS, SMALL, PROTOCOLS))
    for row in table[table["dataset"] == "two"].itertuples():
        data, seed = load("two"), row.split
        train, test = list(splits(data.target, 4, seed=0))[row.split]
        params = weight(row.alpha, data.target[train])
        if SMALL[row.method].grid:
            params["classifier__hidden_layer_sizes"] = row.hidden_layer_sizes
            params["classifier__l2"] = row.l2
        model = SMALL[row.method].pipeline(seed).set_params(**params)
        try:
            model.fit(data.data[train], data.target[train])
            expected = split_scores(data.target[test], model.predict(data.data[test]))
            failed = ""
        except FAILURES as error:  # RUSBoost, where a stump is worse than random
            expected, failed = {}, f"{type(error).__name__}: {error}"
        assert {score: getattr(row, score) for score in expected} == pytest.approx(expected)
        assert (row.failed, row.seed, row.sha256) == (failed, seed, "digest of two")
        assert "numpy" in row.versions


def test_parameters_come_from_the_search_that_the_protocol_says(undisturbed):
    table, searches = undisturbed.table(), undisturbed.searches()
    tuned = table[table["method"] != "RUSB"]
    for row in tuned.itertuples():
        split = {"nested": row.split, "repeated": row.split // 2 * 2}.get(row.protocol, 0)
        where = {"dataset": row.dataset, "method": row.method, "split": split}
        search = searches[(searches[list(where)] == pd.Series(where)).all(axis=1)]
        top = search[search[row.score] == search[row.score].max()].iloc[0]
        assert row.hidden_layer_sizes == top["classifier__hidden_layer_sizes"]
        assert row.l2 == top["classifier__l2"]
        assert row.converged == 1
    key = [name for name in Cell._fields if name != "score"]
    chosen = tuned.pivot_table(index=key, columns="score", values="l2").dropna()
    assert (chosen["f1"] != chosen["gmean"]).any()  # or this test could not fail
    assert table.loc[table["method"] == "RUSB", "converged"].isna().all()


def test_the_lambda_cells_differ_in_the_weight_only(undisturbed):
    table = undisturbed.table()
    found = table[table["protocol"] == "lambda"].groupby("alpha")
    assert found["lam"].unique().str[0].to_dict() == {
        "0.5": pytest.approx(2 / 3), "1": pytest.approx(0.8), "plain": 0.5,
    }  # fmt: skip
    paper = table[(table["protocol"] == "nested") & (table["method"] == "CRCEN")]
    balanced = found.get_group("1").merge(
        paper, on=["dataset", "split", "hidden_layer_sizes", "l2"]
    )
    assert len(balanced)
    # alpha = 1 is the default weight, so that at most a row at the boundary is decided otherwise.
    assert (balanced["fp_x"] - balanced["fp_y"]).abs().max() <= 1


def test_a_fit_is_shared_by_the_cells_that_ask_for_it(tmp_path, spied):
    spied("MLP", {"p": Protocol(2), "q": Protocol(3)}, tmp_path)
    assert len(Rule.fitted) - 2 * 4 <= 2 * 3  # two scores may choose two columns, protocols share


def test_what_is_there_is_not_computed_again(undisturbed):
    before = {path: path.stat().st_mtime_ns for path in undisturbed.folder.rglob("*")}
    lines = []
    small_store(undisturbed.folder, report=lines.append)
    assert lines == []
    assert {path: path.stat().st_mtime_ns for path in undisturbed.folder.rglob("*")} == before


def test_progress_counts_to_the_end(tmp_path):
    lines = []
    small_store(tmp_path, {"CRCEN": SMALL["CRCEN"]}, {"p": Protocol(2)}, report=lines.append)
    n = 2 + 2 * 2 * 2  # a search for each set; two sets, two splits, two scores
    assert lines[0].startswith(f"1/{n}, ")
    assert lines[-1].startswith(f"{n}/{n}, 0.0 min left: ")


# What goes wrong


class Fragile(Rule):
    """Give up where a certain row is held out."""

    row = 0

    def fit(self, X, y):
        if self.row not in X[:, 0]:
            raise ValueError(f"no row {self.row}")
        return super().fit(X, y)


@pytest.mark.parametrize("grid", [{}, {"classifier__column": [1, 2]}])
def test_a_failing_cell_is_recorded_and_the_rest_goes_on(grid, tmp_path, monkeypatch):
    (_, test), *_ = splits(load("one").target, 2, seed=0)
    monkeypatch.setattr(Fragile, "row", test[0])
    monkeypatch.setattr(methods, "StandardScaler", Scaler)
    fragile = {"F": Method("F", lambda seed: Fragile(), grid)}
    fragile["R"] = Method("R", lambda seed: Rule(), {})
    table = small_store(tmp_path, fragile, {"p": Protocol(2, tune_every=1)}).table()
    table = table[table["dataset"] == "one"]
    failed = table["failed"] != ""
    in_split_0 = f"{'in tuning, ' if grid else ''}ValueError: no row {test[0]}"
    assert set(table.loc[failed & (table["split"] == 0), "failed"]) == {in_split_0}
    assert failed[(table["method"] == "F") & (table["split"] == 0)].all()
    assert table.loc[failed, "f1"].isna().all()
    assert (table.loc[failed, "method"] == "F").all()
    assert table.loc[~failed, "f1"].notna().all()


def test_adasyn_without_a_minority_row_near_the_majority_is_recorded(tmp_path):
    def separable(name):
        data = load(name)
        return data | {"data": data.data + 1000 * data.target[:, None]}

    store = Store(tmp_path, settings())
    wanted = cells(["one"], ["ADASYN"], {"paper": Protocol(1)})
    fill(store, wanted, load=lambda name: Bunch(**separable(name)), report=str)
    assert store.table()["failed"].str.match(r"in tuning, RuntimeError: .*majority").all()


def test_a_data_set_that_cannot_be_had_is_left_out_and_said_so(tmp_path):
    def half(name):
        if name == "one":
            raise DatasetUnavailable("there is no 'one'")
        return load(name)

    lines = []
    store = Store(tmp_path, settings(SMALL, PROTOCOLS))
    wanted = cells(SETS, ["RUSB"], {"paper": PROTOCOLS["paper"]})
    fill(store, wanted, methods=SMALL, protocols=PROTOCOLS, load=half, report=lines.append)
    assert lines[0] == "left out: there is no 'one'"
    assert set(store.table()["dataset"]) == {"two"}


# Kills, and company


def run_small(folder):
    """What the processes to be killed do."""
    small_store(folder)


def run_and_die(folder, events):
    """Write a result; when so many functions were called or left after that, die."""

    def count(frame, event, arg):
        nonlocal events
        events -= 1
        if events < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(*args, whole=Store.write, written=[]):  # noqa: B006 (of this process)
        if written:
            sys.setprofile(count)
        written.append(args)
        whole(*args)

    Store.write = write
    small_store(folder)


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_table(undisturbed, tmp_path):
    context = get_context("forkserver")  # so that no start waits for the imports
    context.set_forkserver_preload(["crcen.benchmark"])
    chance, kills = random.Random(SEED), 0
    while kills < 20:
        events = int(10 ** chance.uniform(0, 4.5))  # in a write, between two, some results later
        process = context.Process(target=run_and_die, args=(tmp_path, events))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
    assert kills >= 10
    assert text(small_store(tmp_path)) == text(undisturbed)


@pytest.mark.slow
def test_two_runs_at_once_do_no_harm(undisturbed, tmp_path):
    context = get_context("forkserver")
    both = [context.Process(target=run_small, args=(tmp_path,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert text(Store(tmp_path)) == text(undisturbed)
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


@pytest.mark.slow
def test_several_processes_give_the_same_table(undisturbed, tmp_path):
    assert text(small_store(tmp_path, n_jobs=2)) == text(undisturbed)


CLUSTER = """
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


@pytest.mark.slow
def test_a_dask_cluster_that_loses_a_worker_gives_the_same_table(undisturbed, tmp_path):
    Client = pytest.importorskip("distributed").Client
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    server = subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, cwd=tmp_path,
    )  # fmt: skip
    killed = []
    try:
        address = server.stdout.readline().strip()
        with Client(address, set_as_default=False) as client:

            def kill_one(line):
                if len(killed) == 0:
                    killed.append(next(iter(client.run(os.getpid).values())))
                    os.kill(killed[0], signal.SIGKILL)

            with __main__.cluster(address):
                store = small_store(tmp_path / "store", report=kill_one)
            assert killed
            assert killed[0] not in client.run(os.getpid).values()
        assert text(store) == text(undisturbed)
    finally:
        server.communicate("\n")


# The command


def run(*arguments):
    return __main__.main([*arguments, "--datasets", "abalone", "--methods", "RUSB"])


def test_the_command_fills_a_store_and_then_finds_nothing_to_do(tmp_path, capsys):
    assert run("--results", str(tmp_path)) == 0
    assert len(Store(tmp_path).table()) == 2 * 20  # scores, splits
    first = capsys.readouterr().out.splitlines()
    assert first[-1] == f"40 of 40 cells are in {tmp_path}"
    assert run("--results", str(tmp_path)) == 0
    assert capsys.readouterr().out.splitlines() == first[-1:]


def test_the_command_refuses_another_seed(tmp_path, capsys):
    Store(tmp_path, settings(seed=0))
    assert run("--results", str(tmp_path), "--seed", "1") == 1
    assert "was made with seed=0, not 1" in capsys.readouterr().err


def test_the_wider_grid_has_a_store_of_its_own_inside(tmp_path, capsys, monkeypatch):
    assert run("--results", str(tmp_path)) == 0
    narrow = METHODS["CRCEN"].grid
    one = {"CRCEN": replace(METHODS["CRCEN"], grid=GRID)}
    monkeypatch.setattr(__main__, "WIDE", one)
    monkeypatch.setattr(__main__, "PROTOCOLS", {"paper": Protocol(2)})
    wide = ["--wide", "--datasets", "abalone", "--results", str(tmp_path)]
    assert __main__.main(wide) == 0
    assert capsys.readouterr().out.endswith(f"4 of 4 cells are in {tmp_path / 'wide'}\n")
    inner, outer = Store(tmp_path / "wide"), Store(tmp_path)
    assert inner.manifest["settings"]["grids"]["CRCEN"] != narrow
    assert {*inner.table()["method"]} == {"CRCEN"}
    assert {*outer.table()["method"]} == {"RUSB"}  # which has no grid, and is left alone
    assert outer.searches().empty
    with pytest.raises(SystemExit):
        run("--wide", "--results", str(tmp_path))
    assert "--wide is for methods with a grid (CRCEN)" in capsys.readouterr().err


def test_the_command_says_that_a_cluster_does_not_answer(tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(__main__, "TIME_LIMIT", 0.5)
    assert run("--results", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1") == 1
    assert "tcp://127.0.0.1:1 does not answer" in capsys.readouterr().err


def test_the_command_says_that_dask_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run("--results", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1") == 1
    assert "--scheduler needs Dask" in capsys.readouterr().err


def test_the_command_can_be_stopped(tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "fill", stop)
    assert run("--results", str(tmp_path)) == 130
    assert "goes on from here" in capsys.readouterr().err
