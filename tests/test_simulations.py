"""Tests of crcen.theory.simulations against the moments of the distributions of section 3.4."""

import numpy as np
import pytest
from conftest import Z
from scipy.special import ndtr

from crcen.theory.simulations import sim1, sim2

N = 500_000
# A variable of sim1 is N(m, 1) plus a uniform one of width 1/2, whose variance is 1/48.
SIM1 = {1: (-1.5 + 0.25, 1 + 1 / 48), 0: (1.5 - 0.25, 1 + 1 / 48)}
# A mixture of two has the mean of their means m and m', and the mean of their variances plus
# ((m - m')/2)^2.
MIXTURE = {1: (-0.625, (1 + 1 / 48) / 2 + 0.875**2), 0: (0.625, (1 + 1 / 48) / 2 + 0.875**2)}
SIM2 = {
    "covariance": {1: (0, 1.2), 0: (1, 1)},
    "deviation": {1: (0, 1.2**2), 0: (1, 1)},
}


def sim1_mixed(n1, n0, rng):
    return sim1(n1, n0, rng, plus="mixture")


def sim2_by_deviation(n1, n0, rng):
    return sim2(n1, n0, rng, sigma1="deviation")


def assert_moments(x, mean, variance):
    """Compare every column of x with its mean and variance, within Z standard errors."""
    assert abs(x.mean(axis=0) - mean).max() < Z * np.sqrt(variance / len(x))
    errors = np.cov(x.T).reshape(x.shape[1], -1) - variance * np.eye(x.shape[1])
    assert abs(errors).max() < Z * variance * np.sqrt(2 / len(x))


@pytest.mark.parametrize("label", [1, 0])
def test_moments_of_sim1(label, seed):
    X, y = sim1(N, N, np.random.default_rng(seed))
    assert_moments(X[y == label], *SIM1[label])
    X, y = sim1_mixed(N, N, np.random.default_rng(seed))
    assert_moments(X[y == label], *MIXTURE[label])
    low = 0 if label else -0.5
    half = 0.5 + 0.5 * np.diff(ndtr(low + np.array([0, 0.5]) + (1.5 if label else -1.5)))[0]
    inside = ((X[y == label] > low) & (X[y == label] < low + 0.5)).mean()
    assert abs(inside - half) < Z * np.sqrt(half * (1 - half) / N)


@pytest.mark.parametrize("label", [1, 0])
@pytest.mark.parametrize("reading", ["covariance", "deviation"])
def test_moments_of_sim2(reading, label, seed):
    X, y = sim2(N, N, np.random.default_rng(seed), sigma1=reading)
    assert_moments(X[y == label], *SIM2[reading][label])


def test_the_plus_is_read_as_a_sum_unless_told(seed):
    (X, _), (expected, _) = (
        sim1(5, 5, np.random.default_rng(seed), *reading) for reading in ((), ("sum",))
    )
    np.testing.assert_array_equal(X, expected)


def test_sigma1_is_read_as_the_covariance_unless_told(seed):
    (X, _), (expected, _) = (
        sim2(5, 5, np.random.default_rng(seed), *reading) for reading in ((), ("covariance",))
    )
    np.testing.assert_array_equal(X, expected)


@pytest.mark.parametrize(
    ("simulate", "columns"), [(sim1, 1), (sim1_mixed, 1), (sim2, 3), (sim2_by_deviation, 3)]
)
def test_minority_rows_come_first(simulate, columns, seed):
    X, y = simulate(3, 20, np.random.default_rng(seed))
    assert X.shape == (23, columns)
    assert (X.dtype, y.dtype) == (np.float64, np.int64)
    np.testing.assert_array_equal(y, [1] * 3 + [0] * 20)


@pytest.mark.parametrize("simulate", [sim1, sim1_mixed, sim2, sim2_by_deviation])
def test_the_seed_fixes_the_draw(simulate, seed):
    seeds = seed, seed, seed + 1
    first, again, other = (simulate(3, 20, np.random.default_rng(s))[0] for s in seeds)
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_an_unknown_reading_of_the_plus():
    with pytest.raises(ValueError, match=r"^plus='convolution' must be 'sum' or 'mixture'"):
        sim1(3, 20, np.random.default_rng(0), plus="convolution")


def test_an_unknown_reading_of_sigma1():
    with pytest.raises(ValueError, match=r"^sigma1='sd' must be 'covariance' or 'deviation'"):
        sim2(3, 20, np.random.default_rng(0), sigma1="sd")
