"""Tests of crcen.theory.left_out, against fits without a row and Newton steps by hand."""

import numpy as np
import pytest
from conftest import Z
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from crcen import CRCENClassifier, key_equation
from crcen.theory.left_out import fresh_ratio, left_out_logits, leverage

# Sums of some hundred products, and an inverse of a matrix with a condition below 1e4.
ROUNDING = 1e-9


def two_classes(rng, n1=40, n0=160, d=3):
    y = np.repeat([1, 0], [n1, n0])
    return rng.normal(size=(y.size, d)) + y[:, None] * np.eye(d)[0], y


def test_leverages_without_a_penalty_are_the_diagonal_of_a_projection(seed):
    rng = np.random.default_rng(seed)
    Z, c = rng.normal(size=(30, 4)), rng.uniform(0.1, 1, size=30)
    J = np.sqrt(c)[:, None] * Z
    found = leverage(Z, c, np.zeros(4))
    assert found == pytest.approx(np.diag(J @ np.linalg.pinv(J)), abs=ROUNDING)
    assert found.sum() == pytest.approx(4)


@pytest.mark.parametrize("loose", [0, 1, 3])
def test_many_parameters_have_the_leverages_of_the_inverse(seed, loose):
    rng = np.random.default_rng(seed)
    Z, c = rng.normal(size=(20, 50)), rng.uniform(0.1, 1, size=20)
    penalty = np.r_[np.zeros(loose), rng.uniform(0.5, 2, size=50 - loose)]
    J = np.sqrt(c)[:, None] * Z
    by_columns = np.diag(J @ np.linalg.inv(J.T @ J + np.diag(penalty)) @ J.T)
    assert leverage(Z, c, penalty) == pytest.approx(by_columns, abs=ROUNDING)


def test_a_direction_that_nothing_determines_changes_no_leverage(seed):
    rng = np.random.default_rng(seed)
    Z, c = rng.normal(size=(30, 3)), rng.uniform(0.1, 1, size=30)
    twice = np.column_stack([Z, Z[:, 0]])
    assert leverage(twice, c, np.zeros(4)) == pytest.approx(
        leverage(Z, c, np.zeros(3)), abs=ROUNDING
    )


