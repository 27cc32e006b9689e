"""Tests of crcen.kernels: the compiled functions against long doubles, in both precisions."""

import numpy as np
import pytest
from conftest import SEED

from crcen import kernels

# Units in the last place that a function may be off: a few roundings of its steps.
ULPS = 4
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def spread(dtype, largest):
    """Numbers of all sizes up to the largest, of both signs, with some of the usual ones."""
    rng = np.random.default_rng(SEED)
    sizes = 10.0 ** rng.uniform(-8, np.log10(largest), 2000) * rng.choice([-1, 1], 2000)
    return np.concatenate([sizes, [0, 1, -1, 0.5, -0.5]]).astype(dtype)


def ulps(found, expected):
    eps = np.finfo(found.dtype).eps
    return (
        np.max(np.abs(found - expected) / np.maximum(np.abs(expected), np.finfo(found.dtype).tiny))
        / eps
    )


@PRECISIONS
def test_exp(dtype):
    x = spread(dtype, 700 if dtype is np.float64 else 86)
    found = np.array([kernels.exp(v) for v in x], dtype)
    assert ulps(found, np.exp(x.astype(np.longdouble))) < ULPS


@PRECISIONS
def test_exp_beyond_its_range(dtype):
    below, above, nan = (kernels.exp(dtype(v)) for v in (-1000, 1000, np.nan))
    assert below == 0
    assert 1e30 < above < np.inf
    assert np.isnan(nan)


@PRECISIONS
def test_log_one_plus(dtype):
    e = np.abs(spread(dtype, 1.0))
    found = np.array([kernels.log_one_plus(v) for v in e[e <= 1]], dtype)
    assert ulps(found, np.log1p(e[e <= 1].astype(np.longdouble))) < ULPS


@PRECISIONS
def test_both_sides_of_a_logit(dtype):
    z = spread(dtype, 700 if dtype is np.float64 else 86)
    wide = z.astype(np.longdouble)
    found = np.array([kernels.both_sides(v) for v in z], dtype).T
    expected = 1 / (1 + np.exp(-wide)), 1 / (1 + np.exp(wide)), np.logaddexp(0, wide)
    for own, true in zip(found, expected, strict=True):
        assert ulps(own, true) < 2 * ULPS


@PRECISIONS
@pytest.mark.parametrize(
    ("activation", "function"),
    [
        (kernels.LOGISTIC, lambda a: 1 / (1 + np.exp(-a))),
        (kernels.TANH, np.tanh),
        (kernels.RELU, lambda a: np.maximum(a, 0)),
        (kernels.IDENTITY, lambda a: a),
    ],
)
def test_activations(dtype, activation, function):
    a = spread(dtype, 30)
    h = a.copy()
    kernels.activate(h, activation)
    bound = ULPS * np.finfo(dtype).eps * max(1, np.abs(h).max() if activation >= 2 else 1)
    assert np.abs(h - function(a.astype(np.longdouble))).max() < bound


@pytest.mark.parametrize("activation", range(4))
def test_what_is_not_a_number_is_not_made_one(activation):
    h = np.array([np.nan])
    kernels.activate(h, activation)
    assert np.isnan(h[0])


def test_rows_are_laid_out_by_columns_with_ones_below_and_zeros_at_the_end():
    X = np.arange(10.0).reshape(5, 2)
    x = np.full((2, 3, 3), np.nan)
    kernels.lay_out(X, x)
    np.testing.assert_array_equal(x[0], [[0, 2, 4], [1, 3, 5], [1, 1, 1]])
    np.testing.assert_array_equal(x[1], [[6, 8, 0], [7, 9, 0], [1, 1, 0]])
