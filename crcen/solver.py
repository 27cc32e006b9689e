"""Minimise a smooth objective to a stationary point, and say how close it came.

The theory of the paper speaks of stationary points, so the gradient alone decides: a run has
converged when the max-norm of the gradient is at or below ``tol``, and never because the
objective moved little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize as scipy_minimize

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
        The last iterate.
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

    SciPy's L-BFGS-B without bounds, its stop on small progress switched off. Where its line search
    gives up, it starts again from the last iterate with an empty history, as long as that makes
    the gradient smaller.

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
        The last iterate, with the gradient norm reached and whether it is small enough.

    Examples
    --------
    >>> solution = minimize(lambda t: (float(t @ t), 2 * t), np.ones(3), tol=1e-8, max_iter=100)
    >>> solution.converged, solution.theta
    (True, array([0., 0., 0.]))
    """
    theta, n_iter, grad_norm = start, 0, np.inf
    while True:
        run = scipy_minimize(
            value_and_gradient,
            theta,
            jac=True,
            method="L-BFGS-B",
            options={
                "gtol": tol,
                "ftol": 0.0,
                "maxiter": max_iter - n_iter,
                "maxfun": 20 * max_iter,
                "maxcor": HISTORY,
            },
        )
        theta, n_iter = run.x, n_iter + run.nit
        previous, grad_norm = grad_norm, float(np.abs(run.jac).max())
        if grad_norm <= tol or n_iter >= max_iter or not grad_norm < previous:
            return Solution(theta, float(run.fun), grad_norm, n_iter, grad_norm <= tol)
