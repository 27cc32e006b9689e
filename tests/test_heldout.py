"""Tests of crcen.heldout: which rows a network has seen, thresholds, resuming, the command."""

import numpy as np
import pytest
from conftest import SEED
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV
from sklearn.utils import Bunch

from crcen import choose_lam, heldout
from crcen.benchmark import settings as benchmark_settings
from crcen.datasets import DatasetUnavailable
from crcen.heldout import PLAIN, THRESHOLDS, Run, fill, log_likelihood, measure, settings, values
from crcen.methods import METHODS
from crcen.protocol import splits
from crcen.results import Store, StoreError

GRID = {"classifier__hidden_layer_sizes": [(2,)], "classifier__l2": [1e-3, 1e-2]}
PARAMS = {"classifier__hidden_layer_sizes": (2,), "classifier__l2": 1e-3}
RUNS = [Run("one", 0), Run("one", 1)]


def load(name):
    if name == "none":
        raise DatasetUnavailable("none is not there")
    rng = np.random.default_rng(SEED)
    y = rng.permutation(np.repeat([1, 0], [60, 180]))
    return Bunch(data=rng.normal(size=(240, 2)) + y[:, None], target=y, sha256="digest")


@pytest.fixture
def stores(tmp_path, monkeypatch):
    monkeypatch.setattr(heldout, "NETWORK_GRID", GRID)
    tuned = Store(tmp_path, benchmark_settings())
    for method in ("MLP", "CRCEN"):
        point = PARAMS | {"f1": 0.5, "gmean": 0.5}
        tuned.write(f"tuning/one/{method}/00", {"search": [point]})
    return Store(tmp_path / "logits", settings()), tuned


@pytest.fixture(scope="module")
def split():
    data = load("one")
    return data.data, data.target, *next(splits(data.target, 1, seed=SEED))


@pytest.fixture(scope="module")
def measured(split):
    return measure(*split, dict.fromkeys(heldout.NETWORKS, PARAMS), seed=SEED)


@pytest.mark.slow
def test_a_held_out_logit_comes_from_a_network_that_has_not_seen_the_row(split, measured):
    X, y, train, _ = split
    train = np.concatenate([train[y[train] == k] for k in (1, 0)])
    folds = StratifiedKFold(4, shuffle=True, random_state=SEED).split(X[train], y[train])
    o = values(measured["held_out"])
    assert measured["rows"]["train"] == [45, 135]
    for seen, held_out in folds:
        rows = train[seen]
        model = METHODS["MLP"].pipeline(SEED).set_params(**PARAMS).fit(X[rows], y[rows])
        again = model.decision_function(X[train][held_out])
        assert o[held_out] == pytest.approx(again, abs=6e-4)  # thousandths are recorded


@pytest.mark.slow
def test_a_threshold_is_the_one_that_scikit_learn_finds_for_the_network_itself(split, measured):
    X, y, train, _ = split
    train = np.concatenate([train[y[train] == k] for k in (1, 0)])
    folds = StratifiedKFold(4, shuffle=True, random_state=SEED)
    for score, scorer in THRESHOLDS.items():
        model = METHODS["MLP"].pipeline(SEED).set_params(**PARAMS)
        tuned = TunedThresholdClassifierCV(model, scoring=scorer, cv=folds).fit(X[train], y[train])
        assert measured["thresholds"][PLAIN][score] == pytest.approx(tuned.best_threshold_)


@pytest.mark.slow
def test_the_networks_are_those_of_their_method_scored_on_the_test_rows(split, measured):
    X, y, train, test = split
    test = np.concatenate([test[y[test] == k] for k in (1, 0)])
    for network, method in heldout.NETWORKS.items():
        model = METHODS[method].pipeline(SEED).set_params(**PARAMS).fit(X[train], y[train])
        o = values(measured["test"][network])
        assert roc_auc_score(y[test], o) == pytest.approx(
            roc_auc_score(y[test], model.decision_function(X[test])), abs=0.01
        )
        assert np.mean((o > 0) == model.predict(X[test])) > 0.95


@pytest.mark.slow
def test_the_naive_weight_is_chosen_on_rows_that_the_network_has_seen(split, measured):
    X, y, train, _ = split
    model = METHODS["MLP"].pipeline(SEED).set_params(**PARAMS).fit(X[train], y[train])
    for wish in measured["wishes"]:
        asked = {wish["wish"]: wish["value"]}
        naive = choose_lam(model.decision_function(X[train]), y[train], **asked)
        assert wish["in_sample"] == pytest.approx(naive.lam, abs=0.01)
        assert (wish["tp"] + wish["fn"], wish["tn"] + wish["fp"]) == (15, 45)


def test_the_search_scores_a_weighted_network_with_its_weight_taken_out(split):
    X, y, train, test = split
    model = METHODS["CRCEN"].pipeline(SEED).set_params(**PARAMS).fit(X[train], y[train])
    o = model.decision_function(X[test]) - np.log(3)  # IR of these rows
    assert log_likelihood(model, X[test], y[test]) == pytest.approx(-log_loss(y[test], expit(o)))


@pytest.mark.slow
def test_a_run_that_was_lost_comes_out_again_and_the_rest_is_left_alone(stores):
    store, tuned = stores
    quiet = {"load": load, "report": lambda line: None}
    fill(store, RUNS, tuned, **quiet)
    first = {run: store.read(run.key) for run in RUNS}
    searches = {path.name for path in (store.folder / "search").iterdir()}
    assert searches == {"one-MLP.json", "one-CRCEN.json"}
    (store.folder / "one/01.json").unlink()
    lines = []
    fill(store, RUNS, tuned, load=load, report=lines.append)
    assert len(lines) == 1
    for run in RUNS:
        again = store.read(run.key)
        assert again | {"seconds": 0} == first[run] | {"seconds": 0}


def test_a_set_that_is_not_there_is_left_out(stores):
    store, tuned = stores
    lines = []
    fill(store, [Run("none", 0)], tuned, load=load, report=lines.append)
    assert lines == ["left out: none is not there"]
    assert Run("none", 0).key not in store


def test_a_search_that_is_missing_is_named_with_the_command_that_makes_it(stores, tmp_path):
    store, _ = stores
    empty = Store(tmp_path / "empty", benchmark_settings())
    with pytest.raises(StoreError, match="python -m crcen --datasets one --methods MLP"):
        fill(store, RUNS, empty, load=load)
