"""Tests of crcen.validation: what counts as a number, a label, a weight; and what functions say."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from crcen import (
    CRCENClassifier,
    CRCENLoss,
    choose_lam,
    imbalance_ratio,
    key_equation,
    load_dataset,
    prior_shift,
)
from crcen.choice import Share
from crcen.theory.bargains import factors, step_between
from crcen.theory.deviations import effective_lam, focal, separable_limit, sgd_spread
from crcen.theory.expense import Confusion, expense, expense_interval, expenses, ratio_interval
from crcen.theory.laws import OperatingPoint, expense_band, fresh_ratio_spread, gaussian_point
from crcen.theory.multiclass import class_balance
from crcen.theory.simulations import sim1
from crcen.validation import FINITE, check_number, check_numbers, check_weights
from crcen.weights import alpha_from_lam, lam_from_alpha

Y, P, L = [1, 0, 0], [0.6, 0.3, 0.1], [3.0, -2.0, -1.0]


@pytest.mark.parametrize(
    "numbers",
    [
        np.array([1, 2], dtype=np.uint8),
        np.array([1, 2], dtype=np.longdouble),
        np.array([1, 2], dtype=object),
        pd.Series([1, 2], dtype="Int64"),
        pd.array([1.0, 2.0], dtype="Float64"),
        torch.tensor([1.0, 2.0], requires_grad=True),
        [Fraction(1), np.float32(2)],
        (True, 2),
    ],
)
def test_numbers_of_any_kind_are_taken(numbers):
    found = check_numbers("x", numbers, FINITE)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [1, 2])


@pytest.mark.parametrize(
    "other",
    [
        ["1", "2"],
        [1, None],
        pd.array([1, None], dtype="Int64"),
        [1, 2j],
        [[1], [1, 2]],
        [1, Decimal(2)],
        [10**400, 1],
        np.array(["2026-01-01"], dtype="datetime64[D]"),
        np.ma.masked_array([1, 2], mask=[False, True]),
        {"a": 1},
        "0.9",
        None,
        object(),
    ],
)
def test_what_is_no_number_is_refused_by_its_name(other):
    with pytest.raises(ValueError, match=r"^x=.* must be numbers: give some\."):
        check_numbers("x", other, FINITE, remedy="give some")
    with pytest.raises(ValueError, match=r"^x=.* must be a number\."):
        check_number("x", other, FINITE)


def test_a_long_value_is_shortened_in_a_message():
    with pytest.raises(ValueError, match=r"^x=.* must be finite") as error:
        check_numbers("x", [*range(10_000), float("nan")], FINITE)
    assert len(str(error.value)) < 200


# A power of two changes no digit, so that a weighted result does not depend on it.
@pytest.mark.parametrize("unit", [1.0, 2.0**-1040, 2.0**1000])
def test_weights_keep_their_proportions_and_have_a_finite_sum(unit):
    scaled = check_weights(unit * np.array([3.0, 0.0, 7.0]), 3)
    np.testing.assert_array_equal(scaled, [0.75, 0, 1.75])


# Each of these ended in a TypeError, an IndexError, an OverflowError, a hang, or a silent nan
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lam_from_alpha([1, 2], 3), r"^alpha=\[1, 2\] must be a number"),
        (lambda: lam_from_alpha(1e200, 1e200), r"^alpha=1e\+200 at imbalance_ratio=.* beyond"),
        (lambda: lam_from_alpha(1e-200, 1e-200), r"^alpha=1e-200 .* lambda rounds to 0"),
        (lambda: alpha_from_lam(0.5, "3"), r"^imbalance_ratio='3' must be a number"),
        (lambda: alpha_from_lam(1 - 1e-16, 1e-308), r"^imbalance_ratio=1e-308 makes alpha="),
        (lambda: imbalance_ratio([None, 1, 0]), r"^y must be a vector of 0 .* \[None, 1, 0\]"),
        (lambda: imbalance_ratio([]), r"^y must be a vector .* shape \(0,\)"),
        (lambda: imbalance_ratio(5), r"^y must be a vector .* shape \(\) .* \[5\]"),
        (lambda: imbalance_ratio([[1], [1, 0]]), r"^y must be a vector"),
        (lambda: prior_shift(["0.5"], 0.5), r"^p=\['0.5'\] must be numbers: pass predict_proba"),
        (lambda: prior_shift([0.5, np.nan], 0.5), r"^p=\[0.5, nan\] must be from 0 to 1"),
        (lambda: key_equation([], [], 0.5), r"^y must be a vector .* shape \(0,\)"),
        (lambda: key_equation(Y, P, 1e-320), r"^lam=1e-320 is not a weight"),
        (lambda: key_equation(Y, P, [0.5]), r"^lam=\[0.5\] is not a weight"),
        (lambda: gaussian_point([1, 2], 1), r"^distance=\[1, 2\] must be a number"),
        (lambda: gaussian_point(1e17, 1), r"^distance=1e\+17 must be at most 60"),
        (lambda: fresh_ratio_spread((1, 2), (1, 1), (1, 1)), r"^point=\(1, 2\) must be an Oper"),
        (
            lambda: fresh_ratio_spread(OperatingPoint(*[0.0] * 6), (1, 1), (1, 1)),
            r"^point has p1bar=0.0 and p0bar=0.0: .* above 0",
        ),
        (
            lambda: fresh_ratio_spread(gaussian_point(2, 1), 5, (1, 1)),
            r"^train=5 must be a vector",
        ),
        (
            lambda: fresh_ratio_spread(gaussian_point(2, 1), (1, 1), (1, 1, 1)),
            r"^fresh=\(1, 1, 1\) must be two counts",
        ),
        (lambda: expense_band([1, 2], [3, 4, 5], 1), r"^before, after .* shapes \(2,\), \(3,\)"),
        (lambda: expense((1, 2, 3), (1, 2, 3)), r"^before has shape \(3,\): give tn, fp"),
        (lambda: expense(None, None), r"^before=None must be numbers: give tn, fp"),
        (
            lambda: expense((1, 2, 3, 4), (9, 2, 3, 4)),
            r"^before and after must be on the same rows, got",
        ),
        (lambda: expenses([[1, -2, 3, 4]]), r"^counts=.* must be zero or more and finite"),
        (lambda: expenses([]), r"^counts=\[\] must be a matrix"),
        (lambda: expense_interval([]), r"^counts=\[\] must be of 3"),
        (lambda: expense_interval(np.ones((1, 2, 4)), 95), r"^level=95 must be strictly between"),
        (lambda: ratio_interval([1, 2], [1]), r"^above has 2 splits and below 1: give"),
        (lambda: ratio_interval([], []), r"^above has 0 splits"),
        (lambda: ratio_interval([1, np.inf], [1, 2]), r"^above=\[1, inf\] must be finite"),
        (lambda: ratio_interval([1, 2], [1, 2], 0.9, 1), r"^test_size=1 must be strictly"),
        (lambda: step_between([0, 1], [1], [1, 2]), r"^before must hold one finite .* 2 labels"),
        (lambda: factors((1, 2), 1, 1), r"^step=\(1, 2\) must be a Step"),
        (lambda: factors((1, 2, 3), 0, 1), r"^alpha=0 must be positive"),
        (lambda: Share(2.5, 5), r"^part=2.5 must be an integer of 0 or more"),
        (lambda: Share(6, 5), r"^part=6 must be at most total=5"),
        (lambda: Share(1, None), r"^total=None must be an integer"),
        (lambda: Share(1, 2).fresh(10**12), r"^rows=1000000000000 must be an integer of at most"),
        (lambda: Share(1, 2).interval(95), r"^level=95 must be strictly between 0 and 1"),
        (lambda: choose_lam(P, Y, recall="0.9"), r"^recall='0.9' must be a number"),
        (lambda: choose_lam(P, Y, recall=0.4), r"^logits all lie in \[0, 1\]"),
        (
            lambda: choose_lam([-1, 2, 3], Y, expense=1e17),
            r"^expense=1e\+17 takes alpha=5e\+16, at which",
        ),
        (lambda: choose_lam([-800, -900, -900], Y, recall=0.4), r"^recall=0.4 takes alpha=inf"),
        (lambda: choose_lam([800, -900, -900], Y, recall=0.4), r"^recall=0.4 takes alpha=0"),
        (lambda: effective_lam([0.5], 2), r"^lam=\[0.5\] is not a weight"),
        (lambda: effective_lam(0.5, 2, batch_size=2.0), r"^batch_size=2.0 must be an integer"),
        (lambda: effective_lam(0.5, 2, batch_size=10**12), r"^batch_size=1.* of at most 1e\+09"),
        (
            lambda: sgd_spread([[1], [2]], [0, 1], [0.0, 0.5], 0.5, 0.1, 1),
            r"^p is 0 in every row of class 0",
        ),
        (lambda: sgd_spread([[1]], [0, 1], [0.5, 0.5], 0.5, 0.1, 1), r"^X has 1 rows for 2 label"),
        (lambda: separable_limit([1, 2], [0, 1]), r"^X=\[1, 2\] must be a matrix, got shape"),
        (lambda: focal("2"), r"^gamma='2' must be a number: 0 is cross entropy"),
        (lambda: focal(float("inf")), r"^gamma=inf must be zero or more and finite"),
        (lambda: class_balance([[0], [1]], np.eye(2), [1, 1]), r"^y=.* must be a vector"),
        (lambda: class_balance([0, 0], [[1], [1]], 1.0), r"^class_weight=1.0 must be a vector"),
        (lambda: class_balance([], np.ones((0, 2)), [1, 1]), r"^P must have a row for each of"),
        (lambda: sim1(10, -1, np.random.default_rng(0)), r"^n0=-1 must be an integer of 0 or more"),
        (lambda: sim1(10, 10, 0), r"^rng=0 must be a generator"),
        (lambda: load_dataset(None), r"^name=None is not a data set; did you mean"),
        (
            lambda: load_dataset(["abalone"]),
            r"^name=\['abalone'\] is not a data set; did you mean 'aba",
        ),
        (lambda: load_dataset("abalone", 5), r"^data_home=5 must be the path of a folder"),
        (lambda: CRCENLoss([0.5]), r"^lam=\[0.5\] is not a weight"),
        (lambda: CRCENLoss(0.5)([0.0], [1.0]), r"^logits must be a tensor, got a list"),
        (
            lambda: CRCENLoss(0.5)(torch.zeros(2), torch.tensor([-1.0, 1.0])),
            r"^target must hold 0 \(majority\) and 1 \(minority\), got \[-1.0, 1.0\]",
        ),
        (
            lambda: CRCENLoss(0.5)(torch.zeros(1, dtype=int), torch.zeros(1)),
            r"^logits have the type torch.int64: give real numbers",
        ),
        (lambda: CRCENLoss(0.5)(torch.zeros(0), torch.zeros(0)), r"^logits and target are empty"),
    ],
)
def test_a_wrong_argument_is_named_with_its_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# And these are answered


def test_unsigned_counts_do_not_wrap_around():
    counts = np.array([Confusion(9, 5, 3, 2), Confusion(10, 4, 2, 3)], dtype=np.uint32)
    assert expenses(counts).tolist() == [-1]


def test_a_tensor_that_requires_a_gradient_is_a_vector_of_numbers():
    p = torch.tensor(P, dtype=torch.float64, requires_grad=True)
    assert key_equation(Y, p, 0.5) == key_equation(Y, P, 0.5)
    np.testing.assert_array_equal(prior_shift(p, 0.9), prior_shift(P, 0.9))


def test_a_recall_near_to_0_is_reached_by_the_highest_minority_row():
    choice = choose_lam([3.0, 1.0, 2.0, 0.0], [1, 1, 0, 0], recall=1e-12)
    assert choice.recall == (1, 2)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float64])
def test_targets_of_any_type_are_labels(dtype):
    o, y = torch.tensor([0.3, -2.0, 1.0]), torch.tensor([1, 0, 1])
    loss = CRCENLoss(0.7)
    assert loss(o, y.to(dtype)).item() == pytest.approx(loss(o, y.float()).item())


def test_a_class_without_a_flow_has_a_residual_of_nan_with_a_warning():
    with pytest.warns(RuntimeWarning, match=r"classes \[0, 1\] give nothing"):
        found = class_balance([0, 1], np.eye(2), [1, 1])
    assert np.isnan(found.residual).all()


# What a hundred thousand odd inputs found


def test_a_step_beyond_the_range_of_a_float_is_refused_or_answered():
    y, p = [0, 1], [0.5, 0.5]
    with pytest.raises(ValueError, match=r"^step=1e\+308 makes the iterates diverge"):
        sgd_spread([[1e10], [0]], y, p, 0.5, step=1e308, batch_size=1)
    # eta^2 is infinite, but eta H is not: the spread of a bias alone depends on that alone
    tiny = [1e-300, 1e-300]
    spread = sgd_spread([[], []], y, tiny, 0.5, step=1e299, batch_size=4)
    assert np.isfinite(spread)
    assert spread > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X": [[torch.ones(1, requires_grad=True)], [1.0]]}, "^X or y cannot be read as numbers"),
        ({"X": [[10**400], [1]]}, "^X or y cannot be read as numbers"),
        ({"hidden_layer_sizes": (10**400,)}, r"^hidden_layer_sizes=.* must make fewer param"),
    ],
)
def test_what_scikit_learn_does_not_expect_is_told(given, message):
    X = given.pop("X", [[0.0], [1.0]])
    with pytest.raises(ValueError, match=message):
        CRCENClassifier(**given).fit(X, [0, 1])


def test_a_tolerance_of_any_kind_of_number_is_told_where_it_is_not_reached():
    clf = CRCENClassifier(tol=Fraction(1, 10**9), max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning, match="above tol=1e-09"):
        clf.fit([[0.0], [1.0], [2.0]], [0, 1, 0])
