"""Tests of crcen.path: which fits start where, and what they reach."""

import numpy as np
import pytest
from conftest import SEED
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from crcen import CRCENClassifier
from crcen.path import ANCHOR, fit_path
from crcen.theory.simulations import sim2

X, Y = sim2(100, 400, np.random.default_rng(SEED))
PENALTIES = [1e-5, 5e-3, 1e-4, 2e-3, 1e-3]
MODEL = CRCENClassifier((3,), tol=1e-4, random_state=SEED)


def fitted(points, model=MODEL):
    return {number: vars(fit).copy() for number, fit in fit_path(model, points, X, Y)}


def test_every_point_is_fitted_once_with_its_own_parameters():
    points = [{"l2": l2, "hidden_layer_sizes": (h,)} for h in (2, 3) for l2 in PENALTIES]
    found = fitted(points)
    assert sorted(found) == list(range(len(points)))
    for number, fit in found.items():
        assert fit["l2"] == points[number]["l2"]
        assert fit["coefs_"][0].shape == (3, *points[number]["hidden_layer_sizes"])
        assert fit["grad_norm_"] <= MODEL.tol


def test_strong_penalties_are_fitted_from_the_starting_values():
    found = fitted([{"l2": l2} for l2 in PENALTIES])
    for number, l2 in enumerate(PENALTIES):
        if l2 >= ANCHOR:
            alone = clone(MODEL).set_params(l2=l2).fit(X, Y)
            np.testing.assert_array_equal(found[number]["coefs_"][0], alone.coefs_[0])


def test_weak_penalties_start_from_the_next_stronger():
    found = fitted([{"l2": l2} for l2 in PENALTIES])
    chain = clone(MODEL).set_params(l2=1e-3).fit(X, Y)
    for l2 in (1e-4, 1e-5):
        chain.set_params(l2=l2, warm_start=True).fit(X, Y)
        np.testing.assert_array_equal(found[PENALTIES.index(l2)]["coefs_"][0], chain.coefs_[0])


def test_the_order_of_the_points_changes_nothing():
    points = [{"l2": l2} for l2 in PENALTIES]
    forward, backward = fitted(points), fitted(points[::-1])
    for number in range(len(points)):
        other = backward[len(points) - 1 - number]
        np.testing.assert_array_equal(forward[number]["coefs_"][0], other["coefs_"][0])


def test_the_classifier_given_is_left_as_it_was():
    model = clone(MODEL)
    list(fit_path(model, [{"l2": 1e-4}], X, Y))
    assert model.get_params() == MODEL.get_params()
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize("points", [[{"C": 1.0}, {"C": 0.1}], [{}]])
def test_a_classifier_without_a_path_is_fitted_at_each_point(points):
    found = {number: fit.C for number, fit in fit_path(LogisticRegression(), points, X, Y)}
    assert found == {number: point.get("C", 1.0) for number, point in enumerate(points)}
