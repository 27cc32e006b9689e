"""Tests of crcen.theory.multiclass: the key equations of K classes, and what they leave open."""

from contextlib import nullcontext
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from crcen.key_equation import key_equation
from crcen.theory.multiclass import circulation, class_balance


@given(st.floats(0.05, 0.95))
def test_two_classes_have_the_key_equation(seed, lam):
    p, y = np.random.default_rng(seed).uniform(0.1, 0.9, 12), np.repeat([1, 0], [4, 8])
    found = class_balance(y, np.column_stack([1 - p, p]), [1 - lam, lam])
    residual = key_equation(y, p, lam).residual
    assert found.residual == pytest.approx([1 / (1 + residual) - 1, residual])


def test_flows_by_hand():
    P = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.3, 0.1, 0.6]])
    found = class_balance([0, 1, 2, 2], P, [1.0, 2.0, 3.0])
    np.testing.assert_allclose(found.flow, [[0.5, 0.3, 0.2], [0.2, 1.6, 0.2], [1.5, 0.9, 3.6]])
    np.testing.assert_allclose(found.out, [0.5, 0.4, 2.4])
    np.testing.assert_allclose(found.into, [1.7, 1.2, 0.4])
    np.testing.assert_allclose(found.residual, found.out / found.into - 1)


def test_a_weighted_softmax_regression_satisfies_all_equations():
    X, y = load_digits(n_class=4, return_X_y=True)
    weight = np.linspace(1, 4, 4)
    clf = LogisticRegression(
        C=1e-3, class_weight=dict(enumerate(weight)), solver="newton-cholesky", tol=1e-9
    ).fit(X, y)
    P = clf.predict_proba(X)
    assert np.abs(class_balance(y, P, weight).residual).max() < 1e-6
    assert np.abs(class_balance(y, P, np.ones(4)).residual).max() > 0.01


# Proposition 12, part 2: the equations as a linear map of the flows.
@pytest.mark.parametrize("K", [2, 3, 5])
def test_the_flows_left_free_have_k_minus_1_squared_dimensions(K):
    columns = []
    for j, k in permutations(range(K), 2):
        P = np.eye(K)
        P[j, j], P[j, k] = 0.0, 1.0
        # The other classes, if there are any, are certain: their residual is 0/0.
        with pytest.warns(RuntimeWarning, match="give nothing") if K > 2 else nullcontext():
            found = class_balance(np.arange(K), P, np.ones(K))
        columns.append(found.out - found.into)
    equations = np.array(columns).T
    assert np.linalg.matrix_rank(equations) == K - 1
    assert equations.shape[1] - np.linalg.matrix_rank(equations) == (K - 1) ** 2
    np.testing.assert_allclose(equations.sum(axis=0), 0)
    # Even pairs solve them, and beyond those only circles of net flows.
    pairs = list(permutations(range(K), 2))
    even = np.array([[{j, k} == set(pair) for j, k in pairs] for pair in combinations(range(K), 2)])
    np.testing.assert_allclose(equations @ even.T, 0)
    assert np.linalg.matrix_rank(even) == K * (K - 1) / 2
    assert (K - 1) ** 2 - len(even) == (K - 1) * (K - 2) / 2


# Part 3: a saturated model is the minimiser over all functions of its cells.
def test_the_minimiser_over_all_functions_has_symmetric_flows(seed):
    rng = np.random.default_rng(seed)
    counts, weight = rng.integers(1, 20, (6, 3)), np.array([1.0, 2.0, 5.0])  # cells, classes
    y = np.concatenate([np.repeat([0, 1, 2], row) for row in counts])
    cell = np.repeat(np.arange(6), counts.sum(axis=1))
    P = (weight * counts / (weight * counts).sum(axis=1, keepdims=True))[cell]
    found = class_balance(y, P, weight)
    np.testing.assert_allclose(found.flow, found.flow.T)
    np.testing.assert_allclose(found.residual, 0, atol=1e-12)


def test_two_tables_of_errors_satisfy_the_same_equations():
    forward = np.array([[0.7, 0.3, 0.0], [0.0, 0.7, 0.3], [0.3, 0.0, 0.7]])
    for P in (forward, forward.T, (forward + forward.T) / 2):
        np.testing.assert_allclose(class_balance([0, 1, 2], P, [1, 1, 1]).residual, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("y", "P", "weight", "message"),
    [
        ([0, 2], np.eye(2), [1, 1], "P must have a row for each of the 2 labels"),
        ([0, 1], np.eye(3)[:2], [1, 1], r"got shape \(2, 3\)"),
        ([0, 1], np.ones((2, 2)), [1, 1], "each row summing to 1"),
        ([0, 1], np.eye(2), [1, 0], "class_weight=.* must be positive"),
    ],
)
def test_what_does_not_fit_is_refused(y, P, weight, message):
    with pytest.raises(ValueError, match=message):
        class_balance(y, P, weight)


def test_what_goes_round_is_counted_once_a_pair():
    even = np.array([[9.0, 2, 3], [2, 9, 4], [3, 4, 9]])
    assert circulation(even) == 0
    assert circulation(even + np.eye(3)[[1, 2, 0]]) == pytest.approx(3 / 21)
    assert circulation([[0, 5], [0, 0]]) == 1
    assert circulation(1e300 * even) == 0


@pytest.mark.parametrize("flow", [np.zeros((2, 2)), np.eye(3), np.ones((2, 3)), -np.ones((2, 2))])
def test_no_flow_has_no_circulation(flow):
    with pytest.raises(ValueError, match="flow"):
        circulation(flow)
