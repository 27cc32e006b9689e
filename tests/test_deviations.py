"""Tests of crcen.theory.deviations, each against a computation that shares no formula with it."""

import numpy as np
import pytest
import torch
from conftest import SEED, Z
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, brentq, minimize
from scipy.special import expit, log_expit, softmax
from scipy.stats import norm
from sklearn.svm import SVC

from crcen import CRCENClassifier, CRCENLoss, CSMLPClassifier, key_equation, lam_from_alpha
from crcen.losses import CROSS_ENTROPY, SQUARED_ERROR
from crcen.theory.deviations import (
    balance,
    effective_lam,
    focal,
    matching_loss,
    separable_limit,
    sgd_spread,
)
from crcen.theory.flow import gradient_flow
from crcen.theory.simulations import sim1

lams = st.floats(0.05, 0.95)

TOY = np.array([[1.0], [-2], [-2], [-2], [-2], [-2]]), np.array([1, 0, 0, 0, 0, 0])


@pytest.fixture(scope="module")
def overlapping(seed):
    return sim1(60, 240, np.random.default_rng(seed))


def separable(d, draw, n=40):
    rng = np.random.default_rng([SEED, draw])
    X = rng.normal(size=(n, d))
    side = X.sum(axis=1) / d**0.5 - 0.5
    X, side = X[np.abs(side) > 0.1], side[np.abs(side) > 0.1]
    return X, (side > 0).astype(int)


# Proposition 9: the residual is a gradient, and what mini-batches amount to


@given(lams, st.floats(-3, 3))
def test_the_residual_is_the_gradient_by_the_bias_over_the_majority_side(seed, lam, bias):
    o = np.random.default_rng(seed).normal(size=9)
    y, b = np.repeat([1, 0], [3, 6]), torch.tensor(bias, dtype=torch.float64, requires_grad=True)
    CRCENLoss(lam, reduction="sum")(torch.tensor(o) + b, torch.tensor(y)).backward()
    p = expit(o + bias)
    residual = -b.grad.item() / ((1 - lam) * p[y == 0].sum())
    assert key_equation(y, p, lam).residual == pytest.approx(residual, abs=1e-12)


@given(lams)
def test_one_bias_fits_any_logits(seed, lam):
    o, y = np.random.default_rng(seed).normal(size=9), np.repeat([1, 0], [3, 6])
    residuals = [key_equation(y, expit(o + b), lam).residual for b in np.linspace(-9, 9, 200)]
    assert (np.diff(residuals) < 0).all()
    assert residuals[0] > 0 > residuals[-1]


# The only equation that a weight has to satisfy: with a bias alone, the mean step vanishes at p
# with lam_e N1 (1 - p) = (1 - lam_e) N0 p. The mean is taken over all batches, one by one.
@pytest.mark.parametrize("divide", [False, True])
@pytest.mark.parametrize("odds", [None, 1.0, 0.3])
@pytest.mark.parametrize("lam", [0.3, 0.9])
def test_mini_batches_of_a_constant_model_balance_at_the_effective_weight(lam, odds, divide):
    n1, n0, size = 3, 12, 5
    lam_e = effective_lam(lam, n0 / n1, batch_odds=odds, batch_size=size if divide else None)
    p = lam_e * n1 / (lam_e * n1 + (1 - lam_e) * n0)
    chance = n1 / (n1 + n0) if odds is None else odds / (1 + odds)
    step = 0.0
    for labels in np.ndindex(*[2] * size):
        k = sum(labels)
        weights = lam * k + (1 - lam) * (size - k) if divide else 1.0
        minority, majority = lam * k * (1 - p), (1 - lam) * (size - k) * p
        step += chance**k * (1 - chance) ** (size - k) * (minority - majority) / weights
    assert step == pytest.approx(0, abs=1e-12)


@settings(max_examples=10)  # of batches so large that each takes its time
@given(lams, st.floats(0.5, 50))
def test_rows_drawn_alike_keep_the_weight_and_large_batches_too(lam, ratio):
    assert effective_lam(lam, ratio) == pytest.approx(lam)
    odds = effective_lam(lam, ratio, batch_size=20_000)
    assert odds / (1 - odds) == pytest.approx(lam / (1 - lam), rel=0.02)


