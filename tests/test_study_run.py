"""Tests of crcen.study.run: what is in the rows, what is shared, kills survived, the cluster."""

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import numpy as np
import psutil
import pytest
from conftest import SEED
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import Bunch
from small import GRID, PROTOCOLS, SETS, WHICH, load, said, small_record, start, use_grids

from crcen.choice import choose_lam
from crcen.mishaps import explain
from crcen.study import __main__, methods
from crcen.study import run as module
from crcen.study.datasets import DATASETS, DatasetUnavailable
from crcen.study.fit import log_odds
from crcen.study.methods import METHODS, Method
from crcen.study.protocol import Fit, Protocol, cells
from crcen.study.record import KEYS, Record, RecordError
from crcen.study.run import FAILURES, missing, stale
from crcen.study.scores import Predictions
from crcen.study.splits import splits
from crcen.study.tables import by_fold, fits_of, together
from crcen.weights import lam_from_alpha

HALF = 6e-4  # thousandths are recorded


@pytest.fixture(scope="module", autouse=True)
def grids():
    with pytest.MonkeyPatch.context() as patch:
        use_grids(patch)
        yield


@pytest.fixture(scope="module")
def undisturbed(grids, tmp_path_factory):
    return small_record(tmp_path_factory.mktemp("record"))


def the_fit(row):
    return Fit(*(getattr(row, name) for name in Fit._fields))


# What is in the rows


def test_every_cell_has_its_row_and_no_row_is_twice(undisturbed):
    wanted = cells(SETS, WHICH, PROTOCOLS)
    assert missing(undisturbed, wanted, protocols=PROTOCOLS) == []
    named = fits_of(wanted, undisturbed.searches, PROTOCOLS)
    there = {the_fit(row) for row in undisturbed.fits.itertuples()}
    assert {*named.values()} <= there
    # Besides them, the plain networks' held-out logits, and those of the rows they have seen.
    assert {fit.rows for fit in there - {*named.values()}} == {"0", "1", "2", "3", "train"}
    assert not undisturbed.fits.duplicated(["dataset", *KEYS["fits"]]).any()
    assert len({*named.values()}) < len(wanted) / 2  # they are shared


def weight(name, record, row):
    """The weight that parameters ask for by its name."""
    what, number = name.split()
    if what == "alpha":
        return lam_from_alpha(float(number), 4)
    plain = [r for r in record.fits.itertuples() if r.rows == "0" and r.method == "MLP"]
    [plain] = [r for r in plain if (r.dataset, r.split) == (row.dataset, row.split)]
    found = together(by_fold(record, the_fit(plain)))
    return choose_lam(found.logits, found.labels, **{what: float(number)}).lam


def applied(row, seed=0):
    """The rows that a fit is made on and those that it is applied to, by scikit-learn alone."""
    y = load(row.dataset).target
    train, test = list(splits(y, 4, seed))[row.split]
    if row.rows == "train":
        return train, train
    if row.rows == "test":
        return train, test
    cut = StratifiedKFold(4, shuffle=True, random_state=seed + row.split)
    seen, held = list(cut.split(train[:, None], y[train]))[int(row.rows)]
    return train[seen], train[held]


def test_a_row_is_what_the_pipeline_gives(undisturbed):
    data, fits = load("two"), undisturbed.fits
    for row in fits[fits["dataset"] == "two"].itertuples():
        params = json.loads(row.params)
        if "lam" in params:
            params["lam"] = weight(params["lam"], undisturbed, row)
        model = METHODS[row.method].pipeline(row.split)
        model.set_params(**{f"classifier__{name}": value for name, value in params.items()})
        train, test = applied(row)
        found = undisturbed.predictions(row.Index)
        try:
            model.fit(data.data[train], data.target[train])
            o = log_odds(model["classifier"], model["scaler"].transform(data.data[test]))
            y, failed = data.target[test], ""
        except FAILURES as error:  # RUSBoost, where a stump is worse than random
            o, y, failed = np.array([]), np.array([]), f"{type(error).__name__}: {error}"
        np.testing.assert_allclose(found.positives, np.sort(o[y == 1]), atol=HALF * 2)
        np.testing.assert_allclose(found.negatives, np.sort(o[y == 0]), atol=HALF * 2)
        assert found.counts == Predictions(o[y == 1], o[y == 0]).counts
        assert (row.failed, row.seed, row.data) == (failed, 0, "digest of two"[:12])
        if "lam" in params:
            assert row.lam == params["lam"]
        assert row.code == module.code(METHODS[row.method].pipeline(0))


