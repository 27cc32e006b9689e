"""Minimise a smooth objective to a stationary point, and say how close it came.

The theory of the paper speaks of stationary points, so the gradient alone decides: a run has
converged when the max-norm of the gradient is at or below ``tol``, and never because the
objective moved little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import NoConvergence, newton_krylov
from scipy.optimize import minimize as scipy_minimize
from threadpoolctl import threadpool_limits

Vector = NDArray[np.float64]

# Pairs of steps that L-BFGS remembers: with 30, flat networks need about half the iterations of
# SciPy's 10, and the memory stays small beside one pass over the rows.
HISTORY = 30

# Below this gradient a step changes an objective of about 1 by less than its last digit, so that
# a line search, which compares values, can stall; the gradient itself is still exact to 1e-16.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Solution:
    """Where the solver stopped.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
        The iterate reached.
    value : float
        The objective there.
    grad_norm : float
        The max-norm of the gradient there.
    n_iter : int
        Iterations in all.
    converged : bool
        Whether ``grad_norm <= tol``.
    """

    theta: Vector
    value: float
    grad_norm: float
    n_iter: int
    converged: bool


def minimize(
    value_and_gradient: Callable[[Vector], tuple[float, Vector]],
    start: Vector,
    tol: float,
    max_iter: int,
) -> Solution:
    """Run full-batch L-BFGS until the max-norm of the gradient is at or below `tol`.

    SciPy's L-BFGS-B without bounds and without its stop on small progress. Where it gives up all
    the same, it starts again from the last iterate with an empty history, as long as that makes the
    gradient smaller. Where rounding stalls it just above `tol`, SciPy's Newton-Krylov method solves
    gradient = 0 from there, which needs no values of the objective. It runs in one thread: the
    matrices are so small that more of them cost time, and a result would depend on their number.

    Parameters
    ----------
    value_and_gradient : callable
        Takes a vector, returns the objective and its gradient.
    start : ndarray of shape (n_parameters,)
        Where to start.
    tol : float
        Largest max-norm of the gradient that counts as stationary.
    max_iter : int
        Most iterations in all.

    Returns
    -------
    Solution
        The iterate reached, with its gradient norm and whether that is small enough.

    Examples
    --------
    >>> solution = minimize(lambda t: (float(t @ t), 2 * t), np.ones(3), tol=1e-8, max_iter=100)
    >>> solution.converged, solution.theta.round(8)
    (True, array([0., 0., 0.]))
    """
    best = Solution(start, np.nan, np.inf, 0, converged=False)
    with threadpool_limits(1):
        while True:
            run = scipy_minimize(
                value_and_gradient,
                best.theta,
                jac=True,
                method="L-BFGS-B",
                options={
                    "gtol": tol,
                    "ftol": 0.0,
                    "maxiter": max_iter - best.n_iter,
                    "maxfun": 20 * max_iter,
                    "maxcor": HISTORY,
                },
            )
            grad_norm, n_iter = float(np.abs(run.jac).max()), best.n_iter + run.nit
            if best.n_iter and not grad_norm < best.grad_norm:
                best = replace(best, n_iter=n_iter)
                break
            best = Solution(run.x, float(run.fun), grad_norm, n_iter, grad_norm <= tol)
            if best.converged or n_iter >= max_iter or run.nit == 0:
                break
        stalled = tol < best.grad_norm < ROUNDING and best.n_iter < max_iter
        return _polish(value_and_gradient, best, tol) if stalled else best


def _polish(
    value_and_gradient: Callable[[Vector], tuple[float, Vector]], stalled: Solution, tol: float
) -> Solution:
    """Solve gradient = 0 from where the line search stalled; keep that if it is no worse."""
    steps: list[float] = []
    try:
        with np.errstate(all="ignore"):  # SciPy divides by the length of a step, be it zero
            solved = newton_krylov(
                lambda theta: value_and_gradient(theta)[1],  # type: ignore[arg-type]  # scalars only
                stalled.theta,
                f_tol=tol,
                maxiter=20,
                callback=lambda _, gradient: steps.append(np.abs(gradient).max()),
            )
    except (NoConvergence, ValueError, np.linalg.LinAlgError):  # what it raises when it gives up
        return stalled
    theta = np.asarray(solved, dtype=np.float64)
    value, gradient = value_and_gradient(theta)
    grad_norm = float(np.abs(gradient).max())
    same_minimum = value <= stalled.value + 1e-12 * abs(stalled.value)
    if not (same_minimum and grad_norm < stalled.grad_norm):
        return stalled
    return Solution(theta, value, grad_norm, stalled.n_iter + len(steps), grad_norm <= tol)