def test_balancing_twice_trains_for_the_square_of_the_imbalance():
    lam = effective_lam(lam_from_alpha(1, 7.0), 7.0, batch_odds=1)
    assert lam / (1 - lam) == pytest.approx(49)


# The formula is of first order in the step; the second order is about the square of the spread.
# The standard error is that of independent chains.
@pytest.mark.parametrize("step", [pytest.param(0.1, marks=pytest.mark.slow), 0.3])
def test_spread_is_that_of_stochastic_descent(overlapping, step, seed):
    X, y = overlapping
    lam, size, chains = 0.95, 20, 1000
    fit = CRCENClassifier((), lam=lam, l2=0.0, tol=1e-9).fit(X, y)
    rows = np.column_stack([X, np.ones(len(y))])
    weight = np.where(y == 1, lam, 1 - lam)
    theta = np.tile([fit.coefs_[0].item(), fit.intercepts_[0].item()], (chains, 1))
    rng, residuals = np.random.default_rng(seed), []
    for t in range(round(150 / step)):
        i = rng.integers(len(y), size=(chains, size))
        error = weight[i] * (expit((rows[i] * theta[:, None]).sum(axis=2)) - y[i])
        theta -= step * (error[..., None] * rows[i]).mean(axis=1) / weight.mean()
        if t * step >= 100 and t % 50 == 0:  # until then the chains spread from the minimum
            p = expit(theta @ rows.T)
            residuals.append(lam * ((1 - p) @ y) / ((1 - lam) * (p @ (1 - y))) - 1)
    predicted = sgd_spread(X, y, fit.predict_proba(X)[:, 1], lam, step, size)
    squares = ((residuals - np.mean(residuals)) ** 2).mean(axis=0)  # a mean for each chain
    error = Z * squares.std() / chains**0.5 + predicted**2 * squares.mean()
    assert squares.mean() == pytest.approx(predicted**2, abs=error)


def test_a_step_that_diverges_is_refused(overlapping):
    X, y = overlapping
    with pytest.raises(ValueError, match=r"step=100\.0 makes the iterates diverge: go below"):
        sgd_spread(X, y, np.full(len(y), 0.5), 0.5, 100.0, 10)


@pytest.mark.parametrize(
    ("p", "batch_size", "message"),
    [
        (0.5, 10, r"p must hold one probability of class 1 for each of the 300 labels"),
        (np.full(300, 0.5), 0, "batch_size=0 must be an integer of 1 or more"),
    ],
)
def test_what_a_spread_cannot_be_computed_of_is_refused(overlapping, p, batch_size, message):
    with pytest.raises(ValueError, match=message):
        sgd_spread(*overlapping, p, 0.5, 0.1, batch_size)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lam": 1.0}, "lam=1.0 is not a weight"),
        ({"imbalance_ratio": -1}, "imbalance_ratio=-1 must be positive"),
        ({"batch_odds": 0}, "batch_odds=0 must be positive"),
        ({"batch_size": 0}, "batch_size=0 must be an integer of 1 or more"),
        ({"batch_size": 2.5}, "batch_size=2.5 must be an integer of 1 or more"),
    ],
)
def test_an_impossible_batch_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        effective_lam(**({"lam": 0.5, "imbalance_ratio": 3} | change))


# Proposition 10: separable data


@pytest.mark.parametrize("c", [0.5, 1.0, 3.0])
def test_the_toy_has_the_limit_found_by_hand(c):
    # The hull is the segment from (1, c) to (2, -c); its shortest vector is at 1 - t and t.
    t = (2 * c * c - 1) / (1 + 4 * c * c)
    limit = (1 - t) / t if t > 0 else np.inf
    assert separable_limit(*TOY, bias_scale=c) == pytest.approx(limit)


def hard_margin_machine(X, y, margins):
    """The shortest theta, the bias last, with the given margins, by quadratic programming."""
    Z = np.column_stack([X, np.ones(len(y))]) * (2 * y - 1)[:, None]
    return minimize(
        lambda t: t @ t / 2,
        np.zeros(Z.shape[1]),
        jac=lambda t: t,
        method="SLSQP",
        constraints=[LinearConstraint(Z, margins, np.inf)],
        options={"ftol": 1e-14, "maxiter": 1000},
    ).x


