"""Tests of crcen.study.splits: which rows are trained on and which are held out."""

import numpy as np
from conftest import SEED
from sklearn.model_selection import StratifiedKFold

from crcen.study.splits import FOLDS, folds, splits

Y = np.repeat([1, 0], [20, 180])


def test_splits_are_stratified_in_three_quarters_and_a_quarter():
    for train, test in splits(Y, 4, seed=SEED):
        assert (len(train), len(test)) == (150, 50)
        assert (Y[train].sum(), Y[test].sum()) == (15, 5)


def test_a_split_shares_no_row_and_loses_none():
    for train, test in splits(Y, 4, seed=SEED):
        np.testing.assert_array_equal(np.sort([*train, *test]), np.arange(200))


def test_splits_differ_and_come_from_the_seed():
    def tests(seed):
        return [frozenset(test) for _, test in splits(Y, 4, seed)]

    assert tests(SEED) == tests(SEED)
    assert len({*tests(SEED), *tests(SEED + 1)}) == 8


def test_the_first_splits_do_not_depend_on_their_number():
    for four, twenty in zip(splits(Y, 4, seed=SEED), splits(Y, 20, seed=SEED), strict=False):
        np.testing.assert_array_equal(np.concatenate(four), np.concatenate(twenty))


def test_each_row_is_in_one_of_four_stratified_folds():
    found = folds(Y, seed=SEED)
    assert len(found) == FOLDS == 4
    np.testing.assert_array_equal(np.sort(np.concatenate([rows for _, rows in found])), range(200))
    for outside, inside in found:
        np.testing.assert_array_equal(np.sort([*outside, *inside]), range(200))
        assert (len(inside), Y[inside].sum()) == (50, 5)


def test_the_folds_are_those_of_scikit_learn_and_come_from_the_seed():
    theirs = StratifiedKFold(4, shuffle=True, random_state=SEED).split(np.zeros((200, 2)), Y)
    for ours, expected in zip(folds(Y, SEED), theirs, strict=True):
        np.testing.assert_array_equal(np.concatenate(ours), np.concatenate(expected))
    assert {*folds(Y, SEED)[0][1]} != {*folds(Y, SEED + 1)[0][1]}
