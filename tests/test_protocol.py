"""Tests of crcen.protocol: what is split, tuned and scored, and on which rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from crcen import methods
from crcen.methods import Method
from crcen.protocol import run, split_scores, splits, tune

deterministic = settings(derandomize=True, deadline=None)

Y = np.repeat([1, 0], [20, 180])
ROWS = np.arange(200.0)
# The row number, and two predictions: 10 hits and no false alarm, 20 hits and 40 false alarms.
X = np.column_stack([ROWS, ROWS < 10, ROWS < 60])
CAUTIOUS, EAGER = {"classifier__column": 1}, {"classifier__column": 2}


class Rule(ClassifierMixin, BaseEstimator):
    """Predict a binary column, and record the rows of every fit."""

    seen: list = []  # noqa: RUF012 (shared by clones on purpose)

    def __init__(self, column=1):
        self.column = column

    def fit(self, X, y):
        self.seen.append(set(X[:, 0]))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return (X[:, self.column] > 0).astype(int)


class Unscaled(Method):
    """A method whose classifier sees the row numbers as they are."""

    def pipeline(self, seed):
        return Pipeline([("classifier", self.classifier(seed))])


class Scaler(StandardScaler):
    """Record the rows of every fit."""

    seen: list = []  # noqa: RUF012 (shared by clones on purpose)

    def fit(self, X, y=None):
        self.seen.append(set(X[:, 0]))
        return super().fit(X, y)


def method(kind=Unscaled, columns=(1, 2)):
    return kind("Rule", lambda seed: Rule(), {"classifier__column": list(columns)})


@pytest.fixture(autouse=True)
def _nothing_seen():
    Rule.seen.clear()
    Scaler.seen.clear()


# Splits


def test_splits_are_stratified_in_three_quarters_and_a_quarter():
    for train, test in splits(Y, 4, seed=0):
        assert (len(train), len(test)) == (150, 50)
        assert (Y[train].sum(), Y[test].sum()) == (15, 5)


def test_a_split_shares_no_row_and_loses_none():
    for train, test in splits(Y, 4, seed=0):
        np.testing.assert_array_equal(np.sort([*train, *test]), np.arange(200))


def test_splits_differ_and_come_from_the_seed():
    def tests(seed):
        return [frozenset(test) for _, test in splits(Y, 4, seed)]

    assert tests(0) == tests(0)
    assert len({*tests(0), *tests(1)}) == 8


# Which rows are seen


def test_tuning_sees_the_training_rows_of_the_first_split_only():
    run(method(), X, Y, n_splits=3, seed=0)
    *tuning, _, _, _ = Rule.seen
    (train, _), *_ = splits(Y, 3, seed=0)
    assert len(tuning) == 2 * 4  # two values, four folds
    assert all(rows < set(train) for rows in tuning)


def test_each_split_is_fitted_on_its_training_rows():
    run(method(), X, Y, n_splits=3, seed=0)
    assert Rule.seen[-3:] == [set(train) for train, _ in splits(Y, 3, seed=0)]


def test_the_scaler_never_sees_a_testing_row(monkeypatch):
    monkeypatch.setattr(methods, "StandardScaler", Scaler)
    run(method(Method), X, Y, n_splits=3, seed=0)
    train = [set(rows) for rows, _ in splits(Y, 3, seed=0)]
    *tuning, first, second, third = Scaler.seen
    assert {len(rows) for rows in tuning} == {112, 113}  # three folds of four, of 150 rows
    assert all(rows < train[0] for rows in tuning)
    assert [first, second, third] == train


def test_a_method_with_an_empty_grid_is_not_tuned():
    fixed = Unscaled("Rule", lambda seed: Rule(), {})
    assert tune(fixed, X, Y, score="f1", seed=0) == {}
    assert "classifier__column" not in run(fixed, X, Y, n_splits=3)
    assert len(Rule.seen) == 3


# What is chosen


@pytest.mark.parametrize(("score", "best"), [("f1", CAUTIOUS), ("gmean", EAGER)])
def test_tuning_chooses_what_scores_best(score, best):
    assert tune(method(), X, Y, score=score, seed=0) == best


def test_the_chosen_parameters_are_used_and_reported_in_every_split():
    found = run(method(), X, Y, n_splits=3, score="gmean")
    assert (found["classifier__column"] == 2).all()
    assert (found["recall"] == 1).all()


# Scores


def by_hand(tn, fp, fn, tp):
    def ratio(a, b):
        return a / b if b else 0.0

    recall, precision, specificity = ratio(tp, tp + fn), ratio(tp, tp + fp), ratio(tn, tn + fp)
    return {
        "f1": ratio(2 * precision * recall, precision + recall),
        "gmean": (recall * specificity) ** 0.5,
        "recall": recall,
        "precision": precision,
        "specificity": specificity,
    }


# The scores must be the paper's formulas of the counts beside them, whatever is predicted.
@deterministic
@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1])), max_size=30))
def test_scores_are_the_formulas_of_section_4_in_the_counts(rows):
    y, predicted = np.array([(0, 0), (1, 0), *rows]).T
    found = split_scores(y, predicted)
    expected = by_hand(**{count: found[count] for count in ("tn", "fp", "fn", "tp")})
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["tp"] == (y * predicted).sum()


def test_a_classifier_that_finds_no_minority_row_scores_zero():
    found = split_scores(Y, np.zeros_like(Y))
    assert (found["f1"], found["gmean"], found["precision"]) == (0, 0, 0)
    assert found["specificity"] == 1


def test_a_run_reports_each_split_by_its_testing_rows():
    found = run(method(columns=[1]), X, Y, n_splits=4, seed=0)
    assert found["split"].tolist() == [0, 1, 2, 3]
    for (_, test), row in zip(splits(Y, 4, seed=0), found.itertuples(), strict=True):
        hits = (test < 10).sum()
        assert (row.tn, row.fp, row.fn, row.tp) == (45, 0, 5 - hits, hits)


def test_a_run_comes_from_its_seed():
    first, again, other = (run(method(), X, Y, seed=seed) for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)
