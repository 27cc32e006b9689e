"""Tests of crcen.weights: lambda, alpha and IR, and the shift of the prior."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from crcen.validation import check_lam
from crcen.weights import alpha_from_lam, imbalance_ratio, lam_from_alpha, prior_shift

alphas = ratios = st.floats(0.01, 100)
lams = st.floats(0.001, 0.999)
counts = st.integers(1, 500)

NOT_POSITIVE = [0, -1.0, float("nan"), float("inf")]
NOT_WEIGHTS = [0, 1, 1.5, -0.1, float("nan"), True, "auto", None]


def labels(n1, n0):
    return np.repeat([1, 0], [n1, n0])


# lambda, alpha and IR


# Any two of the three fix the third, and alpha and IR enter by their product alone.
@given(alphas, ratios)
def test_lam_alpha_and_ratio_are_inverse_to_each_other(alpha, ratio):
    lam = lam_from_alpha(alpha, ratio)
    assert alpha_from_lam(lam, ratio) == pytest.approx(alpha, rel=1e-9)
    assert alpha_from_lam(lam, alpha) == pytest.approx(ratio, rel=1e-9)


# The other direction: a lambda of the user's comes back.
@given(lams, ratios)
def test_alpha_gives_its_lam_back(lam, ratio):
    assert lam_from_alpha(alpha_from_lam(lam, ratio), ratio) == pytest.approx(lam, rel=1e-9)


# lambda = 1/2 is where the paper's alpha axis meets plain cross entropy.
@given(ratios)
def test_plain_cross_entropy_is_alpha_one_over_ratio(ratio):
    assert lam_from_alpha(1 / ratio, ratio) == pytest.approx(0.5)
    assert alpha_from_lam(0.5, ratio) == pytest.approx(1 / ratio)


# ... and nowhere else, because lambda rises with alpha.
@given(alphas, ratios)
def test_lam_rises_with_alpha(alpha, ratio):
    assert lam_from_alpha(1.01 * alpha, ratio) > lam_from_alpha(alpha, ratio)


# The weights of Table 1, in the counts the paper writes them in.
@given(counts, counts)
def test_weights_of_table_1(n1, n0):
    ratio = imbalance_ratio(labels(n1, n0))
    assert lam_from_alpha(1, ratio) == pytest.approx(n0 / (n0 + n1))
    assert lam_from_alpha(2, ratio) == pytest.approx(2 * n0 / (2 * n0 + n1))


# The ratio must see what the loss sees: a row of weight k as k rows.
@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.integers(0, 5)), max_size=20))
def test_ratio_counts_a_row_of_weight_k_as_k_rows(rows):
    y, k = np.array([(0, 1), (1, 1), *rows]).T
    assert imbalance_ratio(y, sample_weight=k) == pytest.approx(imbalance_ratio(np.repeat(y, k)))


# The shift of the prior


# What prior_shift is for: weight lambda moves the logit by log(lambda / (1 - lambda)).
@given(st.floats(1e-4, 1 - 1e-4), lams)
def test_shift_adds_to_the_logit(p, lam):
    assert logit(prior_shift(p, lam)) == pytest.approx(logit(p) + logit(lam), abs=1e-6)


def test_shift_is_bayes_rule_with_weighted_counts():
    f1, f0, n1, n0, lam = 0.6, 0.2, 1, 9, 0.75  # densities at x, class counts, weight
    plain = f1 * n1 / (f1 * n1 + f0 * n0)
    weighted = lam * f1 * n1 / (lam * f1 * n1 + (1 - lam) * f0 * n0)
    assert (plain, weighted) == pytest.approx((0.25, 0.5))
    assert prior_shift(plain, lam) == pytest.approx(weighted)


# A weighted model's probabilities come back to the training prior.
@given(st.floats(0, 1), lams)
def test_shift_by_one_minus_lam_is_the_inverse(p, lam):
    assert prior_shift(prior_shift(p, lam), 1 - lam) == pytest.approx(p, abs=1e-9)


def test_shift_by_one_half_changes_nothing():
    p = np.linspace(0, 1, 11)
    np.testing.assert_allclose(prior_shift(p, 0.5), p, rtol=1e-15)


def test_shift_keeps_certainty_and_shape():
    p = np.array([[0.0, 1.0], [0.3, 0.7], [1.0, 0.0]])
    shifted = prior_shift(p, 0.9)
    assert shifted.shape == p.shape
    np.testing.assert_array_equal(shifted[[0, 2]], p[[0, 2]])


# Errors: each names the parameter, its value and the remedy


@pytest.mark.parametrize("lam", NOT_WEIGHTS)
@pytest.mark.parametrize(
    "function", [check_lam, lambda lam: alpha_from_lam(lam, 4), lambda lam: prior_shift([0.5], lam)]
)
def test_lam_outside_the_open_interval(function, lam):
    with pytest.raises(ValueError, match="strictly between 0 and 1") as error:
        function(lam)
    assert str(error.value).startswith(f"lam={lam!r} ")
    assert "lam_from_alpha(1, imbalance_ratio(y))" in str(error.value)


@pytest.mark.parametrize("value", NOT_POSITIVE)
def test_alpha_must_be_positive_and_finite(value):
    with pytest.raises(ValueError, match=f"^alpha={value!r} must be positive and finite"):
        lam_from_alpha(value, 4)


@pytest.mark.parametrize("value", NOT_POSITIVE)
@pytest.mark.parametrize("function", [lam_from_alpha, alpha_from_lam])
def test_ratio_must_be_positive_and_finite(function, value):
    with pytest.raises(ValueError, match=f"^imbalance_ratio={value!r} must be positive and finite"):
        function(0.5, value)


@pytest.mark.parametrize(("y", "n0", "n1"), [([0, 0, 0], 3, 0), ([1, 1], 0, 2)])
def test_ratio_needs_both_classes(y, n0, n1):
    with pytest.raises(ValueError, match=f"y has {n0} rows of class 0 and {n1} of class 1: .*both"):
        imbalance_ratio(y)


def test_ratio_needs_positive_weight_in_both_classes():
    with pytest.raises(ValueError, match=r"y has 2 rows of class 0 and 0 of class 1: .*both"):
        imbalance_ratio([0, 0, 1], sample_weight=[1, 1, 0])


@pytest.mark.parametrize(
    ("y", "shown"),
    [
        ([-1, 1], r"shape \(2,\) with the values \[-1, 1\]"),
        ([0, 1, 2], r"shape \(3,\) with the values \[0, 1, 2\]"),
        (["a", "b"], r"shape \(2,\) with the values \['a', 'b'\]"),
        ([[0, 1]], r"shape \(1, 2\) with the values \[0, 1\]"),
    ],
)
def test_labels_must_be_a_vector_of_zeros_and_ones(y, shown):
    with pytest.raises(ValueError, match=f"^y must be .*{shown}: code the minority class as 1"):
        imbalance_ratio(y)
