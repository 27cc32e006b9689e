"""Tests of crcen.solver: it finds known minima, and never claims one that it has not reached."""

from itertools import count

import numpy as np
import pytest
from conftest import SEED
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize as scipy_minimize
from scipy.optimize import rosen, rosen_der

from crcen.solver import TRIALS, _Memory, minimize

ROUNDING = 1e-12  # of the same sum of a few terms, computed again


def rosenbrock(theta):
    return rosen(theta), rosen_der(theta)


def falling(theta):
    """Fall for ever towards 0, as the loss of separable data without a penalty does."""
    return np.exp(-theta).sum(), -np.exp(-theta)


def linear(theta):
    """Have no stationary point and no lower bound."""
    return theta.sum(), np.ones_like(theta)


def limited(objective):
    """Fail rather than hang where the objective is evaluated without end."""
    calls = count()

    def evaluate(theta):
        assert next(calls) < 3000
        return objective(theta)

    return evaluate


def test_a_quadratic_is_minimised_to_its_closed_form(seed):
    rng = np.random.default_rng(seed)
    root, b = rng.normal(size=(8, 8)), rng.normal(size=8)
    A = root @ root.T + 0.1 * np.eye(8)
    solution = minimize(
        lambda t: (t @ A @ t / 2 - b @ t, A @ t - b), np.zeros(8), tol=1e-9, max_iter=1000
    )
    best = np.linalg.solve(A, b)
    assert solution.converged
    # The gradient over the smallest eigenvalue, which is 0.1 or more.
    np.testing.assert_allclose(solution.theta, best, rtol=0, atol=8**0.5 * 1e-9 / 0.1)
    assert solution.value == pytest.approx(-b @ best / 2)


def test_rosenbrocks_valley_is_followed_to_its_end():
    solution = minimize(rosenbrock, np.full(5, -0.5), tol=1e-8, max_iter=1000)
    assert solution.converged
    np.testing.assert_allclose(solution.theta, np.ones(5), atol=1e-6)


def test_a_start_at_the_minimum_takes_no_iteration():
    solution = minimize(rosenbrock, np.ones(5), tol=1e-8, max_iter=10)
    assert (solution.converged, solution.n_iter, solution.grad_norm) == (True, 0, 0.0)


def test_the_start_is_left_as_it_was():
    start = np.full(5, -0.5)
    minimize(rosenbrock, start, tol=1e-8, max_iter=100)
    np.testing.assert_array_equal(start, np.full(5, -0.5))


# The theory is about stationary points: what is called one must have the gradient of one.
@given(
    st.sampled_from([rosenbrock, falling, linear]),
    st.lists(st.floats(-2, 2), min_size=2, max_size=4),
    st.sampled_from([1e-2, 1e-8, 1e-15]),
    st.sampled_from([1, 2, 5, 50]),
)
def test_convergence_is_claimed_exactly_where_the_gradient_is_small(F, start, tol, max_iter):
    solution = minimize(F, np.array(start), tol=tol, max_iter=max_iter)
    value, gradient = F(solution.theta)
    assert solution.value == pytest.approx(value, rel=ROUNDING)
    assert solution.grad_norm == pytest.approx(abs(gradient).max(), rel=ROUNDING)
    assert solution.converged == (solution.grad_norm <= tol)
    assert solution.n_iter <= max_iter


@pytest.mark.parametrize("objective", [rosenbrock, falling])
def test_one_iteration_is_not_convergence(objective):
    solution = minimize(objective, np.zeros(3), tol=1e-8, max_iter=1)
    assert not solution.converged
    assert solution.n_iter == 1
    assert solution.grad_norm > 1e-8


def test_without_a_minimum_the_run_ends_and_says_so():
    solution = minimize(limited(linear), np.zeros(3), tol=1e-8, max_iter=100)
    assert not solution.converged
    assert solution.grad_norm == 1


