"""Tests of the weighted trees, against scikit-learn's own class weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from crcen import prior_shift
from crcen.study.fit import log_odds
from crcen.study.scores import Predictions
from crcen.study.trees import WeightedBoosting, WeightedForest
from crcen.theory.simulations import sim2

PAIRS = [
    (WeightedBoosting, HistGradientBoostingClassifier, {"max_iter": 20, "early_stopping": False}),
    (WeightedForest, RandomForestClassifier, {"n_estimators": 20, "min_samples_leaf": 5}),
]


@pytest.mark.parametrize(("ours", "theirs", "params"), PAIRS)
def test_it_is_scikit_learn_s_with_balanced_weights_shifted_back(ours, theirs, params, seed):
    X, y = sim2(60, 540, np.random.default_rng(seed))
    model = ours(**params, random_state=seed).fit(X, y)
    like = theirs(**params, class_weight="balanced", random_state=seed).fit(X, y)
    assert model.lam_ == pytest.approx(0.9)
    p = model.predict_proba(X)
    assert_allclose(p.sum(axis=1), 1)
    # Balanced weights are N / 2N0 and N / 2N1; ours have the same quotient and the same mean.
    assert_allclose(prior_shift(p[:, 1], 0.9), like.predict_proba(X)[:, 1], atol=1e-6)


@pytest.mark.parametrize(("ours", "theirs", "params"), PAIRS)
def test_at_one_minus_lambda_it_decides_as_the_weighted_trees(ours, theirs, params, seed):
    X, y = sim2(60, 540, np.random.default_rng(seed))
    model = ours(**params, random_state=seed).fit(X, y)
    like = theirs(**params, class_weight="balanced", random_state=seed).fit(X, y)
    near = np.abs(like.predict_proba(X)[:, 1] - 0.5) < 1e-6  # a tie that rounding may turn
    assert near.mean() < 0.05
    assert (model.predict(X) == like.predict(X))[~near].all()
    o = log_odds(model, X)
    moved = Predictions(o[y == 1], o[y == 0]).moved(-np.log(9))  # the record's way
    decided = model.predict(X)[~near]
    counts = moved.counts
    assert abs(counts.tp + counts.fp - decided.sum()) <= near.sum()
