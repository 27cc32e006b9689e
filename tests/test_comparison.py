"""Tests of crcen.study.comparison: the networks of a split, and the threshold that is tuned."""

import json

import numpy as np
import pytest
from imblearn.metrics import geometric_mean_score
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV, cross_val_predict
from small import load, small_record, use_grids

from crcen import METHODS, choose_lam
from crcen.study import comparison
from crcen.study.comparison import PLAIN, compared, tuned_thresholds
from crcen.study.protocol import APPLIED, Protocol
from crcen.study.scores import Predictions
from crcen.study.splits import folds, splits

PROTOCOLS = {
    "plain": Protocol(2, scores=("f1", "log_loss"), methods=("MLP",), also=APPLIED),
    "weighted": Protocol(2, scores=("f1", "log_loss"), methods=("CRCEN",)),
    "wished": Protocol(
        2,
        scores=("log_loss",),
        methods=("CRCEN",),
        weights=("recall 0.7", "expense 5"),
    ),
}
WISHES = [("recall", 0.7), ("expense", 5.0)]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        use_grids(patch)
        return small_record(tmp_path_factory.mktemp("r"), ("MLP", "CRCEN"), PROTOCOLS, ["one"])


@pytest.fixture
def found(record, monkeypatch):
    use_grids(monkeypatch)
    monkeypatch.setattr(comparison, "TABLE_2", ["one"])
    monkeypatch.setattr(comparison, "PROTOCOLS", PROTOCOLS)
    monkeypatch.setattr(comparison, "WISHES", WISHES)
    return compared(record)


def test_every_split_has_its_networks_and_wishes(found):
    assert [(each.dataset, each.split) for each in found] == [("one", 0), ("one", 1)]
    for each in found:
        assert each.test.keys() == comparison.NETWORKS.keys()
        assert [*each.wishes] == WISHES
        assert each.log_ratio == pytest.approx(np.log(4))


def test_a_wish_is_answered_from_rows_that_the_network_has_not_seen(found):
    for each in found:
        assert len(each.held_out.labels) == len(each.seen.labels) == 150
        for (wish, value), trained in each.wishes.items():
            choice = choose_lam(each.held_out.logits, each.held_out.labels, **{wish: value})
            assert trained.lam == pytest.approx(choice.lam, rel=1e-9)
            assert sum(trained.counts) == 50


def test_the_logits_of_seen_rows_are_those_of_the_network_on_its_own_rows(found, record):
    data = load("one")
    train, _ = next(splits(data.target, 1, 0))
    fits = record.fits.query("method == 'MLP' and split == 0 and rows == 'train'")
    for k, row in fits.iterrows():
        params = {f"classifier__{n}": v for n, v in json.loads(row["params"]).items()}
        model = METHODS["MLP"].pipeline(0).set_params(**params)
        o = model.fit(data.data[train], data.target[train]).decision_function(data.data[train])
        ours = record.predictions(k)
        assert ours.positives == pytest.approx(np.sort(o[data.target[train] == 1]), abs=6e-4)


def test_the_threshold_is_the_one_that_scikit_learn_tunes():
    data = load("two")
    X, y = data.data[:, 1:], data.target
    parts = folds(y, 0)
    model = LogisticRegression()
    o = cross_val_predict(model, X, y, cv=parts, method="decision_function")
    by_fold = [Predictions(o[t][y[t] == 1], o[t][y[t] == 0]) for _, t in parts]
    ours = tuned_thresholds(by_fold)
    for score, scorer in (("f1", "f1"), ("gmean", make_scorer(geometric_mean_score))):
        tuned = TunedThresholdClassifierCV(model, scoring=scorer, cv=parts).fit(X, y)
        # Folds are the same, and so are the probabilities, but for the last digit.
        assert ours[score] == pytest.approx(tuned.best_threshold_, abs=1e-6)
        assert 0 < ours[score] < 1
        assert expit(o).min() <= ours[score] <= expit(o).max()


def test_a_split_that_is_not_whole_is_left_out(record, monkeypatch, found):
    monkeypatch.setattr(comparison, "WISHES", [*WISHES, ("recall", 0.9)])
    assert compared(record) == []
    assert PLAIN in comparison.NETWORKS
