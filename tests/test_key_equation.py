"""Tests of crcen.key_equation: Eq. 6, Eq. 7 and the numbers of sections 3.3 and 3.4."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crcen.key_equation import fresh_key_equation, key_equation, mean_probabilities
from crcen.weights import imbalance_ratio, lam_from_alpha

lams = st.floats(0.01, 0.99)
counts = st.integers(1, 50)
probabilities = st.floats(0.01, 0.99)
# Labels, probabilities and whole weights of some rows, at least one row of each class.
samples = st.builds(
    lambda p1, p0, rows: np.array([(1, p1, 1), (0, p0, 1), *rows]).T,
    probabilities,
    probabilities,
    st.lists(st.tuples(st.sampled_from([0, 1]), probabilities, st.integers(0, 4)), max_size=20),
)

Y, P = [1, 1, 0, 0, 0], [0.9, 0.6, 0.2, 0.1, 0.5]


def test_eq_6_by_hand():
    found = key_equation(Y, P, lam=0.8)
    assert found.lhs == pytest.approx((0.1 + 0.4) / (0.2 + 0.1 + 0.5))
    assert found.rhs == pytest.approx(0.2 / 0.8)
    assert found.residual == pytest.approx(0.625 / 0.25 - 1)


def test_eq_7_by_hand():
    found = fresh_key_equation(Y, P, lam=0.8, imbalance_ratio=10)
    assert found.lhs == pytest.approx((1 - 1.5 / 2) / (0.8 / 3))
    assert found.rhs == pytest.approx(10 * 0.2 / 0.8)
    assert found.residual == pytest.approx(0.9375 / 2.5 - 1)


def test_mean_probabilities_by_hand():
    assert mean_probabilities(Y, P) == pytest.approx((1.5 / 2, 0.8 / 3))


@pytest.mark.parametrize(
    ("lam", "p0bar", "p1bar"), [(1 / 2, 0.08, 0.2), (1 / 2, 0.04, 0.6), (20 / 21, 0.4, 0.8)]
)
def test_numbers_of_section_3_3(lam, p0bar, p1bar):
    found = fresh_key_equation([1, 0], [p1bar, p0bar], lam, imbalance_ratio=10)
    assert found.residual == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("lam", "rhs"), [(1 / 2, 10), (10 / 11, 1), (20 / 21, 0.5)])
def test_right_hand_sides_of_table_1(lam, rhs):
    assert fresh_key_equation(Y, P, lam, imbalance_ratio=10).rhs == pytest.approx(rhs)


# The one stationary point that can be written down: a network of an output bias alone.
@given(counts, counts, lams)
def test_eq_6_holds_at_the_best_constant(n1, n0, lam):
    best = lam * n1 / (lam * n1 + (1 - lam) * n0)
    y = np.repeat([1, 0], [n1, n0])
    assert key_equation(y, np.full(n1 + n0, best), lam).residual == pytest.approx(0, abs=1e-9)


# Eq. 7 is Eq. 6 divided by the class counts, so on the training data they say the same.
@given(samples, lams)
def test_eq_7_on_the_training_data_is_eq_6(sample, lam):
    y, p, _ = sample
    fresh = fresh_key_equation(y, p, lam, imbalance_ratio(y))
    assert fresh.residual == pytest.approx(key_equation(y, p, lam).residual, rel=1e-9, abs=1e-9)


# The residual must judge a weighted fit as it judges the same fit on repeated rows.
@given(samples, lams)
def test_a_row_of_weight_k_counts_as_k_rows(sample, lam):
    y, p, k = sample
    repeated = key_equation(np.repeat(y, k.astype(int)), np.repeat(p, k.astype(int)), lam)
    assert key_equation(y, p, lam, sample_weight=k) == pytest.approx(repeated, rel=1e-9, abs=1e-9)


def test_class_counts_of_the_fresh_data_do_not_matter():
    more_majority = fresh_key_equation(Y + 7 * Y[2:], P + 7 * P[2:], 0.8, imbalance_ratio=10)
    assert more_majority == pytest.approx(fresh_key_equation(Y, P, 0.8, imbalance_ratio=10))


def test_right_hand_side_is_one_for_the_balanced_weight():
    lam = lam_from_alpha(1, imbalance_ratio(Y))
    assert fresh_key_equation(Y, P, lam, imbalance_ratio(Y)).rhs == pytest.approx(1)


def test_a_network_certain_of_the_majority_gives_inf_without_a_warning():
    found = key_equation([1, 0], [0.5, 0.0], lam=0.5)
    assert (found.lhs, found.residual) == (np.inf, np.inf)


def test_a_network_certain_and_right_everywhere_gives_nan_with_a_warning():
    with pytest.warns(RuntimeWarning, match="both sums of the key equation are zero"):
        found = fresh_key_equation([1, 0], [1.0, 0.0], lam=0.5, imbalance_ratio=1)
    assert np.isnan([found.lhs, found.residual]).all()


# Errors


@pytest.mark.parametrize("p", [[0.5], [[0.5, 0.5], [0.1, 0.9]], [0.5, 1.1], [-0.1, 0.5]])
def test_p_must_be_one_probability_a_label(p):
    with pytest.raises(ValueError, match=r"^p must hold one probability .* 2 labels") as error:
        key_equation([1, 0], p, lam=0.5)
    assert f"shape {np.shape(p)}; pass predict_proba(X)[:, 1]" in str(error.value)


def test_p_must_not_be_nan():
    with pytest.raises(ValueError, match=r"^p must hold one probability"):
        fresh_key_equation([1, 0], [np.nan, 0.5], lam=0.5, imbalance_ratio=1)


@pytest.mark.parametrize("lam", [0, 1, "balanced"])
def test_lam_must_lie_strictly_between_0_and_1(lam):
    with pytest.raises(ValueError, match=f"^lam={lam!r} .*strictly between 0 and 1"):
        key_equation(Y, P, lam)
    with pytest.raises(ValueError, match=f"^lam={lam!r} .*strictly between 0 and 1"):
        fresh_key_equation(Y, P, lam, imbalance_ratio=10)


def test_labels_must_be_zeros_and_ones():
    with pytest.raises(ValueError, match=r"\[-1, 1\]: code the minority class as 1"):
        key_equation([-1, 1], [0.5, 0.5], lam=0.5)


@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_ratio_must_be_positive(value):
    with pytest.raises(ValueError, match=f"^imbalance_ratio={value!r} must be positive"):
        fresh_key_equation(Y, P, 0.5, imbalance_ratio=value)


@pytest.mark.parametrize("y", [[0, 0], [1, 1]])
def test_means_need_both_classes(y):
    with pytest.raises(ValueError, match=r"^y .*both classes"):
        mean_probabilities(y, [0.5, 0.5])


def test_weights_must_be_one_a_row():
    with pytest.raises(ValueError, match="sample_weight"):
        key_equation([1, 0], [0.5, 0.5], lam=0.5, sample_weight=[1.0])
