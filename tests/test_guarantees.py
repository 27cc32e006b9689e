"""Tests of crcen.theory.guarantees, against linear programmes over laws on a grid."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog

from crcen import CRCENClassifier
from crcen.theory.guarantees import share_above
from crcen.theory.laws import gaussian_point

ROUNDING = 1e-6  # of a linear programme, whose tolerance is 1e-7 a constraint
units = st.floats(0.01, 0.99)


def most_extreme(mean, variance, t, sign, n=401):
    """Search all laws on a grid for the least or the largest share above t, by linear programming.

    The grid has t itself, which the supremum counts and the infimum does not, and the places to
    which Cantelli's inequality sends the other atom.
    """
    points = [np.linspace(0, 1, n), [t, mean]]
    if variance is not None and mean != t:
        points.append(np.clip([mean - variance / (t - mean)], 0, 1))
    x = np.unique(np.concatenate(points))
    above = x >= t if sign > 0 else x > t
    moments = [np.ones(x.size), x] + [(x - mean) ** 2] * (variance is not None)
    values = [1.0, mean] + [variance] * (variance is not None)
    found = linprog(-sign * above.astype(float), A_eq=np.array(moments), b_eq=values)
    assert found.status == 0, found.message
    return -sign * found.fun


@given(units, st.floats(0.002, 0.998), units)
def test_no_law_exceeds_the_bounds_and_one_attains_them(mean, share, t):
    assume(0.02 < t < 0.98 and abs(mean - t) > 0.01)
    variance = share * mean * (1 - mean)
    # On a grid the variance about the mean is at least what the two neighbours force: the mean
    # itself is a point, so every variance can be had.
    low, high = share_above(mean, variance, t)
    assert most_extreme(mean, variance, t, 1) == pytest.approx(high, abs=ROUNDING)
    assert most_extreme(mean, variance, t, -1) == pytest.approx(low, abs=ROUNDING)


@given(units, units)
def test_the_mean_alone_is_the_worst_variance(mean, t):
    assume(0.02 < t < 0.98)
    low, high = share_above(mean, threshold=t)
    assert most_extreme(mean, None, t, 1) == pytest.approx(high, abs=ROUNDING)
    assert most_extreme(mean, None, t, -1) == pytest.approx(low, abs=ROUNDING)
    variances = np.linspace(0, mean * (1 - mean), 101)
    least, most = share_above(mean, variances, t)
    assert (least >= low - 1e-12).all()
    assert (most <= high + 1e-12).all()
    assert share_above(mean, max(0, mean * (t - mean)), t).high == pytest.approx(high)
    assert share_above(mean, max(0, (1 - mean) * (mean - t)), t).low == pytest.approx(low)


@pytest.mark.parametrize("ends", [[0.0, 0.5], [0.5, 1.0], [0.2, 0.5], [0.0, 1.0], [0.0, 0.5, 1.0]])
def test_laws_that_attain_them(ends):
    rng = np.random.default_rng(0)
    x, w = np.array(ends), rng.dirichlet(np.ones(len(ends)))
    mean = w @ x
    bounds = share_above(mean, w @ (x - mean) ** 2)
    above, reached = w @ (x > 0.5), w @ (x >= 0.5)  # a tie is counted by the one or the other
    attained = above == pytest.approx(bounds.low) or reached == pytest.approx(bounds.high)
    assert attained


def test_any_sample_keeps_them_and_the_softness(seed):
    rng = np.random.default_rng(seed)
    for a, b in np.exp(rng.normal(size=(50, 2))):
        p = rng.beta(a, b, size=30)
        low, high = share_above(p.mean(), p.var())
        assert low - 1e-12 <= np.mean(p > 0.5) <= high + 1e-12
        assert abs(np.mean(p > 0.5) - p.mean()) <= 2 * np.mean(p * (1 - p))


@given(st.floats(0.1, 0.9), st.floats(0, 1))
def test_beyond_the_worst_variance_the_bounds_lie_about_the_mean(mean, share):
    worst, most = abs(mean - 0.5) * min(mean, 1 - mean), mean * (1 - mean)
    variance = worst + share * (most - worst)
    low, high = share_above(mean, variance)
    half = 2 * (most - variance)
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=1e-9)


# Part 4: the error of the minimiser lies between those of Cover and Hart's theorem.
@pytest.mark.parametrize("distance", [0.5, 1.5, 3.0])
@pytest.mark.parametrize("alpha", [0.1, 1.0, 4.0])
def test_the_weighted_error_of_the_minimiser(distance, alpha):
    point, share = gaussian_point(distance, alpha), alpha / (1 + alpha)
    error = share * (1 - point.recall) + (1 - share) * (1 - point.specificity)
    nearest = 2 * share * (1 - point.p1bar)
    assert error <= nearest <= 2 * error * (1 - error)


# The three groups stand where a linear programme over all data of one feature puts them.
def test_a_logistic_regression_with_fewer_than_nine_tenths_of_its_majority_right():
    x = np.repeat([-0.65, -4.55, 0.0], [1000, 8890, 1110])
    y = np.repeat([1, 0, 0], [1000, 8890, 1110])
    clf = CRCENClassifier((), lam=0.5, l2=0.0, tol=1e-9).fit(x[:, None], y)
    p = clf.predict_proba(x[:, None])[:, 1]
    assert p[y == 0].mean() < 0.1
    assert (p[y == 0] <= 0.5).mean() == pytest.approx(0.889)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": 1.2}, "mean=1.2 must be from 0 to 1"),
        ({"mean": 0.5, "variance": 0.3}, r"variance=0.3 is above m\(1-m\) at mean=0.5"),
        ({"mean": 0.5, "threshold": 1}, "threshold=1 must be strictly between 0 and 1"),
        ({"mean": [0.5, 0.5], "variance": [0.1] * 3}, "do not fit each other"),
    ],
)
def test_what_is_no_mean_or_variance_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        share_above(**arguments)