def test_searches_are_made_where_the_protocols_ask_for_them(undisturbed):
    searches = undisturbed.searches
    splits = searches.groupby("method")["split"].unique().map(sorted).to_dict()
    assert splits == {"CRCEN": [0, 1], "MLP": [0, 1, 2], "SMOTE": [0, 1, 2]}
    assert (searches["converged"] == 1).all()
    assert (searches["failed"] == "").all()
    assert not searches.duplicated(["dataset", *KEYS["searches"]]).any()
    # F1 and the G-mean choose different parameters, or nobody could see whose a cell has.
    wanted = cells(SETS, WHICH, {"nested": PROTOCOLS["nested"]})
    named = fits_of(wanted, searches, PROTOCOLS)
    chosen = {
        score: [fit.params for cell, fit in named.items() if cell.score == score]
        for score in ("f1", "gmean")
    }
    assert chosen["f1"] != chosen["gmean"]


def test_the_weights_of_the_rows_are_those_that_they_name(undisturbed):
    fits = undisturbed.fits
    named = fits["params"].map(lambda params: json.loads(params).get("lam", ""))
    lam = {name: fits["lam"][(named == name) & (fits["method"] == "CRCEN")] for name in {*named}}
    assert lam["alpha 0.5"].to_numpy() == pytest.approx(2 / 3)  # of 1:4
    assert lam[""].to_numpy() == pytest.approx(0.8)
    assert {"recall 0.7", "expense 5"} <= {*lam}
    assert (fits["lam"][fits["method"].isin(["MLP", "SMOTE"])] == 0.5).all()
    assert fits["lam"][fits["method"] == "RUSB"].isna().all()


def test_a_wish_is_answered_by_the_held_out_logits_of_the_plain_network(undisturbed):
    fits = undisturbed.fits
    wished = fits[fits["params"].str.contains("recall|expense")]
    assert len(wished) == 2 * 2 * 2  # wishes, sets, splits
    for row in wished.itertuples():
        assert row.lam == weight(json.loads(row.params)["lam"], undisturbed, row)


def test_held_out_logits_are_of_all_training_rows(undisturbed):
    row = next(r for r in undisturbed.fits.itertuples() if r.rows == "0")
    found = together(by_fold(undisturbed, the_fit(row)))
    assert (found.positives.size, found.negatives.size) == (30, 120)


def test_a_fit_is_the_same_whichever_protocol_asks_for_it(undisturbed, tmp_path):
    """The order of the training rows is that in which they were drawn, for all of them."""
    alone = {
        name: small_record(tmp_path / name, ["MLP", "CRCEN"], {name: PROTOCOLS[name]})
        for name in ("paper", "plain", "lambda", "wished")
    }
    whole = {the_fit(row): row.Index for row in undisturbed.fits.itertuples()}
    for record in alone.values():
        assert len(record.fits)
        for row in record.fits.itertuples():
            ours, theirs = (
                record.predictions(row.Index),
                undisturbed.predictions(whole[the_fit(row)]),
            )
            assert str(ours) == str(theirs)
    # A wish asks for the plain network's searches and fits by itself.
    assert "MLP" in {*alone["wished"].fits["method"]}


def test_a_fit_and_a_search_see_rows_as_they_were_drawn(tmp_path, monkeypatch):
    seen = {"fit": [], "search": []}

    def fit(method, params, X, y, train, test, *, seed):
        seen["fit"].append((seed, [*train], [*test]))
        raise ValueError("seen")

    def search(method, points, X, y, *, seed):
        seen["search"].append((seed, [*X[:, 0]]))
        raise ValueError("seen")

    monkeypatch.setattr(module, "fit", fit)
    monkeypatch.setattr(module, "search", search)
    nested = {"nested": Protocol(3, tune_every=1)}
    small_record(tmp_path, ["RUSB", "CRCEN"], nested, ["one"], seed=5)
    drawn = [*splits(load("one").target, 3, seed=5)]
    expected = [(5 + k, [*train], [*test]) for k, (train, test) in enumerate(drawn)]
    assert sorted(seen["fit"]) == expected  # CRCEN, whose searches fail, has none
    assert sorted(seen["search"]) == [(seed, train) for seed, train, _ in expected]


