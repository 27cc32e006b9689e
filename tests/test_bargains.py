"""Tests of crcen.theory.bargains, against closed forms and against counts by hand."""

import numpy as np
import pytest
from conftest import Z
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from sklearn.metrics import roc_curve

from crcen.theory.bargains import Step, factors, step_between
from crcen.theory.expense import confusion_counts, expense
from crcen.theory.laws import expense_band

rows = st.lists(
    st.tuples(st.booleans(), st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=40
)


# Proposition 16


@given(rows, st.floats(0.1, 10), st.floats(0.5, 50))
def test_the_product_is_the_expense_with_ties_too(drawn, alpha, ratio):
    y, a, b = np.array(drawn, dtype=float).T
    y[:2] = 0, 1
    step = step_between(y, a, b)
    before, after = (confusion_counts(y, o > 0) for o in (a, b))
    assert step.added == after.fp - before.fp
    assert step.gained == before.fn - after.fn
    found = factors(step, alpha, ratio)
    if step.added and step.gained > 0 and step.along:
        product = found.price * found.calibration * found.ranking
        assert product == pytest.approx(found.expense, rel=1e-12)
        assert found.expense == pytest.approx(expense(before, after), rel=1e-12)


# scikit-learn's ROC curve has the corners; between and above them the curve is drawn by hand.
@given(rows)
def test_the_gain_along_the_curve_is_that_of_scikit_learns_roc_curve(drawn):
    y, a, b = np.array(drawn, dtype=float).T
    y[:2] = 0, 1
    n1, n0 = y.sum(), (1 - y).sum()
    step = step_between(y, a, b)
    fp, tp, _ = roc_curve(y, b, drop_intermediate=False)
    u, t = (a > 0) @ (1 - y), (a > 0) @ y
    there = np.isclose(fp * n0, u)
    if there.any():
        imitated = np.clip(t, n1 * tp[there].min(), n1 * tp[there].max())
    else:
        imitated = n1 * np.interp(u / n0, fp, tp)
    assert step.along == pytest.approx((b > 0) @ y - imitated, abs=1e-9)


@given(rows, st.floats(0.5, 3.9))
def test_a_moved_threshold_gains_along_its_own_curve(drawn, shift):
    y, _, b = np.array(drawn, dtype=float).T
    y[:2] = 0, 1
    step = step_between(y, b - shift, b)
    assert step.along == step.gained


def test_a_lot_among_rows_of_one_logit():
    # b accuses two majority and three minority rows at once; a accuses one majority row
    y, b = [0, 0, 1, 1, 1], [1.0] * 5
    assert step_between(y, [1, -1, -1, -1, -1], b) == Step(added=1, gained=3, along=1.5)


def test_where_the_curve_is_vertical_the_nearest_point_counts():
    y, b = [1, 1, 1, 0, 0], [5, 4, 3, 2, 1]  # three minority rows before any false positive
    for found in (0, 2, 3):
        a = [1 if k < found else -1 for k in range(3)] + [-1, -1]
        assert step_between(y, a, b).along == 3 - found


def point(d, cut):
    return ndtr((-(d**2) / 2 - cut) / d), ndtr((d**2 / 2 - cut) / d)


# The referee's pair: both calibrated, and far below the band by ranking alone.
def test_two_calibrated_models_can_have_a_bargain(seed):
    rng = np.random.default_rng(seed)
    n, alphas, distances = 400_000, (1.0, 1.5), (1.0, 1.3)
    y = np.repeat([1, 0], n)
    side = np.where(y == 1, 0.5, -0.5)
    a, b = (
        d * (d * side + rng.normal(size=2 * n)) + np.log(alpha)
        for d, alpha in zip(distances, alphas, strict=True)
    )
    found = factors(step_between(y, a, b), alphas[1], 1.0)
    (u_a, t_a), (u_b, t_b) = (
        point(d, -np.log(alpha)) for d, alpha in zip(distances, alphas, strict=True)
    )
    imitated = ndtr(ndtri(u_a) + distances[1])
    # Each rate is a mean of n rows; a difference of two has at most the sum of their errors.
    error = 2 * Z * 0.5 / n**0.5
    for value, above, below in (
        (found.expense, u_b - u_a, t_b - t_a),
        (found.calibration * alphas[1], u_b - u_a, t_b - imitated),
        (found.ranking, t_b - imitated, t_b - t_a),
    ):
        slack = error * (1 / above + 1 / below)
        assert value == pytest.approx(above / below, rel=slack)
    low, _ = expense_band(*alphas, 1.0)
    assert (u_b - u_a) / (t_b - t_a) < 0.45 * low
    assert 1 / alphas[1] < (u_b - u_a) / (t_b - imitated) / alphas[1] < 1  # calibrated


# A model whose logits are three times the right ones is calibrated at alpha = 1 alone, and c is the
# weighted log-odds of the rows of the step.
def test_the_calibration_factor_is_the_odds_of_the_rows_of_the_step(seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(2000) < 0.2).astype(int)
    o = rng.normal(y, 1.0)
    alpha, ratio, shift = 1.5, (y == 0).sum() / y.sum(), 0.8
    step = step_between(y, o - shift, o)
    within = (o > 0) & (o <= shift)
    odds = alpha * ratio * (within & (y == 1)).sum() / (within & (y == 0)).sum()
    assert factors(step, alpha, ratio).calibration == pytest.approx(1 / odds)


@pytest.mark.parametrize(
    ("step", "exists"),
    [((0, 3, 2), "ranking"), ((5, 0, 2), "calibration"), ((5, 3, 0), "")],
)
def test_a_factor_without_rows_does_not_exist(step, exists):
    found = factors(Step(*step), 1.0, 8.0)
    assert found.price == 8
    assert np.isnan(found.expense)
    for name in ("calibration", "ranking"):
        assert np.isnan(getattr(found, name)) == (name != exists)