def test_a_tolerance_below_rounding_ends_and_says_so():
    def quadratic(theta):
        return (theta - 0.1) @ (theta - 0.1) + theta.sum() / 3, 2 * (theta - 0.1) + 1 / 3

    solution = minimize(limited(quadratic), np.array([1.0, 7.0, -3.0]), tol=1e-300, max_iter=500)
    assert solution.converged == (solution.grad_norm == 0)
    assert solution.grad_norm < 1e-12


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_objective_that_is_not_a_number_ends_and_is_not_converged(bad):
    F = limited(lambda theta: (bad, np.full_like(theta, np.nan)))
    solution = minimize(F, np.ones(3), tol=1e-8, max_iter=100)
    assert not solution.converged


def test_a_gradient_of_the_wrong_sign_ends_and_is_not_converged():
    F = limited(lambda theta: (theta @ theta, -2 * theta))
    solution = minimize(F, np.ones(3), tol=1e-8, max_iter=100)
    assert not solution.converged
    np.testing.assert_array_equal(solution.theta, np.ones(3))


def test_a_value_buried_in_rounding_does_not_keep_it_from_the_minimum():
    def buried(theta):  # rounding at 1e6 hides the last progress of the value
        return 1e6 + rosen(theta), rosen_der(theta)

    start = np.full(2, -0.5)
    options = {"gtol": 1e-7, "ftol": 0.0}
    scipys = scipy_minimize(buried, start, jac=True, method="L-BFGS-B", options=options)
    assert abs(scipys.jac).max() > 1e-7
    assert minimize(buried, start, tol=1e-7, max_iter=100).converged


def test_a_run_without_a_way_down_starts_again_along_the_gradient():
    calls = count()

    def interrupted(theta):  # for a while no step goes down
        return (1e10 if 10 <= next(calls) < 10 + TRIALS else rosen(theta)), rosen_der(theta)

    solution = minimize(interrupted, np.full(5, -0.5), tol=1e-8, max_iter=200)
    assert solution.converged
    np.testing.assert_allclose(solution.theta, np.ones(5), atol=1e-6)


def test_no_more_iterations_than_allowed():
    assert minimize(rosenbrock, np.full(5, -0.5), tol=1e-8, max_iter=20).n_iter == 20


# Single precision first


def in_single(objective):
    """Round as single precision does, and count the calls."""
    calls = []

    def rounded(theta):
        value, gradient = objective(theta.astype(np.float32).astype(float))
        calls.append(abs(gradient).max())
        return float(np.float32(value)), gradient.astype(np.float32).astype(float)

    return rounded, calls


def test_single_precision_goes_most_of_the_way_and_double_the_rest():
    single, calls = in_single(rosenbrock)
    double = []

    def counted(theta):
        double.append(theta)
        return rosenbrock(theta)

    solution = minimize(counted, np.full(5, -0.5), tol=1e-10, max_iter=200, single=single)
    assert solution.converged
    np.testing.assert_allclose(solution.theta, np.ones(5), atol=1e-8)
    assert len(calls) > 3 * len(double) > 0


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6])
def test_convergence_is_judged_in_double_precision(tol):
    single, _ = in_single(rosenbrock)
    solution = minimize(rosenbrock, np.full(5, -0.5), tol=tol, max_iter=200, single=single)
    value, gradient = rosenbrock(solution.theta)
    assert solution.value == pytest.approx(value, rel=ROUNDING)
    assert solution.grad_norm == pytest.approx(abs(gradient).max(), rel=ROUNDING)
    assert solution.converged


@pytest.mark.parametrize("max_iter", [1, 5, 20])
def test_a_run_that_ends_in_single_precision_tells_the_gradient_in_double(max_iter):
    def off(theta):
        value, gradient = rosenbrock(theta)
        return 1.01 * value, 1.01 * gradient

    start = np.full(5, -0.5)
    solution = minimize(rosenbrock, start, tol=1e-12, max_iter=max_iter, single=off)
    value, gradient = rosenbrock(solution.theta)
    assert solution.n_iter == max_iter
    assert solution.value == pytest.approx(value, rel=ROUNDING)
    assert solution.grad_norm == pytest.approx(abs(gradient).max(), rel=ROUNDING)