def test_another_seed_stands_beside_the_first(undisturbed, tmp_path):
    protocols = {"paper": Protocol(1)}
    first = small_record(tmp_path, ["RUSB"], protocols).fits.drop(columns="seconds")
    first = first[sorted(first)]
    record = small_record(tmp_path, ["RUSB"], protocols, seed=1)
    assert sorted(record.fits["seed"]) == [0, 0, 1, 1]
    wanted = cells(SETS, ["RUSB"], protocols)
    assert missing(record, wanted, 1, protocols) == []
    assert len(missing(record, wanted, 2, protocols)) == len(wanted)
    old = record.fits[record.fits["seed"] == 0].drop(columns="seconds")
    assert old[sorted(old)].to_csv(index=False) == first.to_csv(index=False)


# Going on


def test_what_is_there_is_not_computed_again(undisturbed):
    before = {path: path.stat().st_mtime_ns for path in undisturbed.folder.rglob("*.*")}
    lines = []
    small_record(undisturbed.folder, report=lines.append)
    assert lines == []
    after = {path: path.stat().st_mtime_ns for path in undisturbed.folder.rglob("*.*")}
    assert after == before


def test_progress_counts_to_the_end(tmp_path):
    lines = []
    record = small_record(tmp_path, ["CRCEN"], {"paper": Protocol(2)}, report=lines.append)
    fits = [line for line in lines if line.startswith("fits")]
    assert lines[0].startswith("searches 1/2, ")
    assert lines[1].startswith("searches 2/2, 0.0 min left: search of CRCEN on ")
    assert fits[-1].startswith(f"fits {len(record.fits)}/{len(record.fits)}, 0.0 min left: CRCEN")


@pytest.mark.parametrize("after", [2, 40])
def test_stopped_after_some_results_it_goes_on_from_there(undisturbed, tmp_path, after):
    lines = []

    def stop(line):
        lines.append(line)
        if len(lines) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_record(tmp_path, report=stop)
    there = Record(tmp_path)
    assert len(there.fits) + len(there.searches) // 2 == after  # two points each
    small_record(tmp_path, report=lines.append)
    # None is computed twice.
    assert len(lines) == len(undisturbed.fits) + len(undisturbed.searches) // 2
    assert said(Record(tmp_path)) == said(undisturbed)


def test_a_fit_that_was_lost_comes_out_again_and_the_rest_is_left_alone(undisturbed, tmp_path):
    record = small_record(tmp_path, ["MLP"], {"plain": PROTOCOLS["plain"]})
    before = record.fits
    [path] = tmp_path.glob("*/fits/one.parquet")
    path.unlink()
    lines = []
    record = small_record(tmp_path, ["MLP"], {"plain": PROTOCOLS["plain"]}, report=lines.append)
    assert len(lines) == (before["dataset"] == "one").sum() == 12
    assert all(" on one, " in line for line in lines)
    same = record.fits["dataset"] == "two"
    assert record.fits[same].equals(before[same])  # with their seconds
    assert (
        said(record)[0] == before.drop(columns="seconds")[sorted({*before} - {"seconds"})].to_csv()
    )


