"""Tests of crcen.theory.expense: confusion counts and the expense of section 4.2."""

import numpy as np
import pandas as pd
import pytest
from conftest import RARE
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, ndtr
from scipy.stats import binom
from sklearn.metrics import confusion_matrix

from crcen.study.splits import splits
from crcen.study.statistics import corrected_t
from crcen.theory.expense import (
    Confusion,
    confusion_counts,
    expense,
    expense_interval,
    expenses,
    ratio_interval,
)

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


def test_an_interval_over_equal_splits_is_a_point():
    counts = np.array([[BEFORE, after(16, 5), after(24, 3)]] * 4)
    low, high = expense_interval(counts)
    np.testing.assert_allclose([low, high], [[2, 4]] * 2, rtol=1e-7)  # rounding, under a root


def test_an_interval_has_every_expense_that_the_corrected_t_test_does_not_refuse(seed):
    rng = np.random.default_rng(seed)
    added, gained = rng.normal(40, 8, 9), rng.normal(20, 2, 9)
    ends = ratio_interval(added, gained)
    for e in ends:  # at an end the test is at its level
        assert corrected_t(pd.Series(added - e * gained)).p == pytest.approx(0.05, rel=1e-6)
    inside, outside = np.linspace(*ends, 9)[1:-1], [ends[0] - 0.01, ends[1] + 0.01]
    assert all(corrected_t(pd.Series(added - e * gained)).p > 0.05 for e in inside)
    assert all(corrected_t(pd.Series(added - e * gained)).p < 0.05 for e in outside)


# Where the gain is not told from zero, the same test still says which expenses are refused.
@pytest.mark.parametrize("sign", [1, -1])
def test_an_interval_with_one_end_is_what_the_test_leaves(sign):
    added, gained = sign * np.array([9.0, 11, 10, 12, 9]), np.array([1.0, -0.8, 0.4, 0.1, 0.2])
    ends = ratio_interval(added, gained)
    end = ends[0] if sign > 0 else ends[1]
    assert np.isinf(ends[1] if sign > 0 else ends[0])
    assert corrected_t(pd.Series(added - end * gained)).p == pytest.approx(0.05, rel=1e-6)
    beyond = end + sign * np.array([0.1, 10, 1000])
    assert all(corrected_t(pd.Series(added - e * gained)).p > 0.05 for e in beyond)
    assert corrected_t(pd.Series(added - (end - sign) * gained)).p < 0.05


# A step that accuses more rows where it gains, and fewer where it does not: its mean has an expense
# over zero, and yet what the test leaves open is on the other side.
def test_the_open_end_is_where_the_test_has_it_and_not_where_the_mean_is():
    gained = np.array([1.2, -0.9, 0.8, -0.6, 0.9, 0.2])
    added = 10 * gained - 1 + np.array([0.1, -0.1, 0.05, -0.05, 0.1, -0.1])
    assert added.mean() > 0 < gained.mean()
    low, high = ratio_interval(added, gained)
    assert low == -np.inf
    assert corrected_t(pd.Series(added - high * gained)).p == pytest.approx(0.05, rel=1e-6)
    assert corrected_t(pd.Series(added - (high - 5) * gained)).p > 0.05
    assert corrected_t(pd.Series(added - (high + 1) * gained)).p < 0.05


@pytest.mark.parametrize(
    ("added", "gained", "expected"),
    [
        ([4, 5, 4, 5], [0, 0, 0, 0], (np.inf, np.inf)),  # bought nothing, each time
        ([4, 5, 4, 5], [-2, -2, -3, -2], (np.inf, np.inf)),  # and lost some
        ([0, 0, 0], [0, 0, 0], (-np.inf, np.inf)),  # no change: nothing is known
        ([-4, -5, -4, -5], [0, 0, 0, 0], (-np.inf, np.inf)),
        ([-4, -5, -4, -5], [-2, -2, -3, -2], (-np.inf, np.inf)),  # a step back has no expense
        ([1, -1, 1, -1], [1, -1, -1, 1], (-np.inf, np.inf)),
        ([3, -4, 6, -2], [2, -1, -2, 3], (-np.inf, np.inf)),  # neither is told from zero
        ([5], [2], (-np.inf, np.inf)),
    ],
)
def test_a_step_that_gains_nothing_for_certain(added, gained, expected):
    assert ratio_interval(added, gained) == expected


def test_an_interval_does_not_depend_on_the_units():
    added, gained = np.array([9.0, 11, 10, 14]), np.array([3.0, 4, 3, 4])
    low, high = ratio_interval(added, gained)
    found = ratio_interval(1e200 * added, 1e-100 * gained)
    np.testing.assert_allclose(found, [low * 1e300, high * 1e300], rtol=1e-10)
    np.testing.assert_allclose(ratio_interval(-added, gained), [-high, -low], rtol=1e-12)


def newton(Z, y, weight):
    """Logistic regression of weighted rows."""
    theta = np.zeros(Z.shape[1])
    for _ in range(12):
        p = expit(Z @ theta)
        curvature = (Z * (weight * p * (1 - p))[:, None]).T @ Z + 1e-6 * np.eye(theta.size)
        theta += np.linalg.solve(curvature, Z.T @ (weight * (y - p)))
    return theta


# Splits of one sample, as the report has them, and an expense that is known: models of two normal
# classes, whose decisions on the population have a closed form. The interval holds it as often as
# it says, or more; one that takes the splits for independent does not.
@pytest.mark.slow
def test_an_interval_holds_the_expense_though_splits_share_their_rows(seed):
    rng = np.random.default_rng(seed)
    n1, ratio, mean, samples = 100, 9, np.array([1.0, 0.0]), 150
    y = np.repeat([1, 0], [n1, ratio * n1])
    found, exact = [], []
    for _ in range(samples):
        Z = rng.normal(size=(y.size, 3))
        Z[:, 0], Z[:, 1:] = 1, Z[:, 1:] + np.where(y[:, None] == 1, mean, -mean)
        counts, rates = [], []
        for train, test in splits(y, 20, int(rng.integers(10**9))):
            models = [
                newton(Z[train], y[train], np.where(y[train], a * ratio, 1)) for a in (0.5, 1)
            ]
            counts.append([confusion_counts(y[test], Z[test] @ m > 0) for m in models])
            at = [
                np.array([m[0] + s * m[1:] @ mean for s in (-1, 1)]) / np.linalg.norm(m[1:])
                for m in models
            ]
            rates.append(ndtr(at[1]) - ndtr(at[0]))  # added and gained, of the population
        found.append(counts)
        exact.append(np.mean(rates, axis=0))
    added, gained = np.mean(exact, axis=0)
    true = ratio * added / gained

    def covered(level, **options):
        ends = [expense_interval(counts, level, **options) for counts in found]
        return sum(low[0] <= true <= high[0] for low, high in ends)

    # 20 splits taken for independent are those of a test part of almost nothing.
    assert binom.cdf(covered(0.9), samples, 0.9) > RARE
    assert binom.cdf(covered(0.9, test_size=1e-9), samples, 0.9) < 1e-3
