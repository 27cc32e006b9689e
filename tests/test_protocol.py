"""Tests of crcen.protocol: which rows a split has, and which cells a protocol."""

import numpy as np
from conftest import SEED

from crcen.methods import METHODS
from crcen.protocol import PROTOCOLS, Protocol, cells, splits

Y = np.repeat([1, 0], [20, 180])


# Splits


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


# Cells


def test_the_protocols_have_the_cells_that_they_should():
    count = {name: len(cells("abcdef", METHODS, {name: p})) for name, p in PROTOCOLS.items()}
    full = 2 * 6 * 8 * 20
    assert count == {
        "paper": full, "repeated": full * 5 // 8, "nested": full, "lambda": 6 * 20 * 5
    }  # fmt: skip


def test_every_cell_has_a_name_of_its_own():
    every = cells("ab", METHODS, {**PROTOCOLS, "more": Protocol(11, alphas=("", "1", "11"))})
    assert len({cell.key for cell in every}) == len(every)
