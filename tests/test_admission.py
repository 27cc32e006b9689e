"""Tests of the rule that admits data sets, and of how duplicates are found."""

import itertools

import numpy as np
import pytest
from conftest import SEED
from sklearn.utils import Bunch

from crcen.study.admission import (
    GROUPS,
    MAIN,
    RULES,
    SAME,
    WIDE,
    Rule,
    admitted,
    alike,
    families,
    overlap,
)
from crcen.study.datasets import COLLECTION, DATASETS, TABLE_2, load_dataset, locate_dataset


def made(rng, n=400, columns=6):
    """A set with numbers, a column of two values, one of 129, one that does not vary."""
    rows = rng.normal(size=(n, columns))
    rows[:, 0] = rng.integers(0, 2, n)
    rows[:, 1] = rng.integers(0, 129, n)
    rows[:2, 1] = 0, 128  # so that scaled values end halfway between decimal places
    rows[:, 2] = 7
    return Bunch(data=rows, target=(np.arange(n) % 8 == 0).astype(int))


def turned(given, rng):
    """The same set with its rows and columns in another order, in other units."""
    rows, columns = (rng.permutation(size) for size in given.data.shape)
    scale, shift = 10.0 ** rng.uniform(-2, 2, len(columns)), rng.normal(size=len(columns))
    data = (given.data * scale + shift)[rows][:, columns]
    return Bunch(data=data, target=given.target[rows])


# --- The rule ---------------------------------------------------------------------------------


def test_the_bounds_belong_to_what_is_admitted():
    base = DATASETS["scene"]
    at = type(base)(**vars(base) | {"n_minority": 40, "n_samples": 240})
    assert Rule(5, 40).admits(at)
    for change in ({"n_samples": 239}, {"duplicate_of": "coil_2000"}):
        assert not Rule(5, 40).admits(type(base)(**vars(at) | change))
    assert not Rule(5, 41).admits(at)


def test_the_groups_follow_from_the_registry_by_the_issue_s_rule():
    for name, least in (("main", 40), ("wide", 20)):
        expected = [
            d.name
            for d in DATASETS.values()
            if d.n_samples - d.n_minority >= 5 * d.n_minority >= 5 * least and not d.duplicate_of
        ]
        assert [*GROUPS[name]] == expected == [*admitted(RULES[name])]
    assert {*TABLE_2} <= {*MAIN} < {*WIDE}


def test_there_are_as_many_as_the_study_asks_for():
    assert len(WIDE) >= 70
    assert len(families(WIDE)) >= 25
    assert len(families(MAIN)) >= 25
    assert sum(name in WIDE for name in DATASETS if DATASETS[name].source != COLLECTION) >= 50


def test_a_duplicate_is_of_a_set_that_is_none_and_of_its_family():
    for dataset in DATASETS.values():
        if dataset.duplicate_of:
            kept = DATASETS[dataset.duplicate_of]
            assert not kept.duplicate_of
            assert kept.family == dataset.family
            assert alike(kept, dataset)


# --- Duplicates -------------------------------------------------------------------------------


def test_the_same_set_is_found_in_any_order_and_unit():
    rng = np.random.default_rng(SEED)
    given = made(rng)
    assert overlap(given, turned(given, rng)) == 1
    assert overlap(turned(given, rng), given) == 1


def test_rows_that_only_one_has_count_within_their_class():
    rng = np.random.default_rng(SEED)
    given = made(rng)
    fewer = np.flatnonzero(given.target)[:3]  # of 50
    cut = Bunch(data=np.delete(given.data, fewer, 0), target=np.delete(given.target, fewer))
    assert overlap(given, cut) == overlap(cut, given) == pytest.approx(47 / 50)


def test_other_labels_or_values_or_columns_are_another_set():
    rng = np.random.default_rng(SEED)
    given = made(rng)
    # Rows are shared by chance only: an eighth of the minority would be.
    shuffled = Bunch(data=given.data, target=rng.permutation(given.target))
    assert overlap(given, shuffled) < 0.5
    noisy = Bunch(data=given.data + 1e-3 * rng.normal(size=given.data.shape), target=given.target)
    assert overlap(given, noisy) == 0
    assert overlap(given, Bunch(data=given.data[:, 1:], target=given.target)) == 0


def test_equal_rows_are_counted_as_often_as_they_are_there():
    target = np.array([0, 0, 0, 0, 1])
    once = Bunch(data=np.array([[0.0], [1], [1], [1], [0.5]]), target=target)
    twice = Bunch(data=np.array([[0.0], [0], [1], [1], [0.5]]), target=target)
    assert overlap(once, twice) == 3 / 4


@pytest.mark.slow
def test_all_pairs_are_compared_and_the_registry_says_what_is_found():
    there = [name for name in DATASETS if locate_dataset(name)]
    found = {}
    for first, second in itertools.combinations(there, 2):
        if alike(DATASETS[first], DATASETS[second]) and first not in found:
            share = overlap(load_dataset(first), load_dataset(second))
            if share >= SAME:
                found.setdefault(second, first)
    listed = {name: DATASETS[name].duplicate_of for name in there if DATASETS[name].duplicate_of}
    assert found == {name: kept for name, kept in listed.items() if kept in there}