def test_a_single_precision_without_numbers_is_left_at_once():
    def overflows(theta):
        return np.inf, np.full_like(theta, np.nan)

    solution = minimize(rosenbrock, np.full(5, -0.5), tol=1e-8, max_iter=200, single=overflows)
    assert solution.converged


# The Hessian


def bent(theta):
    """A valley whose sides are a million times as steep as its floor, bent by a fourth power."""
    steep = 10.0 ** np.arange(0, -7, -1)
    value = 0.5 * steep @ theta**2 + 0.25 * (theta**4).sum() * 1e-6
    return value, steep * theta + theta**3 * 1e-6


def bent_hessian(theta):
    return np.diag(10.0 ** np.arange(0, -7, -1) + 3e-6 * theta**2)


def test_the_hessian_shortens_the_way():
    def n_iter(hessian):
        solution = minimize(bent, np.full(7, 2.0), tol=1e-9, max_iter=500, hessian=hessian)
        assert solution.converged
        return solution.n_iter

    assert n_iter(bent_hessian) < n_iter(None)


def test_a_wrong_hessian_delays_and_does_not_deceive():
    def wrong(theta):
        return -np.eye(theta.size) * 1e3

    solution = minimize(bent, np.full(7, 2.0), tol=1e-9, max_iter=2000, hessian=wrong)
    assert solution.converged
    assert abs(bent(solution.theta)[1]).max() <= 1e-9


def flat(theta):
    """Have a minimum of 1 whose last digit hides gradients below 1e-8 from a line search."""
    scale = 10.0 ** np.arange(-3, 1)
    return 1 + 0.5 * scale @ theta**2, scale * theta


def test_rounding_of_the_objective_does_not_keep_it_from_a_small_gradient():
    solution = minimize(flat, np.array([3.0, -2.0, 1.0, 0.5]), tol=1e-13, max_iter=1000)
    assert solution.converged
    np.testing.assert_allclose(solution.theta, 0, atol=1e-9)


def test_what_has_no_stationary_point_is_not_polished_into_one():
    def kink(theta):  # |t| + 1: its gradient is 1 or -1 on both sides of the minimum
        return 1 + np.abs(theta).sum(), np.where(theta < 0, -1.0, 1.0)

    solution = minimize(kink, np.array([0.3]), tol=1e-9, max_iter=500)
    assert not solution.converged
    assert solution.grad_norm == 1


# The memory in compact form is the recursion of textbooks


@pytest.mark.parametrize("n_pairs", [1, 2, 49, 50, 51, 120])
@pytest.mark.parametrize("with_base", [False, True])
def test_direction_is_that_of_the_two_loop_recursion(n_pairs, with_base):
    rng = np.random.default_rng([SEED, n_pairs])
    root = rng.normal(size=(60, 60))
    A = root @ root.T / 60 + np.eye(60)
    base = np.linalg.inv(A + 0.5 * np.eye(60)) if with_base else None
    memory, pairs = _Memory(60, base), []
    for _ in range(n_pairs):
        s = rng.normal(size=60)
        y = A @ s
        memory.add(s, y)
        pairs.append((s, y))
    gradient = rng.normal(size=60)

    q, alphas = gradient.copy(), []
    for s, y in reversed(pairs[-50:]):
        alphas.append(s @ q / (s @ y))
        q -= alphas[-1] * y
    B = np.eye(60) if base is None else base
    s, y = pairs[-1]
    q = (s @ y) / (y @ B @ y) * B @ q
    for (s, y), alpha in zip(pairs[-50:], reversed(alphas), strict=True):
        q += (alpha - y @ q / (s @ y)) * s
    np.testing.assert_allclose(memory.direction(gradient), -q, rtol=1e-8, atol=1e-10)


def test_a_step_without_positive_curvature_is_not_remembered():
    memory = _Memory(3)
    memory.add(np.ones(3), -np.ones(3))
    assert memory.blank
