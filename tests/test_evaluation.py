"""Tests of crcen.evaluation: what is tuned, fitted and scored, and on which rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import SEED
from hypothesis import given
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from crcen.evaluation import best, evaluate, fold_scores, quiet, split_scores, tune, weight
from crcen.methods import METHODS, Method
from crcen.protocol import splits

torch.set_num_threads(1)

Y = np.repeat([1, 0], [20, 180])
ROWS = np.arange(200.0)
# The row number, and two predictions: 10 hits and no false alarm, 20 hits and 40 false alarms.
X = np.column_stack([ROWS, ROWS < 10, ROWS < 60])
CAUTIOUS, EAGER = {"classifier__column": 1}, {"classifier__column": 2}
GRID = {"classifier__hidden_layer_sizes": [(2,), (4,)], "classifier__l2": [1e-3, 1e-1]}


class Rule(ClassifierMixin, BaseEstimator):
    """Predict by a binary column, scaled or not."""

    def __init__(self, column=1):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return (X[:, self.column] > 0).astype(int)


def rule(columns=(1, 2)):
    return Method("Rule", lambda seed: Rule(), {"classifier__column": list(columns)})


@pytest.fixture(scope="module")
def overlapping(seed):
    """Two normal classes that overlap, so that no fit is perfect; IR 5.

    A stump finds five of six rows in either column: RUSBoost refuses one that is worse than random.
    """
    rng = np.random.default_rng(seed)
    y = np.repeat([1, 0], [40, 200])
    return rng.normal(size=(240, 2)) * [1, 100] + y[:, None] * [2, 200], y


# Tuning


@pytest.mark.parametrize(("score", "choice"), [("f1", CAUTIOUS), ("gmean", EAGER)])
def test_one_search_serves_both_scores(score, choice):
    assert best(tune(rule(), X, Y, seed=SEED), score) == choice


def test_of_equal_points_the_first_is_chosen():
    assert best(tune(rule([2, 1, 2]), X, Y, seed=SEED), "gmean") == EAGER
    same = Method("Rule", lambda seed: Rule(), {"classifier__column": [-1, 2]})  # one column, twice
    assert best(tune(same, X, Y, seed=SEED), "f1") == {"classifier__column": -1}


def test_a_fold_is_scored_on_its_validation_rows():
    fold = fold_scores(rule(), X, Y, np.arange(5, 195), np.r_[:5, 195:200], seed=SEED)
    assert fold["f1"].tolist() == [1, 1]  # the five are hits of both rules, the other five of none
    assert fold["converged"].isna().all()


@pytest.mark.parametrize("name", ["MLP", "CSMLP", "CRCEN", "ADASYN", "SMOTE"])
def test_tuning_is_the_grid_search_of_scikit_learn_over_the_whole_pipeline(name, overlapping, seed):
    data, y = overlapping
    method = replace(METHODS[name], grid=GRID)
    ours = tune(method, data, y, seed=seed)
    for score, scorer in {"f1": "f1", "gmean": make_scorer(geometric_mean_score)}.items():
        folds = StratifiedKFold(4, shuffle=True, random_state=seed)
        theirs = GridSearchCV(method.pipeline(seed), GRID, scoring=scorer, cv=folds, refit=False)
        with quiet():  # about the strongest penalty, whose fit is a constant
            theirs.fit(data, y)
        means = theirs.cv_results_["mean_test_score"]
        np.testing.assert_allclose(ours[score], means)
        # Of two points that are equal but for rounding, either may be the best.
        chosen = theirs.cv_results_["params"].index(best(ours, score))
        assert means[chosen] == pytest.approx(theirs.best_score_)


def test_networks_that_do_not_converge_are_counted_and_not_shouted_about(overlapping, seed):
    hasty = replace(METHODS["MLP"], grid={"classifier__max_iter": [3, 5000]})
    assert tune(hasty, *overlapping, seed=seed)["converged"].tolist() == [0, 1]


# Fitting

fitted = pytest.mark.parametrize(  # the ensemble of ensembles takes seconds
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "EE")) for name in METHODS]
)


@fitted
def test_a_fit_predicts_what_the_pipeline_predicts(name, overlapping, seed):
    data, y = overlapping
    train, test = next(splits(y, 1, seed=SEED))
    params = {"classifier__l2": 1e-2} if METHODS[name].grid else {}
    found = evaluate(METHODS[name], data, y, train, test, params, seed=seed)
    model = METHODS[name].pipeline(seed).set_params(**params).fit(data[train], y[train])
    expected = split_scores(y[test], model.predict(data[test]))
    assert {score: found[score] for score in expected} == pytest.approx(expected)


@fitted
def test_the_key_equation_holds_on_the_rows_that_the_network_saw(name, overlapping, seed):
    data, y = overlapping
    train, test = next(splits(y, 1, seed=SEED))
    found = evaluate(METHODS[name], data, y, train, test, {}, seed=seed)
    if name in ("MLP", "CRCEN", "ADASYN", "SMOTE"):
        assert abs(found["residual"]) < 5e-3
        assert found["converged"] == 1
    else:  # another loss, or no network
        assert np.isnan(found["residual"])


def test_a_cell_s_weight_follows_from_its_alpha():
    y = np.repeat([1, 0], [10, 50])
    found = [weight(alpha, y).get("classifier__lam") for alpha in ("", "plain", "0.5", "1", "2")]
    assert found == [None, 0.5, *map(pytest.approx, (25 / 35, 50 / 60, 100 / 110))]


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
