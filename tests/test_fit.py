"""Tests of crcen.study.fit: what is tuned, fitted and scored, and on which rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import SEED
from imblearn.metrics import geometric_mean_score
from imblearn.over_sampling import ADASYN, SMOTE
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.metrics import average_precision_score, f1_score, log_loss
from sklearn.model_selection import ParameterGrid, StratifiedKFold, cross_validate
from threadpoolctl import threadpool_limits

from crcen.study import methods
from crcen.study.fit import EDGE, MOVED, SEARCH, SEARCHED, fit, quiet, search
from crcen.study.methods import METHODS, NETWORKS, STOPPED, Method
from crcen.study.scores import Predictions
from crcen.study.splits import folds, splits
from crcen.weights import imbalance_ratio

torch.set_num_threads(1)
threadpool_limits(1, "openmp")  # of boosting, whose threads wait for each other on few rows

Y = np.random.default_rng(3).permutation(np.repeat([1, 0], [40, 160]))
# The row's number, and two columns that tell the class better than chance.
X = np.column_stack([np.arange(200.0), np.random.default_rng(4).normal(size=(200, 2)) + Y[:, None]])
GRID = {"hidden_layer_sizes": [[2], [4]], "l2": [1e-3, 1e-1]}
POINTS = {name: [*ParameterGrid(GRID)] for name in NETWORKS}
POINTS |= {name: [*ParameterGrid(METHODS[name].grid)] for name in ("LR", "LR weighted")}
LAM = {"CSMLP": 5 / 6, "CRCEN": 5 / 6, "LR weighted": 5 / 6}  # of 1:5; the others' is 1/2


@pytest.fixture(scope="module")
def overlapping(seed):
    """Two normal classes that overlap, so that no fit is perfect; IR 5.

    A stump finds five of six rows in either column: RUSBoost refuses one that is worse than random.
    """
    rng = np.random.default_rng(seed)
    y = np.repeat([1, 0], [40, 200])
    return rng.normal(size=(240, 2)) * [1, 100] + y[:, None] * [2, 200], y


# Which rows are seen


class Rule(ClassifierMixin, BaseEstimator):
    """Predict by the sign of a column, and record the rows of every fit and prediction."""

    fitted: list = []  # noqa: RUF012 (shared by clones on purpose)
    predicted: list = []  # noqa: RUF012

    def __init__(self, column=1):
        self.column = column

    def fit(self, X, y):
        self.fitted.append([*X[:, 0]])
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        self.predicted.append([*X[:, 0]])
        p = (X[:, self.column] > 0) * 0.5 + 0.25
        return np.column_stack([1 - p, p])


class Scaler(TransformerMixin, BaseEstimator):
    """Leave the rows, with their numbers, as they are, and record those of every fit."""

    fitted: list = []  # noqa: RUF012

    def fit(self, X, y=None):
        self.fitted.append([*X[:, 0]])
        return self

    def transform(self, X):
        return X


def spy(sampler):
    class Spy(sampler):
        fitted: list = []  # noqa: RUF012

        def fit_resample(self, X, y):
            self.fitted.append([*X[:, 0]])
            return super().fit_resample(X, y)

    return Spy


@pytest.fixture
def spied(monkeypatch):
    """Put spies in the place of scaler, samplers and classifier; the lists of rows, emptied."""
    Rule.fitted, Rule.predicted, Scaler.fitted = [], [], []
    monkeypatch.setattr(methods, "StandardScaler", Scaler)
    monkeypatch.setattr(methods, "SMOTE", spy(SMOTE))
    monkeypatch.setattr(methods, "ADASYN", spy(ADASYN))
    return lambda name: replace(METHODS[name], classifier=lambda seed: Rule())


def seen_by_classifier(name, rows):
    """Check that the classifier has seen these rows, and after them what was made from them."""
    for seen, real in zip(Rule.fitted, rows, strict=True):
        assert seen[: len(real)] == real
        made = seen[len(real) :]
        if name == "MLP":
            assert not made
        else:
            minority = [row for row in real if Y[int(row)] == 1]
            assert made
            assert min(minority) <= min(made) <= max(made) <= max(minority)
    if name != "MLP":
        assert getattr(methods, name).fitted == Scaler.fitted


@pytest.mark.parametrize("name", ["MLP", "SMOTE", "ADASYN"])
def test_a_fit_sees_its_training_rows_as_they_were_drawn_and_no_other(name, spied):
    train, test = next(splits(Y, 1, seed=SEED))
    fit(spied(name), {"column": 2}, X, Y, train, test, seed=SEED)
    assert [*train] != sorted(train)  # or their order could not be told
    assert Scaler.fitted == [[*train]]
    assert Rule.predicted == [[*test]]
    seen_by_classifier(name, [[*train]])


@pytest.mark.parametrize("name", ["MLP", "SMOTE", "ADASYN"])
def test_a_search_fits_without_the_fold_that_it_scores_on(name, spied):
    search(spied(name), [{"column": 1}, {"column": 2}], X, Y, seed=SEED)
    cut = folds(Y, SEED)
    assert Scaler.fitted == [[*train] for train, _ in cut]  # once for each, whatever the grid
    # Both points of the grid are scored on the rows held out, and on nothing else.
    assert Rule.predicted == [[*test] for _, test in cut for _ in range(2)]
    seen_by_classifier(name, [[*train] for train, _ in cut for _ in range(2)])


# Searching


def coarse(name, seed):
    """The pipeline as a search fits it."""
    steps = {f"classifier__{name}": value for name, value in SEARCH.items()}
    return METHODS[name].pipeline(seed).set_params(**steps if name in NETWORKS else {})


def by_hand(name, params, X, y, seed):
    """Cross-validate a whole pipeline with scikit-learn; moved thresholds and weights by hand."""

    def scores(model, X, y):
        p = model.predict_proba(X)[:, 1]
        lam = LAM.get(name, 0.5)
        # Resampled rows have as many of both classes: for ADASYN and SMOTE lambda is 1/2.
        plain = expit(logit(p) - logit(lam))
        return {
            "f1": f1_score(y, model.predict(X)),
            "gmean": geometric_mean_score(y, model.predict(X)),
            "average_precision": average_precision_score(y, p),
            "log_loss": log_loss(y, plain),
            "f1_moved": f1_score(y, p > 1 - 5 / 6),
            "gmean_moved": geometric_mean_score(y, p > 1 - 5 / 6),
        }

    pipeline = coarse(name, seed)
    pipeline.set_params(**{f"classifier__{parameter}": v for parameter, v in params.items()})
    cut = StratifiedKFold(4, shuffle=True, random_state=seed)
    with quiet():  # about the strongest penalty, whose fit is a constant
        found = cross_validate(pipeline, X, y, scoring=scores, cv=cut)
    return {score: found[f"test_{score}"].mean() for score in (*SEARCHED, *MOVED.values())}


@pytest.mark.parametrize("name", POINTS)
def test_a_search_is_the_cross_validation_of_each_whole_pipeline(name, overlapping, seed):
    data, y = overlapping  # whose folds all have IR 5
    ours = search(METHODS[name], POINTS[name], data, y, seed=seed)
    assert len(ours) == len(POINTS[name])
    for number, params in enumerate(POINTS[name]):
        expected = by_hand(name, params, data, y, seed)
        found = ours.loc[number, [*expected]].to_dict()
        assert found == pytest.approx(expected, rel=1e-6)  # but for the order of sums


def test_scores_at_the_moved_threshold_are_others_than_those_at_one_half(overlapping, seed):
    data, y = overlapping
    found = search(METHODS["LR"], POINTS["LR"], data, y, seed=seed)
    assert (found["f1"] != found["f1_moved"]).any()
    assert (found["gmean"] != found["gmean_moved"]).any()


def test_a_fold_is_scored_by_its_own_threshold_and_the_mean_is_over_the_folds(spied):
    # 41 minority rows, which no four folds share: each has another imbalance ratio.
    y = Y.copy()
    y[np.flatnonzero(y == 0)[0]] = 1
    found = search(spied("MLP"), [{"column": 1}], X, y, seed=SEED)
    expected = np.zeros(2)
    for train, test in folds(y, SEED):
        p = (X[test, 1] > 0) * 0.5 + 0.25
        moved = p > 1 / (1 + imbalance_ratio(y[train]))  # 0.2: above it are all
        assert moved.all()
        expected += np.array([f1_score(y[test], p > 0.5), f1_score(y[test], moved)]) / 4
    assert found.loc[0, ["f1", "f1_moved"]].to_list() == pytest.approx([*expected])


def test_networks_that_do_not_converge_are_counted_and_not_shouted_about(overlapping, seed):
    points = [{"max_iter": 3}, {"max_iter": 5000}]
    found = search(METHODS["MLP"], points, *overlapping, seed=seed)
    assert found["converged"].tolist() == [0, 1]


def test_what_is_no_network_has_not_converged_or_failed_to(overlapping, seed):
    assert search(METHODS["LR"], [{"C": 1.0}], *overlapping, seed=seed)["converged"].isna().all()


# Fitting

OWN = [name for name, method in METHODS.items() if not method.like]
TREES = [name for name in OWN if name.startswith(("HGB", "RF"))]  # which tell no weight
fitted = pytest.mark.parametrize(  # the ensemble of ensembles takes seconds
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "EE")) for name in OWN]
)


def one(name, data, y, params=None, seed=SEED):
    train, test = next(splits(y, 1, seed=SEED))
    return fit(METHODS[name], params or {}, data, y, train, test, seed=seed), train, test


@fitted
def test_a_fit_predicts_what_the_pipeline_predicts(name, overlapping, seed):
    data, y = overlapping
    params = {"l2": 1e-2} if "l2" in METHODS[name].grid else {}
    found, train, test = one(name, data, y, params, seed)
    model = METHODS[name].pipeline(seed)
    model.set_params(**{f"classifier__{parameter}": v for parameter, v in params.items()})
    model.fit(data[train], y[train])
    p = np.clip(model.predict_proba(data[test])[:, 1], EDGE, 1 - EDGE)
    cut = -np.log(imbalance_ratio(y[train])) if METHODS[name].moved else 0
    for label, logits in ((1, found.predictions.positives), (0, found.predictions.negatives)):
        # Of the same computation in one thread; a softmax of two loses some digits far out.
        np.testing.assert_allclose(expit(logits), p[y[test] == label], atol=1e-9)
        np.testing.assert_array_equal(logits > cut, model.predict(data[test][y[test] == label]))


@fitted
def test_the_key_equation_holds_on_the_rows_that_the_network_saw(name, overlapping):
    found, *_ = one(name, *overlapping)
    if name in ("MLP", "CRCEN", "ADASYN", "SMOTE"):
        assert abs(found.residual) < 5e-3
    else:  # another loss, or no network
        assert np.isnan(found.residual)
    if name in NETWORKS:
        assert found.grad_norm <= methods.TOL


@fitted
def test_a_fit_tells_the_weight_that_it_was_trained_with(name, overlapping):
    found, train, _ = one(name, *overlapping)
    ratio = imbalance_ratio(overlapping[1][train])
    if name in LAM:
        assert found.lam == pytest.approx(ratio / (1 + ratio))
    elif METHODS[name].grid and name not in (*STOPPED, *TREES):
        assert found.lam == 0.5
    else:
        assert np.isnan(found.lam)


def test_a_fit_can_be_trained_with_another_weight(overlapping):
    found, *_ = one("CRCEN", *overlapping, {"lam": 0.7})
    plain, *_ = one("CRCEN", *overlapping, {"lam": 0.5})
    assert found.lam == 0.7
    assert found.predictions.counts.tp >= plain.predictions.counts.tp
    # Half the weight is the MLP: cells of either share one fit.
    mlp, *_ = one("MLP", *overlapping)
    for ours, theirs in zip(plain.predictions, mlp.predictions, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# What goes wrong


class Torn(BaseEstimator, ClassifierMixin):
    """Refuse to be fitted."""

    def fit(self, X, y):
        raise RuntimeError("torn")


@pytest.mark.parametrize(
    ("method", "problem"),
    [(METHODS["ADASYN"], "majority"), (Method("Torn", lambda seed: Torn()), "torn")],
)
def test_a_method_that_cannot_be_fitted_says_why(method, problem):
    separable = X + 1000 * Y[:, None]  # no minority row has a majority neighbour
    train, test = next(splits(Y, 1, seed=SEED))
    with pytest.raises(RuntimeError, match=problem):
        fit(method, {}, separable, Y, train, test, seed=SEED)
    with pytest.raises(RuntimeError, match=problem):
        search(method, [{}], separable, Y, seed=SEED)


def test_a_probability_of_one_has_a_finite_logit():
    class Sure(Rule):
        def predict_proba(self, X):
            p = 1.0 * (X[:, 1] > 0)
            return np.column_stack([1 - p, p])

    train, test = next(splits(Y, 1, seed=SEED))
    found = fit(Method("Sure", lambda seed: Sure()), {}, X, Y, train, test, seed=SEED).predictions
    assert isinstance(found, Predictions)
    assert {*np.round(np.abs(found.logits), 2)} == {round(float(logit(1 - EDGE)), 2)}