@pytest.mark.parametrize("draw", range(4))
@pytest.mark.parametrize("d", [2, 6])
def test_the_limit_is_the_ratio_of_dual_sums_of_a_hard_margin_machine(d, draw):
    X, y = separable(d, draw)
    # The sum of a z, so that its last entry is A1 - A0, and |theta|^2 = A1 + A0.
    theta = hard_margin_machine(X, y, 1)
    limit = (theta @ theta + theta[-1]) / (theta @ theta - theta[-1])
    assert separable_limit(X, y) == pytest.approx(limit, rel=1e-4)


@pytest.mark.parametrize("lam", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("data", [TOY, separable(3, 0)])
def test_normalised_descent_has_the_limit_whatever_the_weight(data, lam):
    X, y = data
    Z = np.column_stack([X, np.ones(len(y))]) * (2 * y - 1)[:, None]
    log_weight, theta = np.log(np.where(y == 1, lam, 1 - lam)), np.zeros(Z.shape[1])
    for _ in range(20_000):
        q = softmax(log_weight + log_expit(-Z @ theta))
        theta += 0.1 * q @ Z
    assert q[y == 1].sum() / q[y == 0].sum() == pytest.approx(separable_limit(X, y), rel=0.01)


# Proposition 17: factors of the margins survive, weights and summands do not


@pytest.mark.parametrize("delta", [0.3, 0.8, 2.0, 5.0])
@pytest.mark.parametrize("c", [1.0, 3.0])
def test_the_toy_has_the_limit_found_by_hand_for_a_factor(c, delta):
    a, b = delta * np.array([1.0, c]), np.array([2.0, -c])  # the shortest at (1 - t) a + t b
    t = np.clip(a @ (a - b) / ((a - b) @ (a - b)), 0, 1)
    limit = delta * (1 - t) / t if t > 0 else np.inf
    assert separable_limit(*TOY, c, delta) == pytest.approx(limit)


@pytest.mark.parametrize("delta", [0.2, 4.0])
@pytest.mark.parametrize("d", [2, 6])
def test_with_a_factor_the_dual_sums_are_of_a_machine_with_two_margins(d, delta):
    X, y = separable(d, 0)
    # Its last entry is B1 - B0, and |theta|^2 = B1/delta + B0.
    theta = hard_margin_machine(X, y, np.where(y == 1, 1 / delta, 1.0))
    minority = (theta @ theta + theta[-1]) / (1 + 1 / delta)
    limit = minority / (minority - theta[-1])
    assert separable_limit(X, y, delta=delta) == pytest.approx(limit, rel=1e-4)


@pytest.mark.parametrize("delta", [0.3, 1.0, 3.0])
@pytest.mark.parametrize(("lam", "iota"), [(0.1, 0.0), (0.99, 0.0), (0.5, 2.0), (0.5, -2.0)])
@pytest.mark.parametrize("data", [TOY, separable(3, 0)])
def test_the_flow_has_the_limit_of_the_factor_whatever_weight_and_summand(data, lam, iota, delta):
    X, y = data
    flow = gradient_flow(X, y, lam, np.geomspace(1, 1e5, 5), 2.0, delta, iota)
    assert flow.rho[-1] == pytest.approx(separable_limit(X, y, 2.0, delta), rel=0.01)
    assert flow.margins[-1] == pytest.approx(delta, rel=0.05)  # converges like 1/s


# The flow in Euler's steps, with the gradient by autograd.
def test_the_flow_is_that_of_the_adjusted_loss():
    X, y = TOY
    lam, delta, iota = 0.7, 1.5, 0.4
    theta = torch.zeros(2, dtype=torch.float64)
    rows = torch.tensor(np.column_stack([X, np.ones(6)]))
    of_rows = ([delta] + [-1.0] * 5, [iota] + [0.0] * 5, [lam] + [1 - lam] * 5)
    factor, shift, weight = (torch.tensor(values, dtype=torch.float64) for values in of_rows)

    def slopes():
        by_margin = torch.sigmoid(-(factor * (rows @ theta) + shift))
        return weight * by_margin

    for _ in range(20_000):
        theta.requires_grad_()
        loss = weight @ torch.nn.functional.softplus(-(factor * (rows @ theta) + shift))
        (gradient,) = torch.autograd.grad(loss, theta)
        theta = (theta - 1e-4 * gradient / slopes().sum()).detach()
    sides = (slopes() * factor.abs()).numpy()
    found = gradient_flow(X, y, lam, [1.0, 2.0], 1.0, delta, iota).rho[-1]
    assert found == pytest.approx(sides[0] / sides[1:].sum(), rel=1e-3)  # of the step


def test_a_factor_divides_the_gap_if_the_bias_is_free():
    assert separable_limit(*TOY, 1e3, 4.0) == pytest.approx(1, abs=2e-3)
    assert separable_limit(*separable(3, 1), 1e3, 0.2) == pytest.approx(1, abs=5e-3)


def test_a_free_bias_has_the_limit_1_as_in_a_machine_with_intercept():
    X, y = separable(3, 1)
    assert separable_limit(X, y, bias_scale=1e3) == pytest.approx(1, abs=2e-3)
    dual = SVC(kernel="linear", C=1e9).fit(X, y).dual_coef_
    assert dual.sum() == pytest.approx(0, abs=1e-6 * np.abs(dual).sum())


def test_the_margin_bounds_the_limit():
    for draw in range(4):
        X, y = separable(4, draw)
        for c in (1.0, 5.0):
            gamma = min(np.linalg.norm(a - b) for a in X[y == 1] for b in X[y == 0]) / 2
            if gamma < c:
                bound = (c + gamma) / (c - gamma)
                assert 1 / bound <= separable_limit(X, y, c) <= bound


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_data_that_no_hyperplane_separates_are_refused(overlapping, scale):
    X, y = overlapping
    for rows, labels in ((X, y), ([[1.0], [1.0], [3.0]], [1, 0, 0])):
        with pytest.raises(ValueError, match="no hyperplane separates the two classes"):
            separable_limit(np.multiply(rows, scale), labels)


def test_one_class_has_no_margin():
    with pytest.raises(ValueError, match="rows of one class only"):
        separable_limit([[1.0], [2.0]], [1, 1])


# Proposition 11: other losses


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_focal_loss_and_its_slope(gamma, label):
    o = torch.linspace(-6, 6, 25, dtype=torch.float64, requires_grad=True)
    y = torch.full_like(o, label)
    q = torch.where(y == 1, torch.sigmoid(o), torch.sigmoid(-o))
    value = -((1 - q) ** gamma) * torch.log(q)
    (slope,) = torch.autograd.grad(value.sum(), o)
    loss = focal(gamma)
    torch.testing.assert_close(loss.value(o, y), value)
    np.testing.assert_allclose(loss.slope(o.detach().numpy(), y.numpy()), slope, rtol=1e-10)


@given(lams)
def test_the_balance_of_cross_entropy_is_the_key_equation(seed, lam):
    rng = np.random.default_rng(seed)
    y, o = np.repeat([1, 0], [3, 7]), rng.normal(size=10)
    for loss in (CROSS_ENTROPY, focal(0.0)):
        assert balance(y, o, lam, loss) == pytest.approx(key_equation(y, expit(o), lam))


# With t = tanh o and p = (1 + t)/2, the slopes are -16 (1-p)^2 p and 16 p^2 (1-p).
def test_the_balance_of_the_squared_error_by_hand():
    y, o = np.array([1, 1, 0, 0]), np.array([0.3, -1.0, -0.4, 0.8])
    p = expit(2 * o)
    lhs = ((1 - p) ** 2 * p)[:2].sum() / (p**2 * (1 - p))[2:].sum()
    assert balance(y, o, 0.8, SQUARED_ERROR).lhs == pytest.approx(lhs)
    assert balance(y, o, 0.8, SQUARED_ERROR).residual == pytest.approx(lhs / 0.25 - 1)


def test_csmlp_keeps_its_own_balance(overlapping, seed):
    X, y = overlapping
    clf = CSMLPClassifier((2,), tol=1e-9, random_state=seed).fit(X, y)
    own = balance(y, clf.decision_function(X), clf.lam_, SQUARED_ERROR)
    assert own.residual == pytest.approx(0, abs=1e-6)


# On some samples it comes close to the key equation; this one is a counter-example, by 8 %.
def test_csmlp_need_not_keep_the_key_equation():
    X, y = sim1(60, 240, np.random.default_rng(0))
    clf = CSMLPClassifier((), tol=1e-9, random_state=0).fit(X, y)
    assert abs(key_equation(y, clf.predict_proba(X)[:, 1], clf.lam_).residual) > 0.05


PROBIT = torch.special.ndtr


# The rule with 64 points is exact to 1e-14 for these within logits of 10.
def test_matching_losses_in_closed_form():
    o = torch.linspace(-10, 10, 41, dtype=torch.float64)
    for label in (0.0, 1.0):
        y = torch.full_like(o, label)
        cross = (CROSS_ENTROPY.value(o, y) - np.log(2)).numpy()
        np.testing.assert_allclose(matching_loss(torch.sigmoid).value(o, y), cross, atol=1e-12)
        normal = norm.pdf(o) + o.numpy() * (norm.cdf(o) - label) - norm.pdf(0)
        np.testing.assert_allclose(matching_loss(PROBIT).value(o, y), normal, atol=1e-12)
        # CSMLP's output has the cross entropy of twice its logit, by half
        tanh = matching_loss(lambda u: (1 + torch.tanh(u)) / 2).value(o, y)
        twice = (CROSS_ENTROPY.value(2 * o, y) - np.log(2)).numpy() / 2
        np.testing.assert_allclose(tanh, twice, atol=1e-12)


def log_log(u):
    return -torch.expm1(-torch.exp(u))


@pytest.mark.parametrize("link", [torch.sigmoid, PROBIT, log_log])
def test_the_slope_of_a_matching_loss_is_that_of_its_value(link):
    loss, y = matching_loss(link), torch.tensor([0.0, 1.0] * 10, dtype=torch.float64)
    o = torch.linspace(-9, 9, 20, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(loss.value(o, y).sum(), o)
    np.testing.assert_allclose(loss.slope(o.detach().numpy(), y.numpy()), slope, atol=1e-9)


# Proposition 11, parts 1 and 4: with a bias alone, found where the loss is least.
@given(lams)
def test_a_link_has_the_key_equation_with_its_matching_loss_alone(seed, lam):
    rng = np.random.default_rng(seed)
    y, fixed = np.repeat([1, 0], [3, 7]), rng.normal(size=10)
    weight = np.where(y == 1, lam, 1 - lam)

    def slope(b):
        o = torch.tensor(fixed + b, requires_grad=True)
        value = matching_loss(PROBIT).value(o, torch.tensor(y, dtype=o.dtype))
        return weight @ torch.autograd.grad(value.sum(), o)[0].numpy()

    p = norm.cdf(fixed + brentq(slope, -9, 9, xtol=1e-13))
    assert key_equation(y, p, lam).residual == pytest.approx(0, abs=1e-9)
    own = balance(y, fixed, lam, matching_loss(PROBIT))
    assert own == pytest.approx(key_equation(y, norm.cdf(fixed), lam))


# Logits 1 + b and b: the log loss weighs the rows by phi/(1 - Phi) and phi/Phi.
def test_a_probit_with_its_log_loss_has_not_the_key_equation():
    def slope(b):
        missed = norm.pdf(1 + b) / norm.cdf(1 + b)
        return 0.2 * norm.pdf(b) / norm.sf(b) - 0.8 * missed

    b = brentq(slope, -9, 9)
    assert abs(key_equation([1, 0], norm.cdf([1 + b, b]), 0.8).residual) > 0.05


@pytest.mark.parametrize(
    "link",
    ["sigmoid", torch.tanh, len, lambda o: torch.sigmoid(-o), lambda o: 0.5, torch.ones_like],
)
def test_what_is_no_link_is_refused(link):
    with pytest.raises(ValueError, match=r"link=.* must be a function of a tensor"):
        matching_loss(link)


def test_wrong_arguments_of_the_losses_are_refused():
    with pytest.raises(ValueError, match=r"gamma=-1 must be zero or more and finite: 0 is"):
        focal(-1)
    with pytest.raises(ValueError, match=r"o must hold one finite .* 2 labels, got shape \(1,\)"):
        balance([1, 0], [0.0], 0.5, CROSS_ENTROPY)
