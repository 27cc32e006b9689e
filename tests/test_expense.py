"""Tests of crcen.expense: confusion counts and the expense of section 4.2."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from crcen.expense import Confusion, confusion_counts, expense

deterministic = settings(derandomize=True, deadline=None)
decisions = st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1])), min_size=1)

BEFORE = Confusion(tn=90, fp=10, fn=8, tp=2)


def after(fp, fn):
    return Confusion(tn=100 - fp, fp=fp, fn=fn, tp=10 - fn)


# The order of the four counts is easily confused, also where a class is missing.
@deterministic
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
