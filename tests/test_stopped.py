"""Tests of crcen.study.stopped: the objective is ours, and training stops early."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.neural_network import MLPClassifier

from crcen.losses import CROSS_ENTROPY
from crcen.network import Network, Objective
from crcen.study.methods import METHODS, NETWORK_GRID, STOPPED
from crcen.study.stopped import BATCH, StoppedMLP
from crcen.theory.simulations import sim2


@pytest.fixture(scope="module")
def rows(seed):
    return sim2(100, 900, np.random.default_rng(seed))


@pytest.mark.parametrize("name", STOPPED)
def test_it_is_tuned_over_the_grid_of_the_networks_and_weighted_as_its_name_says(name):
    assert METHODS[name].grid == NETWORK_GRID
    assert METHODS[name].pipeline(3)["classifier"].weighted == (name == "CRCEN stopped")


@pytest.mark.parametrize("weighted", [False, True])
def test_its_gradient_is_that_of_our_objective_on_a_whole_batch(rows, weighted, seed):
    X, y = (part[:: len(rows[1]) // BATCH][:BATCH] for part in rows)
    model = StoppedMLP((4,), l2=0.1, weighted=weighted, random_state=seed).fit(*rows)
    net = model.network_
    weight = np.where(y == 1, (1 - y).sum() / y.sum(), 1.0) if weighted else np.ones(BATCH)
    weight = weight * BATCH / weight.sum()
    theta = np.concatenate(
        [part.ravel() for layer in zip(net.coefs_, net.intercepts_, strict=True) for part in layer]
    )
    F = Objective(Network((3, 4, 1), "logistic"), CROSS_ENTROPY, X, y.astype(float), weight, 0.1)
    activations = [X, *(np.empty((BATCH, n)) for n in (4, 1))]
    deltas, coefs, intercepts = [None] * 2, [None] * 2, [None] * 2
    net._backprop(X, y[:, None], weight, activations, deltas, coefs, intercepts)
    theirs = np.concatenate(
        [part.ravel() for layer in zip(coefs, intercepts, strict=True) for part in layer]
    )
    assert_allclose(theirs, F(theta)[1], atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_scikit_learns_network_with_early_stopping(rows, weighted, seed):
    X, y = rows
    ours = StoppedMLP((5,), l2=1e-3, weighted=weighted, random_state=seed).fit(X, y)
    theirs = MLPClassifier(
        (5,), activation="logistic", alpha=2e-3 * BATCH, early_stopping=True, random_state=seed
    ).fit(X, y, sample_weight=np.where(y == 1, 5, 5 / 9) if weighted else None)  # n / (2 n_k)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-12)
    assert ours.n_iter_ == theirs.n_iter_ < theirs.max_iter
    assert (ours.predict(X) == theirs.predict(X)).all()
    assert list(ours.classes_) == [0, 1]