def test_packing_now_and_then_changes_nothing(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PACK_EVERY", 3)
    assert said(small_record(tmp_path)) == said(undisturbed)
    assert sorted(path.name for path in tmp_path.glob("*/*/*")) == sorted(
        ["one.parquet", "two.parquet"] * 2
    )


# What goes wrong


class Fragile(ClassifierMixin, BaseEstimator):
    """Predict by the sign of a column; give up where a certain row is held out."""

    row = 0

    def __init__(self, column=1):
        self.column = column

    def fit(self, X, y):
        # Scaled row numbers keep their order: the largest is held out with that row.
        if X[:, 0].max() < self.row:
            raise ValueError("that row is not here")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        p = np.where(X[:, self.column] > 0, 0.75, 0.25)
        return np.column_stack([1 - p, p])


class Raw(BaseEstimator):
    """Leave the columns as they are."""

    def fit_transform(self, X, y=None):
        return X

    def transform(self, X):
        return X


@pytest.mark.parametrize("grid", [{}, {"column": [1, 2]}])
def test_a_failing_method_leaves_rows_that_say_why_and_the_rest_goes_on(
    grid, tmp_path, monkeypatch
):
    y = load("one").target
    # A row that is in the test rows of split 0 and, being the last, can be missed.
    first, second = (set(map(int, test)) for _, test in splits(y, 2, seed=0))
    monkeypatch.setattr(methods, "StandardScaler", Raw)
    largest = max(first - second)
    shifted = load("one")
    shifted.data[largest, 0] = 1000
    monkeypatch.setattr(Fragile, "row", 1000)
    monkeypatch.setitem(METHODS, "F", Method("F", lambda seed: Fragile(), grid))
    protocols = {"paper": Protocol(2, tune_every=1)}
    lines = []
    options = {"load": lambda name: shifted, "report": lines.append}
    record = small_record(tmp_path, ["F", "RUSB"], protocols, ["one"], **options)
    why = "ValueError: that row is not here"
    fits, searches = record.fits, record.searches
    if grid:  # some fold holds the row out in split 1, too
        assert set(searches["failed"]) == {why}
        assert len(searches) == 4
        assert "F" not in set(fits["method"])
    else:
        failed = fits[fits["method"] == "F"].set_index("split")["failed"]
        assert failed.to_dict() == {0: why, 1: ""}
        lost = fits.index[fits["failed"] == why][0]
        assert record.predictions(lost).logits.size == 0
    assert any("failed: ValueError: that row" in line for line in lines)
    assert fits.loc[fits["method"] == "RUSB"].shape[0] == 2
    wanted = cells(["one"], ["F", "RUSB"], protocols)
    assert missing(record, wanted, protocols=protocols) == []
    lines.clear()
    small_record(tmp_path, ["F", "RUSB"], protocols, ["one"], **options)
    assert lines == []  # what failed is not tried again


def test_adasyn_without_a_minority_row_near_the_majority_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "ADASYN", replace(METHODS["ADASYN"], grid=GRID))

    def separable(name):
        data = load(name)
        return Bunch(**data | {"data": data.data + 1000 * data.target[:, None]})

    record = small_record(tmp_path, ["ADASYN"], {"paper": Protocol(1)}, ["one"], load=separable)
    assert record.searches["failed"].str.match(r"RuntimeError: .*majority").all()
    assert record.fits.empty


def test_a_wish_that_no_weight_answers_is_recorded_and_the_rest_goes_on(
    undisturbed, tmp_path, monkeypatch
):
    def refuse(logits, y, **wish):
        if "recall" in wish:
            raise ValueError("wish for less")
        return choose_lam(logits, y, **wish)

    monkeypatch.setattr(module, "choose_lam", refuse)
    wished = {"wished": PROTOCOLS["wished"]}
    record = small_record(tmp_path, ["CRCEN"], wished, ["one"])
    recall = record.fits["params"].str.contains("recall")
    assert set(record.fits["failed"][recall]) == {"ValueError: wish for less"}
    assert set(record.fits["failed"][~recall]) == {""}
    assert record.fits["params"].str.contains("expense").sum() == 2
    assert missing(record, cells(["one"], ["CRCEN"], wished), protocols=PROTOCOLS) == []


def test_a_wish_whose_plain_network_failed_says_so(undisturbed, tmp_path, monkeypatch):
    def torn(method, *args, search=module.search, **options):
        if method is METHODS["MLP"]:
            raise ValueError("torn")
        return search(method, *args, **options)

    monkeypatch.setattr(module, "search", torn)
    record = small_record(tmp_path, ["CRCEN"], {"wished": PROTOCOLS["wished"]}, ["one"])
    assert len(record.fits) == 2 * 2
    assert set(record.fits["failed"]) == {"RecordError: the search of MLP on one has failed"}


@pytest.mark.parametrize("row", [{}, {"failed": "ValueError: torn"}])
def test_a_fold_that_is_missing_is_named_with_the_command_that_makes_it(row, tmp_path):
    record = Record(tmp_path)
    plain = {"method": "MLP", "params": "{}", "split": 0, "seed": 0, "failed": "", "code": "c"}
    plain |= {"positives": [1], "negatives": [-1]}
    folds = [plain | {"rows": each} for each in ("0", "1", "2", "3")]
    record.add("fits", "one", [*folds[:3], *[folds[3] | row][: len(row)]])
    record.read()
    lacks = r"lacks folds of MLP on one, split 0.*--protocols plain"
    with pytest.raises(RecordError, match=lacks):
        by_fold(record, Fit("one", "MLP", "{}", 0))
    record.add("fits", "one", folds)
    record.read()
    assert together(by_fold(record, Fit("one", "MLP", "{}", 0))).counts == (4, 0, 0, 4)


