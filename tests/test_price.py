"""Tests of crcen.theory.price: closed forms against samples, expansions against trained fits."""

import numpy as np
import pytest
from conftest import RARE, Z
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, ndtr
from scipy.stats import binom, chi2
from sklearn.linear_model import LogisticRegression

from crcen import CRCENClassifier
from crcen.theory.price import (
    Limit,
    expected_cost,
    gaussian_price,
    misspecification,
    price_of_fit,
    sandwich,
)


def parameters(clf):
    return np.r_[clf.intercepts_[-1], clf.coefs_[0].ravel()]


def fit(X, y, lam):
    return parameters(CRCENClassifier((), lam=lam, l2=0.0, tol=1e-8).fit(X, y))


def gaussian(n1, ratio, distance, d, rng):
    y = np.repeat([1, 0], [n1, n1 * ratio])
    X = rng.normal(size=(y.size, d))
    X[:, 0] += distance * (y - 0.5)
    return X, y


# Proposition 15


@given(st.floats(0.5, 6), st.integers(1, 50), st.floats(1.5, 200), st.floats(0.2, 5))
def test_a_weight_never_costs_less_in_a_model_that_is_right(distance, d, ratio, alpha):
    price = gaussian_price(distance, d, ratio, alpha)
    assert price.plain > 0
    assert price.factor >= 1 - 1e-6  # rounding of integrals


@pytest.mark.parametrize("ratio", [1.0, 7.0])
def test_the_plain_weight_costs_nothing(ratio):
    assert gaussian_price(2.0, 4, ratio, alpha=1 / ratio).factor == pytest.approx(1, rel=1e-9)


# The lemma of the proof: at the truth the weighted score is the plain one over D(x).
@given(st.floats(-5, 5), st.floats(0.01, 0.99), st.sampled_from([0, 1]))
def test_a_weight_is_a_discount_of_the_plain_score(logit, lam, y):
    p = expit(logit)
    weighted = expit(logit + np.log(lam / (1 - lam)))
    score = (lam if y else 1 - lam) * (y - weighted)
    discount = lam * (1 - lam) / (lam * p + (1 - lam) * (1 - p))
    assert score == pytest.approx(discount * (y - p), rel=1e-9)


# The sandwich of a large sample gives the covariance that the integrals of the closed form have.
@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_the_closed_form_is_the_sandwich_at_the_boundary(alpha, seed):
    rng = np.random.default_rng(seed)
    distance, d, ratio, n1 = 1.5, 3, 6, 40_000
    X, y = gaussian(n1, ratio, distance, d, rng)
    truth = np.r_[0.0, distance, np.zeros(d - 1)]
    lam = alpha * ratio / (1 + alpha * ratio)
    price = gaussian_price(distance, d, ratio, alpha)
    at = -np.log(alpha) / distance
    normal = np.exp(-((at + distance / 2) ** 2) / 2) / np.sqrt(2 * np.pi)
    for expected, weight in ((price.plain, 0.5), (price.weighted, lam)):
        odds = weight / (1 - weight) / ratio
        S = sandwich(X, y, truth + np.r_[np.log(odds), np.zeros(d)], weight).covariance
        # E[z' S z] on the boundary, where the discriminant is fixed and the rest is normal
        on = np.r_[1, at, np.zeros(d - 1)]
        form = on @ S @ on + np.trace(S[2:, 2:])
        excess = form * 2 * normal / (1 + alpha) / distance / 4 / (1 + ratio)
        # A mean over 40,000 minority rows of what varies by a few times its size.
        assert excess == pytest.approx(expected, rel=Z * 3 / n1**0.5)


# Trained fits, with few columns and enough rows for the first order: their mean excess, which is
# known exactly for each, is the predicted one, and so is the factor.
@pytest.mark.slow
def test_the_excess_of_trained_fits_is_the_predicted_one(seed):
    rng = np.random.default_rng(seed)
    distance, d, ratio, n1, samples = 2.0, 3, 20, 400, 250
    excess = []
    for _ in range(samples):
        X, y = gaussian(n1, ratio, distance, d, rng)
        rules = [fit(X, y, 0.5) + np.r_[np.log(ratio), np.zeros(d)], fit(X, y, "balanced")]
        at = [
            [(t[0] + s * distance / 2 * t[1]) / np.linalg.norm(t[1:]) for s in (1, -1)]
            for t in rules
        ]
        excess.append([(1 - ndtr(a) + ndtr(b)) / 2 - ndtr(-distance / 2) for a, b in at])
    excess = n1 * np.array(excess)
    error = excess.std(axis=0, ddof=1) / samples**0.5
    price = gaussian_price(distance, d, ratio)
    # The next order is of the size of parameters over minority rows, 0.01, times a few.
    np.testing.assert_array_less(
        abs(excess.mean(axis=0) - price), Z * error + 0.04 * np.array(price)
    )
    assert excess[:, 1].mean() > excess[:, 0].mean()


