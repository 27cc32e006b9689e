"""Tests of crcen.solver: it finds known minima, and never claims one that it has not reached."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize as scipy_minimize
from scipy.optimize import rosen, rosen_der

from crcen.solver import HISTORY, minimize

deterministic = settings(derandomize=True, deadline=None)


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


def test_a_quadratic_is_minimised_to_its_closed_form():
    rng = np.random.default_rng(0)
    root, b = rng.normal(size=(8, 8)), rng.normal(size=8)
    A = root @ root.T + 0.1 * np.eye(8)
    solution = minimize(
        lambda t: (t @ A @ t / 2 - b @ t, A @ t - b), np.zeros(8), tol=1e-9, max_iter=1000
    )
    best = np.linalg.solve(A, b)
    assert solution.converged
    np.testing.assert_allclose(solution.theta, best, atol=1e-7)
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
@deterministic
@given(
    st.sampled_from([rosenbrock, falling, linear]),
    st.lists(st.floats(-2, 2), min_size=2, max_size=4),
    st.sampled_from([1e-2, 1e-8, 1e-15]),
    st.sampled_from([1, 2, 5, 50]),
)
def test_convergence_is_claimed_exactly_where_the_gradient_is_small(F, start, tol, max_iter):
    solution = minimize(F, np.array(start), tol=tol, max_iter=max_iter)
    value, gradient = F(solution.theta)
    assert solution.value == value
    assert solution.grad_norm == abs(gradient).max()
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


def test_a_stalled_run_is_started_again():
    def buried(theta):  # rounding at 1e6 hides the last progress of the value
        return 1e6 + rosen(theta), rosen_der(theta)

    start = np.full(2, -0.5)
    options = {"gtol": 1e-7, "ftol": 0.0, "maxcor": HISTORY}
    once = scipy_minimize(buried, start, jac=True, method="L-BFGS-B", options=options)
    assert abs(once.jac).max() > 1e-7
    assert minimize(buried, start, tol=1e-7, max_iter=100).converged


def test_iterations_are_counted_over_all_starts():
    calls = count()

    def interrupted(theta):  # for a while no step goes down, and the run starts again
        return (1e10 if 10 <= next(calls) < 60 else rosen(theta)), rosen_der(theta)

    solution = minimize(interrupted, np.full(5, -0.5), tol=1e-8, max_iter=20)
    assert solution.n_iter == 20
    assert not solution.converged


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
