"""Tests of crcen.study.hundred: each score is what scikit-learn computes from the same rows."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, f1_score, log_loss, roc_auc_score
from small import load, small_record, use_grids

from crcen import METHODS, prior_shift
from crcen.study import hundred
from crcen.study.hundred import RECALLS, best_threshold, curves, score_sets
from crcen.study.methods import HUNDRED
from crcen.study.protocol import HELD_OUT, PROTOCOLS, Protocol
from crcen.study.scores import SCORES, Predictions
from crcen.study.splits import splits

WHICH = ("MLP", "MLP moved", "CRCEN", "SMOTE", "LR", "LR weighted")
SMALL = {
    "hundred": Protocol(2, tune_every=1, scores=("log_loss",), methods=WHICH),
    "hundred held out": Protocol(
        2, tune_every=1, scores=("log_loss",), methods=("MLP", "LR"), also=HELD_OUT
    ),
}
logits = st.lists(st.integers(-20, 20), min_size=1, max_size=15).map(
    lambda values: np.array(values) / 4
)
predictions = st.builds(Predictions, logits, logits)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        use_grids(patch)
        return small_record(tmp_path_factory.mktemp("r"), WHICH, SMALL, ["one"])


@pytest.fixture
def scored(record, monkeypatch):
    use_grids(monkeypatch)
    return score_sets(record, ["one", "absent"], protocols=SMALL).set_index(["method", "split"])


def test_there_is_a_row_for_each_method_and_split(scored):
    methods = {*WHICH, "MLP tuned", "LR tuned"}
    assert {*scored.index} == {(name, split) for name in methods for split in range(2)}


@pytest.mark.parametrize("name", ["LR", "LR weighted"])
def test_probabilities_are_judged_at_the_prior_of_the_data(name, record, scored):
    data = load("one")
    train, test = [*splits(data.target, 2, 0)][1]
    fits = record.fits[(record.fits["method"] == name) & (record.fits["split"] == 1)]
    model = METHODS[name].pipeline(1)
    model.set_params(classifier__C=json.loads(fits[fits["rows"] == "test"]["params"].item())["C"])
    p = model.fit(data.data[train], data.target[train]).predict_proba(data.data[test])[:, 1]
    y, row = data.target[test], scored.loc[name, 1]
    assert row["f1"] == pytest.approx(f1_score(y, p > 0.5))
    if name == "LR weighted":
        p = prior_shift(p, 0.2)
    close = {"abs": 2e-3}  # logits are kept in thousandths
    assert row["auc"] == pytest.approx(roc_auc_score(y, p), **close)
    assert row["log_loss"] == pytest.approx(log_loss(y, p), **close)
    assert row["brier"] == pytest.approx(brier_score_loss(y, p), **close)
    missed, alarms = ((p <= 1 / 6) & (y == 1)).sum(), ((p > 1 / 6) & (y == 0)).sum()
    assert row["cost 5"] == pytest.approx((alarms + 5 * missed) / 40)  # of 40 and 10 rows
    assert row["cost IR"] == pytest.approx(
        (((p > 0.2) & (y == 0)).sum() + 4 * ((p <= 0.2) & (y == 1)).sum()) / 40
    )


def test_a_slope_is_that_of_all_splits_together(record, scored):
    found = hundred.slopes(record, ["one"], ["LR", "LR weighted"], protocols=SMALL)
    assert found["method"].tolist() == ["LR", "LR weighted"]
    fits, parts = record.fits, []
    for k in fits.index[(fits["method"] == "LR weighted") & (fits["rows"] == "test")]:
        parts.append(record.predictions(k).moved(np.log(4)))
    o, y = (np.concatenate([getattr(part, n) for part in parts]) for n in ("logits", "labels"))
    line = LogisticRegression(C=np.inf).fit(o[:, None], y)
    assert found["slope"][1] == pytest.approx(line.coef_.item(), rel=1e-3)


def test_the_quotient_of_eq_7_is_that_of_the_weight_it_was_trained_with(record, scored):
    data = load("one")
    _, test = next(iter(splits(data.target, 2, 0)))
    fits, y = record.fits, data.target[test]
    which = (fits["method"] == "CRCEN") & (fits["split"] == 0) & (fits["rows"] == "test")
    found = record.predictions(fits.index[which][0])
    left, right = expit(-found.positives).mean(), expit(found.negatives).mean()
    assert scored.loc[("CRCEN", 0), "quotient"] == pytest.approx(left / right)
    assert y.sum() == found.positives.size
    assert np.isnan(scored.loc["SMOTE", 0]["quotient"]) == (METHODS["SMOTE"].sampler is None)


def test_a_moved_threshold_and_a_tuned_one_decide_otherwise_with_the_same_ranking(scored):
    plain, moved, tuned = (scored.loc[name, 0] for name in ("MLP", "MLP moved", "MLP tuned"))
    assert plain["auc"] == moved["auc"]
    assert plain["recall"] < moved["recall"]
    assert np.isnan(tuned["auc"])
    assert tuned["f1"] > 0


@given(predictions)
def test_the_best_threshold_is_the_best_of_all(found):
    cuts = np.arange(-6, 6, 0.125)
    for score in hundred.TUNED_FOR:
        best = SCORES[score].of(found.moved(best_threshold(found, score)))
        # Above all rows nothing is found, which is no choice.
        least = min(found.logits.max(), 6)
        assert best >= max(SCORES[score].of(found.moved(c)) for c in cuts[cuts < least]) - 1e-12


def test_a_threshold_is_tuned_for_decisions_only():
    found = Predictions(np.array([1.0]), np.array([0.0]))
    with pytest.raises(ValueError, match="score='auc' is none of decisions: take one of f1"):
        best_threshold(found, "auc")


def test_the_protocols_are_tuned_inside_every_split_by_the_log_loss():
    for name in SMALL:
        protocol = PROTOCOLS[name]
        assert (protocol.n_splits, protocol.tune_every, protocol.scores) == (10, 1, ("log_loss",))
    assert PROTOCOLS["hundred"].methods == HUNDRED
    budget = {name: len(PROTOCOLS["hundred"].points(METHODS[name])) for name in HUNDRED}
    assert {*budget.values()} == {1, 7, 8}
    assert {name for name, count in budget.items() if count == 1} == {"RUSB", "EE", "BRF"}


def test_a_curve_has_the_best_precision_at_a_recall_or_more(record, monkeypatch):
    """By trying each logit as a threshold."""
    use_grids(monkeypatch)
    found = curves(record, ["one"], ["MLP moved"], protocols=SMALL)
    curve, decided = found[~found["decided"]], found[found["decided"]]
    fits = record.fits[(record.fits["method"] == "MLP") & (record.fits["rows"] == "test")]
    each, counts = [], []
    for k in fits.index:
        positives, negatives = record.predictions(k)
        tried = []
        for cut in (*positives, *negatives):
            tp, fp = np.sum(positives >= cut), np.sum(negatives >= cut)
            tried.append((tp / positives.size, tp / (tp + fp)))
        each.append([max(p for r, p in tried if r >= wish - 1e-12) for wish in RECALLS])
        cut = -np.log(negatives.size / positives.size)
        counts.append([np.sum(positives > cut), np.sum(negatives > cut), positives.size])
    assert len(each) == 2
    assert_allclose(curve["recall"], RECALLS)
    assert_allclose(curve["precision"], np.mean(each, axis=0))
    caught, alarms, rows = np.sum(counts, axis=0)
    assert decided["recall"].item() == pytest.approx(caught / rows)
    assert decided["precision"].item() == pytest.approx(caught / (caught + alarms))
