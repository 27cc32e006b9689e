"""Tests of crcen.study.methods: every method scales, balances, learns, and its grid fits it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import SEED
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from crcen.classifiers import CRCENClassifier, CSMLPClassifier
from crcen.study.methods import (
    METHODS,
    NETWORK_GRID,
    NETWORKS,
    STOPPED,
    TABLE_3,
    TOL,
    WIDE_GRID,
)
from crcen.study.trees import WeightedBoosting, WeightedForest

torch.set_num_threads(1)
threadpool_limits(1, "openmp")  # of boosting, whose threads wait for each other on few rows
OWN = {name: method for name, method in METHODS.items() if not method.like}

WEIGHTS = [("MLP", 0.5), ("CSMLP", 8 / 9), ("CRCEN", 8 / 9), ("ADASYN", 0.5), ("SMOTE", 0.5)]
every = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
fitted = pytest.mark.parametrize(  # the ensemble of ensembles takes seconds
    "method",
    [pytest.param(m, marks=[pytest.mark.slow] * (name == "EE")) for name, m in OWN.items()],
    ids=OWN,
)
patient = pytest.mark.parametrize(  # what stops early may have learned nothing of few rows
    fitted.args[0],
    [param for name, param in zip(OWN, fitted.args[1], strict=True) if name not in STOPPED],
    ids=[name for name in OWN if name not in STOPPED],
)
table3 = pd.read_csv(Path(__file__).parents[1] / "notebooks/paper/table3.csv")
networks = [
    name
    for name, method in METHODS.items()
    if isinstance(method.classifier(0), CRCENClassifier | CSMLPClassifier)
]


@pytest.fixture(scope="module")
def rows(seed):
    """Two normal classes three deviations apart, IR 8, in columns of very different scale."""
    rng = np.random.default_rng(seed)
    y = np.repeat([1, 0], [30, 240])
    return (rng.normal(size=(270, 2)) + 3 * y[:, None]) * [1, 1000] + [0, 5000], y


def test_the_methods_are_those_of_table_3_in_its_order():
    assert list(TABLE_3) == list(METHODS)[:8] == list(table3["method"].unique())


@patient
def test_it_learns_both_labels(method, rows):
    X, y = rows
    predicted = method.pipeline(seed=SEED).fit(X, y).predict(X)
    assert set(predicted) == {0, 1}
    assert (predicted == y).mean() > 0.9


@every
def test_it_scales_first(method):
    name, scaler = method.pipeline(seed=0).steps[0]
    assert name == "scaler"
    assert isinstance(scaler, StandardScaler)


@fitted
def test_the_scale_of_the_columns_does_not_matter(method, rows):
    X, y = rows  # a power of two, which leaves every digit of the scaled rows as it is
    as_they_are = method.pipeline(seed=SEED).fit(X, y).predict(X)
    rescaled = method.pipeline(seed=SEED).fit(X / [1, 4096], y).predict(X / [1, 4096])
    assert (as_they_are == rescaled).all()


@every
def test_every_point_of_its_grid_can_be_set(method):
    for point in ParameterGrid(method.grid):
        found = method.pipeline(seed=0)["classifier"].set_params(**point).get_params()
        assert {name: found[name] for name in point} == point


@every
def test_the_seed_reaches_the_classifier(method):
    classifier = method.pipeline(seed=7)["classifier"]
    if not isinstance(classifier, LogisticRegression):  # which draws nothing
        assert classifier.random_state == 7


@pytest.mark.parametrize("name", ["ADASYN", "SMOTE"])
def test_the_sampler_has_the_seed_and_balances_the_scaled_training_rows(name, rows):
    X, y = rows
    pipeline = METHODS[name].pipeline(seed=7)
    assert pipeline.named_steps["sampler"].random_state == 7
    scaled = StandardScaler().fit_transform(X)
    balanced, labels = pipeline.named_steps["sampler"].fit_resample(scaled, y)
    assert_allclose(balanced[: len(X)], scaled)  # the real rows stay, the made ones follow
    assert labels[len(X) :].all()
    assert labels.mean() == pytest.approx(0.5, abs=0.02)


def test_the_wider_grid_reaches_beyond_every_edge_but_one_neuron():
    assert [name for name in networks if not METHODS[name].moved] == list(NETWORKS)
    for name, values in NETWORK_GRID.items():
        assert all(value in WIDE_GRID[name] for value in values)
        assert max(values) < max(WIDE_GRID[name])
    assert min(WIDE_GRID["l2"]) < min(NETWORK_GRID["l2"])


@every
def test_each_pipeline_is_new(method):
    first, second = method.pipeline(seed=0), method.pipeline(seed=0)
    assert first.named_steps["classifier"] is not second.named_steps["classifier"]


@pytest.mark.parametrize(("name", "lam"), WEIGHTS)
def test_the_networks_have_the_weights_of_the_paper(name, lam, rows):
    pipeline = METHODS[name].pipeline(seed=SEED).fit(*rows)
    assert_allclose(pipeline.named_steps["classifier"].lam_, lam)


@pytest.mark.parametrize("name", networks)
def test_the_networks_share_one_grid_and_one_stopping_rule(name):
    assert METHODS[name].grid == NETWORK_GRID
    assert METHODS[name].pipeline(seed=0).named_steps["classifier"].tol == TOL


def test_an_ensemble_keeps_its_defaults():
    kept = {name for name, method in METHODS.items() if not method.grid}
    assert kept == {"RUSB", "EE", "BRF", "BRF 2019"}


def test_the_forest_of_2019_draws_each_tree_s_rows_from_its_bootstrap_sample():
    now, then = (METHODS[name].pipeline(seed=0)["classifier"] for name in ("BRF", "BRF 2019"))
    differ = {n: v for n, v in then.get_params().items() if v != now.get_params()[n]}
    assert differ == {"bootstrap": True, "sampling_strategy": "auto", "replacement": False}


def test_a_weighted_logistic_regression_has_the_balanced_weight(rows):
    X, y = rows
    ours = METHODS["LR weighted"].pipeline(seed=0).fit(X, y).decision_function(X)
    lam = 8 / 9  # of the minority, with IR 8
    rescaled = METHODS["LR"].pipeline(seed=0)
    # The same but for the scale of the loss: balanced weights have mean 1, lambda's sum to less.
    weights = np.where(y == 1, lam, 1 - lam)
    rescaled.fit(X, y, classifier__sample_weight=weights * len(y) / weights.sum())
    assert_allclose(ours, rescaled.decision_function(X), atol=1e-3)  # where the solver stops


def test_a_method_that_decides_otherwise_with_fits_has_their_pipeline_and_grid():
    for method in METHODS.values():
        own = isinstance(method.classifier(0), WeightedBoosting | WeightedForest)
        assert method.moved == (own or bool(method.like))
        if method.like:
            like = METHODS[method.like]
            assert (method.grid, method.sampler) == (like.grid, like.sampler)
            assert repr(method.pipeline(seed=3)) == repr(like.pipeline(seed=3))


def test_titles_are_all_different():
    assert len({method.title for method in METHODS.values()}) == len(METHODS)
