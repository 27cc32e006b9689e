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
from scipy.optimize import minimize as scipy_minimize
from threadpoolctl import threadpool_limits

Vector = NDArray[np.float64]

# Pairs of steps that L-BFGS remembers: with 30, flat networks need about half the iterations of
# SciPy's 10, and the memory stays small beside one pass over the rows.
HISTORY = 30


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
    the same (its line search fails, or the objective no longer changes to rounding), it starts
    again from the last iterate with an empty history, as long as that makes the gradient smaller.
    It runs in one thread: the matrices are so small that more of them cost time, and a result
    would depend on their number.

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
                return replace(best, n_iter=n_iter)
            best = Solution(run.x, float(run.fun), grad_norm, n_iter, grad_norm <= tol)
            if best.converged or n_iter >= max_iter or run.nit == 0:
                return best
