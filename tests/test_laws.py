"""Tests of crcen.theory.laws, each against a computation that shares no formula with it."""

import numpy as np
import pytest
from conftest import SEED, Z
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from crcen import CRCENClassifier, lam_from_alpha
from crcen.key_equation import fresh_key_equation
from crcen.theory.laws import (
    expense_band,
    fresh_ratio_spread,
    gaussian_point,
    platt_line,
    sample_point,
)

distances = st.floats(0.2, 6)
alphas = st.floats(0.01, 100)

# Three pairs of densities on the line, of which only the first has one covariance.
PAIRS = {
    "one covariance": (norm(1, 1), norm(-1, 1)),
    "two variances": (norm(0.5, 0.7), norm(0, 1.5)),
    "no overlap to speak of": (norm(4, 1), norm(-4, 1)),
}


# Proposition 1: Eq. 7 is an identity


@given(distances, alphas)
def test_equation_7_is_an_identity_for_gaussians(distance, alpha):
    point = gaussian_point(distance, alpha)
    assert point.p0bar == pytest.approx(alpha * (1 - point.p1bar), rel=1e-8)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 7.0])
@pytest.mark.parametrize("pair", PAIRS)
def test_equation_7_is_an_identity_for_any_densities(pair, alpha):
    f1, f0 = PAIRS[pair]

    def p(x):
        return expit(f1.logpdf(x) - f0.logpdf(x) + np.log(alpha))

    missed = quad(lambda x: f1.pdf(x) * (1 - p(x)), -15, 15, points=[-4, 0, 4], epsabs=0)[0]
    false = quad(lambda x: f0.pdf(x) * p(x), -15, 15, points=[-4, 0, 4], epsabs=0)[0]
    assert false == pytest.approx(alpha * missed, rel=1e-6)


# Proposition 2: the minimiser is r + log(alpha), so lambda is a shift of the prior


@pytest.mark.parametrize("alpha", [0.1, 1.0, 7.0])
def test_the_logit_that_minimises_the_weighted_loss_is_r_plus_log_alpha(alpha):
    n1, n0, f1, f0 = 1, 10, 0.3, 0.05  # class counts and densities at a point
    lam = lam_from_alpha(alpha, n0 / n1)

    def loss(o):  # Eq. 1 at this point
        return -lam * n1 * f1 * np.log(expit(o)) - (1 - lam) * n0 * f0 * np.log(expit(-o))

    best = minimize_scalar(loss, bounds=(-20, 20), method="bounded", options={"xatol": 1e-9}).x
    assert best == pytest.approx(np.log(f1 / f0) + np.log(alpha), abs=1e-5)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 7.0])
@pytest.mark.parametrize("distance", [0.5, 2.0, 5.0, 12.0])
def test_gaussian_point_is_what_adaptive_quadrature_finds(distance, alpha):
    point = gaussian_point(distance, alpha)
    for k, (mean, variance) in enumerate([(point.p0bar, point.var0), (point.p1bar, point.var1)]):
        r = norm((k - 0.5) * distance**2, distance)
        step = -np.log(alpha)

        def moment(g, r=r, step=step):
            low, high = r.mean() - 14 * r.std(), r.mean() + 14 * r.std()
            points = [step, r.mean()]
            return quad(lambda x: r.pdf(x) * g(expit(x - step)), low, high, points=points)[0]

        first = moment(lambda p: p)
        assert mean == pytest.approx(first, rel=1e-6, abs=1e-8)
        assert variance == pytest.approx(
            moment(lambda p, m=first: (p - m) ** 2), rel=1e-6, abs=1e-8
        )


# Rows of two normal classes in the plane, decided by their densities.
def test_gaussian_point_is_what_rows_of_the_two_classes_do(seed):
    rng = np.random.default_rng(seed)
    n, alpha = 200_000, 0.3
    covariance, shift = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([1.5, -0.5])
    distance = np.sqrt(shift @ np.linalg.solve(covariance, shift))
    draws = {k: rng.multivariate_normal(k * shift, covariance, n) for k in (1, 0)}

    def log_density(x, mean):
        return -0.5 * ((x - mean) @ np.linalg.inv(covariance) * (x - mean)).sum(axis=1)

    r1, r0 = (log_density(x, shift) - log_density(x, 0 * shift) for x in draws.values())
    exact, drawn = gaussian_point(distance, alpha), sample_point(r1, r0, alpha)
    for name in exact._fields:
        assert getattr(drawn, name) == pytest.approx(getattr(exact, name), abs=Z * 0.5 / n**0.5)