# Limits of wrong models


# A wrong model: what is left of the mean parameters and of their covariance after training many
# times is what one large sample foretells.
@pytest.mark.slow
@pytest.mark.parametrize("lam", [0.5, 0.85])
def test_covariance_and_bias_are_those_of_trained_fits(lam, seed):
    rng = np.random.default_rng(seed)
    n1, ratio, samples = 150, 5, 600

    def draw(n1):
        y = np.repeat([1, 0], [n1, n1 * ratio])
        X = rng.normal(size=(y.size, 2)) * np.where(y == 1, 1.6, 1.0)[:, None]
        X[:, 0] += y
        return X, y

    X, y = draw(60_000)
    theta = fit(X, y, lam)
    limit, n = sandwich(X, y, theta, lam), n1 * (1 + ratio)
    found = np.array([fit(*draw(n1), lam) for _ in range(samples)])
    off = n * (found.mean(axis=0) - theta)
    spread = np.sqrt(np.diag(limit.covariance))
    # Standard errors of the mean of the samples and of the large one.
    error = n * spread * (1 / (samples * n) + 1 / y.size) ** 0.5
    np.testing.assert_array_less(abs(off - limit.bias), Z * error)
    measured = n * np.cov(found.T)
    # A covariance of 600 samples is off by 1/sqrt(300) of its diagonal; the next order is 3/150.
    scale = np.outer(spread, spread)
    np.testing.assert_array_less(abs(measured - limit.covariance) / scale, Z / 300**0.5 + 0.05)


# With one column of zeros and ones the fit is two log-odds, whose bias and variance are textbook:
# log(a/b) of counts has the variance 1/a + 1/b and the bias (1/b - 1/a)/2 for Poisson counts. Of a
# class with fixed count, one cell determines the other, and the difference of the two log-odds is
# the log of an odds ratio.
def test_the_slope_of_a_two_by_two_table_is_the_log_odds_ratio():
    table = np.array([[300, 100], [40, 60]])  # majority and minority, by the column
    y = np.repeat([0, 0, 1, 1], table.ravel())
    X = np.repeat([0.0, 1, 0, 1], table.ravel())[:, None]
    n = y.size
    a, b, c, d = table.ravel()
    theta = np.array([np.log(c / a), np.log(d / b) - np.log(c / a)])
    for lam in (0.5, 0.9):
        at = theta + np.r_[np.log(lam / (1 - lam)), 0]
        limit = sandwich(X, y, at, lam)
        assert limit.covariance[1, 1] / n == pytest.approx(1 / a + 1 / b + 1 / c + 1 / d)
        # log of a binomial's odds d/c: bias (1/c - 1/d)/2, and the same with the sign for b/a
        assert limit.bias[1] / n == pytest.approx((1 / c - 1 / d) / 2 - (1 / a - 1 / b) / 2)


def test_an_expansion_of_a_quadratic_cost_is_exact(seed):
    rng = np.random.default_rng(seed)
    root, J, g = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
    J, limit = J + J.T, Limit(root @ root.T, rng.normal(size=3))
    at, k = expected_cost(lambda t: float(1 + g @ t + t @ J @ t / 2), np.zeros(3), limit)
    assert at == 1
    exact = g @ limit.bias + np.trace(J @ limit.covariance) / 2
    assert k == pytest.approx(exact, abs=1e-5 * np.abs(J).sum() * limit.covariance.max())


# Misspecification