@pytest.mark.parametrize("unit", [1e-200, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize("k", [3, 50])  # fewer parameters than rows, and more
def test_the_unit_of_a_column_changes_no_leverage(seed, unit, k):
    rng = np.random.default_rng(seed)
    Z, c = rng.normal(size=(30, k)), rng.uniform(0.1, 1, size=30)
    units = np.r_[unit, np.ones(k - 1)]
    penalty = np.r_[0.0, rng.uniform(0.5, 2, size=k - 1)]
    assert leverage(Z * units, c, penalty) == pytest.approx(leverage(Z, c, penalty), abs=ROUNDING)


def test_a_bias_alone_has_a_closed_form():
    """Each row has the leverage of its share of the curvature, here 1/n."""
    y = np.array([1, 0, 0, 0])
    with pytest.warns(ConvergenceWarning, match="constant"):
        clf = CRCENClassifier((), lam=0.5, l2=0.0).fit(np.zeros((4, 1)), y)
    found = left_out_logits(clf, np.zeros((4, 1)), y)
    p, q, u = 0.25, 0.75, 0.25
    closed = np.where(y == 1, -u / p / (1 - u), u / q / (1 - u)) + np.log(p / q)
    assert found == pytest.approx(closed, abs=1e-5)  # the tolerance of the fit


@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_it_is_a_newton_step_to_the_fit_without_the_row(seed, l2):
    X, y = two_classes(np.random.default_rng(seed))
    clf = CRCENClassifier((), lam="balanced", l2=l2, tol=1e-10).fit(X, y)
    found = left_out_logits(clf, X, y)
    design = np.column_stack([X, np.ones(y.size)])
    theta = np.r_[clf.coefs_[0][:, 0], clf.intercepts_[0]]
    weight = np.where(y == 1, clf.lam_, 1 - clf.lam_)
    free = np.diag([2 * clf.l2_ * weight.sum()] * X.shape[1] + [0.0])
    p = expit(design @ theta)
    for i in (0, 1, 60, 199):
        rest = np.arange(y.size) != i
        gradient = design[rest].T @ (weight * (p - y))[rest] + free @ theta
        H = (design[rest].T * (weight * p * (1 - p))[rest]) @ design[rest] + free
        assert found[i] == pytest.approx(
            design[i] @ (theta - np.linalg.solve(H, gradient)), abs=1e-6
        )


@pytest.mark.parametrize("layers", [(), (3,)])
def test_it_is_near_the_fit_without_the_row(seed, layers):
    """Of what leaving a row out moves nine tenths are foreseen, of a network most, in the median.

    The median, since a network may end in another minimum without a row.
    """
    X, y = two_classes(np.random.default_rng(seed))
    options = {"l2": 0.01, "tol": 1e-8, "random_state": seed}
    clf = CRCENClassifier(layers, lam=0.8, **options).fit(X, y)
    o, found = clf.decision_function(X), left_out_logits(clf, X, y)
    some = np.r_[np.arange(0, 40, 8), np.arange(40, 200, 32)]
    without = []
    for i in some:
        rest = np.arange(y.size) != i
        without.append(CRCENClassifier(layers, lam=0.8, **options).fit(X[rest], y[rest]))
    true = np.array(
        [fit.decision_function(X[[i]])[0] for fit, i in zip(without, some, strict=True)]
    )
    off = np.median(np.abs(found[some] - true) / np.abs(o[some] - true))
    assert off < (0.5 if layers else 0.1)


def test_the_prediction_is_the_key_equation_on_the_rows_left_out(seed):
    rng = np.random.default_rng(seed)
    y, o, lam = np.repeat([1, 0], [20, 100]), rng.normal(size=120), 0.7
    equation = key_equation(y, expit(o), lam)
    assert fresh_ratio(y, o, lam, (10, 10)).ratio == pytest.approx(equation.lhs / equation.rhs)


def test_a_weight_biases_eq_7_and_plain_cross_entropy_does_not(seed):
    """Part 3 of Proposition 14, on fresh rows whose means are integrals."""
    nodes, chances = hermegauss(61)
    rng, d, n1, n0, samples = np.random.default_rng(seed), 10, 60, 300, 40
    mean = np.eye(d)[0]
    logs = {"plain": [], "weighted": [], "gap": []}
    for _ in range(samples):
        X, y = two_classes(rng, n1, n0, d)
        for name, lam in (("plain", 0.5), ("weighted", n0 / (n0 + n1))):
            clf = CRCENClassifier((), lam=lam, l2=0.0, tol=1e-7).fit(X, y)
            w, b = clf.coefs_[0][:, 0], clf.intercepts_[0][0]
            at = np.linalg.norm(w) * nodes
            fresh = chances @ expit(-(b + w @ mean + at)) / (chances @ expit(b + at))
            logs[name].append(np.log(lam / (1 - lam) * n1 / n0 * fresh))
            foreseen = fresh_ratio(y, left_out_logits(clf, X, y), lam, (1, 1)).ratio
            logs["gap"].append(logs[name][-1] - np.log(foreseen))
    se = {name: np.std(values, ddof=1) / np.sqrt(samples) for name, values in logs.items()}
    assert abs(np.mean(logs["plain"])) < Z * se["plain"] + 0.02  # second order in the leverages
    assert np.mean(logs["weighted"]) > 0.03  # about 0.1, its first order
    assert abs(np.mean(logs["gap"])) < Z * se["gap"] + 0.03


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0]], [1.0, 1.0], [0.0]), "Z has the shape"),
        (([[1.0]], [-1.0], [0.0]), "curvature"),
        (([[1.0]], [1.0], [-1.0]), "penalty"),
        (([[np.nan]], [1.0], [0.0]), "Z"),
    ],
)
def test_what_is_no_matrix_with_curvatures_and_penalties_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        leverage(*arguments)