def test_sample_point_counts_rows():
    r1, r0 = np.array([2.0, -1.0, 0.5]), np.array([-3.0, 0.2])
    point = sample_point(r1, r0, [0.5, 1.0])
    for i, alpha in enumerate([0.5, 1.0]):
        p1, p0 = (alpha * np.exp(r) / (1 + alpha * np.exp(r)) for r in (r1, r0))
        expected = p1.mean(), p0.mean(), p1.var(), p0.var(), (p1 > 0.5).mean(), (p0 <= 0.5).mean()
        np.testing.assert_allclose([field[i] for field in point], expected, rtol=1e-12)


# Proposition 3: the spread of Table 1


@pytest.mark.slow
def test_spread_is_that_of_trained_models_on_fresh_rows(seed):
    rng = np.random.default_rng(seed)
    train, fresh, alpha, runs, distance = (300, 1500), (200, 400), 0.5, 400, 1.5

    def draw(n1, n0):
        y = np.repeat([1, 0], [n1, n0])
        return (distance * y + rng.normal(size=y.size))[:, None], y

    lam, ir = lam_from_alpha(alpha, train[1] / train[0]), train[1] / train[0]
    ratios = []
    for _ in range(runs):
        clf = CRCENClassifier((), lam=lam, l2=0.0).fit(*draw(*train))
        X, y = draw(*fresh)
        ratios.append(fresh_key_equation(y, clf.predict_proba(X)[:, 1], lam, ir).lhs)
    predicted = fresh_ratio_spread(gaussian_point(distance, alpha), train, fresh)
    # The standard error of a standard deviation is 1 / sqrt(2 runs) of it.
    assert np.std(ratios) / np.mean(ratios) == pytest.approx(predicted, rel=Z / (2 * runs) ** 0.5)


# Each of its four terms is the variance of a mean, relative to that mean.
@pytest.mark.parametrize("few", range(4))
def test_spread_comes_from_the_smallest_sample(few):
    point = gaussian_point(1.5, 0.5)
    rows = [10**9] * 4
    rows[few] = 50
    spread = fresh_ratio_spread(point, (rows[0], rows[1]), (rows[2], rows[3]))
    rng = np.random.default_rng([SEED, few])
    r = rng.normal(1.5**2 / 2 * (1 if few % 2 == 0 else -1), 1.5, (20_000, 50))
    p = expit(r + np.log(0.5))
    means = (1 - p if few % 2 == 0 else p).mean(axis=1)
    assert spread == pytest.approx(means.std() / means.mean(), rel=Z / (2 * means.size) ** 0.5)


# Proposition 4: the expense law


@given(distances, alphas, st.floats(1, 50))
def test_marginal_expense_is_alpha_ir(distance, alpha, ratio):
    step = 1e-4
    a = alpha * np.array([1 - step, 1 + step])
    point = gaussian_point(distance, a)
    gained, added = np.diff(point.recall)[0], -np.diff(point.specificity)[0]
    if gained > 1e-9:  # else rounding decides
        low, high = expense_band(alpha, alpha, ratio)
        assert low == high == pytest.approx(ratio * added / gained, rel=1e-3)


@pytest.mark.parametrize(("before", "after"), [(0.1, 0.5), (0.5, 1), (1, 1.5), (1, 20)])
@pytest.mark.parametrize("pair", ["one covariance", "two variances"])
def test_expense_of_a_step_lies_in_its_band(pair, before, after):
    f1, f0 = PAIRS[pair]
    x = np.linspace(-15, 15, 200_001)
    r = f1.logpdf(x) - f0.logpdf(x)
    between = (r > -np.log(after)) & (r <= -np.log(before))
    added, gained = (10 * f0.pdf(x)[between].sum(), f1.pdf(x)[between].sum())
    low, high = expense_band(before, after, 10)
    assert low < added / gained < high


def test_the_papers_example_on_abalone_lies_in_its_band():
    low, high = expense_band(0.5, 1, 3786 / 391)  # majority and minority rows of Table 2
    assert low < (263 - 158) / (32 - 13) < high


# Proposition 5: the distance to the band is the calibration error at the boundary