def test_a_model_that_is_right_is_seldom_rejected_and_a_wrong_one_is(seed):
    rng = np.random.default_rng(seed)
    samples, rejected, statistics = 150, 0, []
    for _ in range(samples):
        X, y = gaussian(200, 5, 1.5, 2, rng)
        found = misspecification(X, y, fit(X, y, 0.5), fit(X, y, "balanced"), 5 / 6)
        rejected += found.p < 0.05
        statistics.append(found.statistic)
    assert found.df == 3
    # Twice the level, as the chi-squared is a limit.
    assert binom.sf(rejected - 1, samples, 0.1) > RARE
    assert np.mean(statistics) == pytest.approx(3, abs=Z * (6 / samples) ** 0.5 + 0.6)
    X, y = gaussian(1000, 5, 1.5, 2, rng)
    X[-500:, 0] += 4.0  # a tenth of the majority, on the other side of the minority
    wrong = misspecification(X, y, fit(X, y, 0.5), fit(X, y, "balanced"), 5 / 6)
    assert wrong.p < 1e-3
    assert wrong.p == pytest.approx(chi2.sf(wrong.statistic, 3))


# Estimated from a fit


def test_the_price_of_a_fit_is_that_of_its_population(seed):
    rng = np.random.default_rng(seed)
    distance, d, ratio, n1 = 2.0, 4, 8, 20_000
    X, y = gaussian(n1, ratio, distance, d, rng)
    found = price_of_fit(X, y, fit(X, y, 0.5))
    price = gaussian_price(distance, d, ratio)
    # The boundary has width 1 in the logit, over which the covariances and densities vary.
    assert found.factor == pytest.approx(price.factor, rel=0.05)
    assert found.plain == pytest.approx(price.plain, rel=0.1)


@given(st.integers(0, 10**6))
def test_the_price_of_a_fit_is_at_least_1(number):
    rng = np.random.default_rng(number)
    X, y = rng.normal(size=(40, 3)), np.repeat([1, 0], [8, 32])
    assert price_of_fit(X, y, rng.normal(size=4)).factor >= 1 - 1e-9


# scikit-learn's penalty is half the squared coefficients over C, beside the sum of the losses.
def test_a_penalty_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    X, y = gaussian(100, 3, 1.0, 2, rng)
    weight = np.where(y == 1, 0.7, 0.3)
    # By Newton's steps: lbfgs ends where rounding hides what a step of 1e-4 moves.
    exactly = {"C": 1 / 5.0, "tol": 1e-10, "solver": "newton-cholesky"}
    clf = LogisticRegression(**exactly).fit(X, y, sample_weight=weight)
    theta = np.r_[clf.intercept_, clf.coef_.ravel()]
    influence, step = [], 1e-4
    for i in (3, 200):
        moved = weight.copy()
        moved[i] += step
        other = LogisticRegression(**exactly).fit(X, y, sample_weight=moved)
        influence.append((np.r_[other.intercept_, other.coef_.ravel()] - theta) / step)
    rows = np.column_stack([np.ones(y.size), X])
    p = expit(rows @ theta)
    H = (rows * (weight * p * (1 - p))[:, None]).T @ rows + np.diag([0, 5.0, 5.0])
    expected = [np.linalg.solve(H, rows[i] * (y[i] - p[i])) for i in (3, 200)]
    np.testing.assert_allclose(influence, expected, atol=1e-3 * np.abs(expected).max())
    scores = rows * (weight * (y - p))[:, None]
    centred = scores - np.where(y[:, None] == 1, scores[y == 1].mean(0), scores[y == 0].mean(0))
    meat = centred.T @ centred
    expected = y.size * np.linalg.inv(H) @ meat @ np.linalg.inv(H)
    np.testing.assert_allclose(sandwich(X, y, theta, 0.7, 5.0).covariance, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: gaussian_price(0, 1, 2), r"^distance=0 must be positive"),
        (lambda: gaussian_price(30, 1, 2), r"^distance=30 must be from 1e-06 to 20"),
        (lambda: gaussian_price(1e-308, 1, 2), r"^distance=1e-308 must be from 1e-06"),
        (lambda: gaussian_price(2, 0, 2), r"^n_features=0 must be an integer of 1"),
        (lambda: sandwich([[1], [2]], [0, 1], [0.0], 0.5), r"^theta has 1 parameters for 1 col"),
        (lambda: sandwich([[1], [1]], [0, 1], [0.0, 1], 0.5), r"^X does not determine"),
        (lambda: sandwich([[1], [2]], [1, 1], [0.0, 1], 0.5), r"^y has 2 rows of one class"),
        (lambda: sandwich([[1], [2]], [0, 1], [0.0, 1], 1), r"^lam=1 is not a weight"),
        (lambda: sandwich([[1], [2]], [0, 1], [0.0, 1], 0.5, -1), r"^penalty=-1 must be zero"),
    ],
)
def test_what_is_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()