def test_a_data_set_that_cannot_be_had_is_left_out_and_said_so(tmp_path):
    def half(name):
        if name == "one":
            raise DatasetUnavailable("there is no 'one'")
        return load(name)

    lines = []
    protocols = {"paper": Protocol(2)}
    record = small_record(tmp_path, ["RUSB"], protocols, load=half, report=lines.append)
    assert lines[0] == "left out: there is no 'one'"
    assert set(record.fits["dataset"]) == {"two"}
    lost = missing(record, cells(SETS, ["RUSB"], protocols), protocols=protocols)
    assert {cell.dataset for cell in lost} == {"one"}
    assert len(lost) == 2 * 2


# What other code or data have made


def test_rows_of_this_code_and_data_are_not_stale(undisturbed):
    assert stale(undisturbed, load) == []


def test_rows_of_other_code_are_told(undisturbed, monkeypatch):
    def other(pipeline, code=module.code):
        return "0" * 12 if "sampler" in pipeline.named_steps else code(pipeline)

    monkeypatch.setattr(module, "code", other)
    lines = stale(undisturbed, load)
    assert len(lines) == 2 * 2  # sets, kinds
    assert all(" SMOTE " in line for line in lines)
    count = ((undisturbed.fits["method"] == "SMOTE") & (undisturbed.fits["dataset"] == "one")).sum()
    assert lines[0].startswith(f"{count} fits of ")


def test_rows_of_other_data_and_of_methods_that_are_gone_are_told(tmp_path, monkeypatch):
    protocols = {"paper": Protocol(1)}
    record = small_record(tmp_path, ["RUSB"], protocols)
    monkeypatch.setitem(DATASETS, "two", None)
    other = stale(record, lambda name: Bunch(sha256="of other data"))
    assert len(other) == 1
    assert " two RUSB " in other[0]

    def unavailable(name):
        raise DatasetUnavailable(name)

    assert stale(record, unavailable) == []
    monkeypatch.delitem(METHODS, "RUSB")
    assert len(stale(record, unavailable)) == 2


# Kills, and company


def run_small(folder):
    """What the processes to be killed do."""
    use_grids(pytest.MonkeyPatch())
    small_record(folder)


def run_and_die(folder, events):
    """Write a result; when so many functions were called or left after that, die."""

    def count(frame, event, arg):
        nonlocal events
        events -= 1
        if events < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def add(*args, whole=Record.add, written=[]):  # noqa: B006 (of this process)
        if written:
            sys.setprofile(count)
        written.append(args)
        whole(*args)

    Record.add = add
    module.PACK_EVERY = 7  # so that some die while they pack
    run_small(folder)


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_tables(undisturbed, tmp_path):
    chance, kills = random.Random(SEED), 0
    while kills < 20:
        events = int(10 ** chance.uniform(0, 4.5))  # in a write, between two, some results later
        process = start(run_and_die, tmp_path, events)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
    assert kills >= 10
    assert said(small_record(tmp_path)) == said(undisturbed)


@pytest.mark.slow
def test_two_runs_at_once_do_no_harm(undisturbed, tmp_path):
    both = [start(run_small, tmp_path) for _ in range(2)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert said(small_record(tmp_path)) == said(undisturbed)
    assert sorted(path.name for path in tmp_path.glob("*/*/*")) == sorted(
        ["one.parquet", "two.parquet"] * 2
    )


@pytest.mark.slow
def test_several_processes_give_the_same_tables(undisturbed, tmp_path):
    assert said(small_record(tmp_path, n_jobs=2)) == said(undisturbed)


@pytest.mark.slow
def test_a_worker_that_is_killed_ends_the_run_and_the_next_goes_on(undisturbed, tmp_path):
    def kill(line):
        for child in psutil.Process().children():
            with suppress(psutil.Error):  # killed before, it has no command line any more
                if "LokyProcess" in " ".join(child.cmdline()):
                    child.kill()
                    return

    with pytest.raises(Exception, match="terminated") as found:
        small_record(tmp_path, n_jobs=2, report=kill)
    assert "a worker process was killed" in explain(found.value)
    assert said(small_record(tmp_path)) == said(undisturbed)


CLUSTER = """
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


@pytest.mark.slow
def test_a_dask_cluster_that_loses_a_worker_gives_the_same_tables(undisturbed, tmp_path):
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
                record = small_record(tmp_path / "record", report=kill_one)
            assert killed
            assert killed[0] not in client.run(os.getpid).values()
        assert said(record) == said(undisturbed)
    finally:
        server.communicate("\n")