# Logits of the wrong offset and scale, as of an overconfident model: their calibration line is
# fitted to weighted rows, the expense of a small shift comes from the two normal distributions.
@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (-1.0, 2.0), (0.8, 0.5)])
def test_marginal_expense_off_the_band_is_the_calibration_error(offset, scale, seed):
    rng = np.random.default_rng(seed)
    distance, alpha, ratio, n = 1.5, 0.7, 8.0, 200_000
    classes = {k: norm((k - 0.5) * distance**2, distance) for k in (1, 0)}
    y = np.repeat([1, 0], n)
    r = np.concatenate([classes[k].rvs(n, random_state=rng) for k in (1, 0)])
    o = offset + scale * (r + np.log(alpha))
    weight = np.where(y == 1, alpha, 1.0)
    line = LogisticRegression(C=np.inf, tol=1e-8).fit(o[:, None], y, sample_weight=weight)
    c = line.intercept_[0]
    # The standard error of an intercept of weighted rows, from curvature and scores.
    p, rows = line.predict_proba(o[:, None])[:, 1], np.column_stack([np.ones_like(o), o])
    curvature = np.linalg.inv(rows.T @ (rows * (weight * p * (1 - p))[:, None]))
    scores = rows * (weight * (y - p))[:, None]
    error = np.sqrt((curvature @ scores.T @ scores @ curvature)[0, 0])

    ends = -np.log(alpha) + (np.array([-0.001, 0.001]) - offset) / scale  # o = -0.001 and 0.001
    added, gained = (np.diff(classes[k].cdf(ends))[0] for k in (0, 1))
    at_boundary, _ = expense_band(alpha, alpha, ratio)
    assert ratio * added / gained == pytest.approx(
        at_boundary * np.exp(-c), rel=np.expm1(Z * error)
    )


# Errors


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("distance", lambda v: gaussian_point(v, 1)),
        ("alpha", lambda v: gaussian_point(1, v)),
        ("alpha", lambda v: sample_point([0], [0], v)),
        ("before", lambda v: expense_band(v, 1, 10)),
        ("after", lambda v: expense_band(1, v, 10)),
        ("imbalance_ratio", lambda v: expense_band(1, 2, v)),
    ],
)
def test_what_must_be_positive_and_finite(name, function, value):
    with pytest.raises(ValueError, match=f"^{name}={value!r} must be positive and finite"):
        function(value)


def test_counts_must_be_positive():
    point = gaussian_point(1, 1)
    with pytest.raises(ValueError, match=r"^fresh=\(0, 5\) must be positive"):
        fresh_ratio_spread(point, (5, 5), (0, 5))
    with pytest.raises(ValueError, match=r"^train=\(5, -1\) must be positive"):
        fresh_ratio_spread(point, (5, -1), (5, 5))


def test_a_step_goes_up():
    with pytest.raises(ValueError, match=r"^after=0.5 is below before=1: give the smaller"):
        expense_band(1, 0.5, 10)


@pytest.mark.parametrize(
    ("r1", "r0", "text"),
    [
        ([], [0], r"^r1 is empty: pass clf.decision_function"),
        ([0], [[0]], r"^r0=\[\[0\]\] must be a vector, got shape \(1, 1\): pass"),
        ([0, float("nan")], [0], r"^r1=\[0, nan\] must be free of nan: .*decision_function"),
    ],
)
def test_ratios_must_be_vectors_of_numbers(r1, r0, text):
    with pytest.raises(ValueError, match=text):
        sample_point(r1, r0, 1)


# Platt's line: through two points there is one line, so the fit is the odds that were counted


@pytest.mark.parametrize("weight", [None, [3.0] * 4 + [1.0] * 6, [0.5] * 10])
def test_a_line_over_two_logits_goes_through_the_log_odds_at_each(weight):
    o = np.array([-1.0, -1, 4, 4, -1, -1, -1, -1, 4, 4])
    y = np.array([1] * 4 + [0] * 6)
    low, high = np.log(2 / 4), np.log(2 / 2)
    if weight and weight[0] == 3:  # a minority row counts three times
        low, high = low + np.log(3), high + np.log(3)
    a, b = platt_line(o, y, weight)
    assert (a - b, a + 4 * b) == pytest.approx((low, high), abs=1e-3)


def test_logits_that_are_right_have_the_line_0_1_and_others_the_line_that_rights_them(seed):
    rng = np.random.default_rng(seed)
    r = rng.normal(size=200_000)
    y = (rng.uniform(size=r.size) < expit(r)).astype(int)
    p = expit(r)  # the standard errors of intercept and slope, by Fisher's information
    error = max(1 / np.sqrt([(p * (1 - p)).sum(), (p * (1 - p) * r**2).sum()]))
    assert platt_line(r, y) == pytest.approx((0, 1), abs=Z * error)
    assert platt_line(3 * r - 2, y) == pytest.approx((2 / 3, 1 / 3), abs=Z * error)


@pytest.mark.parametrize(
    ("logits", "y", "text"),
    [
        ([0, 1], [0, 1, 1], r"^logits must hold one .* the 3 labels, got shape \(2,\)"),
        ([0, 1], [1, 1], "needs both classes"),
        ([0, 1], [1, 2], r"^y must be a vector of 0 \(majority\) and 1"),
    ],
)
def test_a_line_needs_a_logit_for_each_label_of_two_classes(logits, y, text):
    with pytest.raises(ValueError, match=text):
        platt_line(logits, y)
