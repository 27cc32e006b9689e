"""Tests of crcen.theory.expense: confusion counts and the expense of section 4.2."""

import numpy as np
import pytest
from conftest import Z
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from crcen.theory.expense import Confusion, confusion_counts, expense, expense_interval, expenses

decisions = st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1])), min_size=1)

BEFORE = Confusion(tn=90, fp=10, fn=8, tp=2)


def after(fp, fn):
    return Confusion(tn=100 - fp, fp=fp, fn=fn, tp=10 - fn)


# The order of the four counts is easily confused, also where a class is missing.
@given(decisions)
def test_counts_are_scikit_learns(rows):
    y, predicted = np.array(rows).T
    expected = confusion_matrix(y, predicted, labels=[0, 1]).ravel()
    assert confusion_counts(y, predicted) == tuple(expected)


def test_counts_by_name():
    found = confusion_counts([0, 0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0, 1])
    assert found._asdict() == {"tn": 1, "fp": 3, "fn": 2, "tp": 1}


def test_counts_are_plain_integers():
    assert [type(count) for count in confusion_counts([0, 1], [True, False])] == [int] * 4


def test_worked_example_of_section_4_2():
    # (FN, FP) on Abalone, whose testing quarter has 98 minority and 947 majority rows
    before = Confusion(tn=947 - 158, fp=158, fn=32, tp=98 - 32)
    balanced = Confusion(tn=947 - 263, fp=263, fn=13, tp=98 - 13)
    assert round(expense(before, balanced), 2) == 5.53


def test_a_gain_without_a_cost_has_expense_zero():
    assert expense(BEFORE, after(fp=10, fn=5)) == 0


def test_a_gain_that_also_removes_false_positives_has_a_negative_expense():
    assert expense(BEFORE, after(fp=4, fn=5)) == -2


@pytest.mark.parametrize("fn", [8, 9])
def test_a_cost_without_a_gain_has_an_infinite_expense(fn):
    assert expense(BEFORE, after(fp=11, fn=fn)) == np.inf


@pytest.mark.parametrize(("fp", "fn"), [(10, 8), (9, 8), (9, 9)])
def test_neither_cost_nor_gain_has_no_expense(fp, fn):
    assert np.isnan(expense(BEFORE, after(fp, fn)))


def test_labels_must_be_zeros_and_ones():
    with pytest.raises(ValueError, match=r"\[-1, 1\]: code the minority class as 1"):
        confusion_counts([0, 1], [-1, 1])


@pytest.mark.parametrize("predicted", [[1], [1, 0]])
def test_every_row_needs_its_prediction(predicted):
    with pytest.raises(ValueError, match="predicted"):
        confusion_counts([0, 1, 1], predicted)


# Several steps, and splits


def test_expenses_are_those_of_the_steps():
    counts = [BEFORE, after(16, 5), after(20, 5), after(24, 3)]
    np.testing.assert_array_equal(expenses(counts), [2, np.inf, 2])


def test_an_interval_over_equal_splits_is_a_point(seed):
    counts = np.array([[BEFORE, after(16, 5), after(24, 3)]] * 4)
    low, high = expense_interval(counts, 20, np.random.default_rng(seed))
    np.testing.assert_array_equal(low, [2, 4])
    np.testing.assert_array_equal(high, [2, 4])


def test_an_interval_needs_a_resample():
    with pytest.raises(ValueError, match="n_bootstrap=0 must be an integer of 1 or more"):
        expense_interval([[BEFORE, after(16, 5)]], 0, np.random.default_rng(0))


# For a ratio of normal means the interval is, to first order, 1.96 standard errors each side. Of
# 4000 resamples the standard error of a 2.5 % quantile is 0.042 standard deviations, so that of
# the width is 1.5 %; the second order, of splits that are not normal, is less than 1.5 %.
def test_an_interval_is_as_wide_as_the_spread_of_the_splits_says(seed):
    rng = np.random.default_rng(seed)
    n = 100
    added, gained = rng.normal(40, 5, n).round(), rng.normal(20, 2, n).round()
    zero = np.zeros(n)
    before = np.stack([zero, zero, gained, zero], axis=1)
    counts = np.stack([before, np.stack([zero, added, zero, gained], axis=1)], axis=1)
    low, high = expense_interval(counts, 4000, rng)
    error = np.std(added - 2 * gained, ddof=1) / n**0.5 / gained.mean()
    assert high - low == pytest.approx(2 * 1.96 * error, rel=Z * 0.015 + 0.015)


# What a resample without a gain is worth: nothing if it changed nothing, no finite price otherwise.
def test_resamples_without_a_gain(seed):
    counts = np.array([[BEFORE, after(14, 8)], [BEFORE, after(14, 6)]])
    assert expense_interval(counts, 200, np.random.default_rng(seed))[1] == np.inf
    counts = np.array([[BEFORE, BEFORE], [BEFORE, after(14, 6)]])
    assert expense_interval(counts, 200, np.random.default_rng(seed))[0] == 0
