r"""Minimise a smooth objective to a stationary point, and say how close it came.

The theory of the paper speaks of stationary points, so the gradient alone decides: a run has
converged when the max-norm of the gradient is at or below ``tol``, in a unit that the objective
names, and never because the objective moved little.

The method is L-BFGS. Usual implementations stop where rounding hides the progress of the
objective's value, forget what they learned when they are started again, and cannot use a better
model of the curvature than a multiple of the identity. Here

- the line search judges a step by its slope where values differ by rounding only;
- the far part of the way goes in single precision, the last in double, with one memory;
- where the Hessian costs about as much as a few gradients, its inverse is the model that the
  memory corrects.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crcen import kernels
from crcen.threads import one_thread

Vector = NDArray[np.float64]
ValueAndGradient = Callable[[Vector], tuple[float, Vector]]

# Pairs of steps that L-BFGS remembers. Flat networks need half the iterations that SciPy's 10
# pairs take; the memory stays small beside one pass over the rows.
HISTORY = 50

# In single precision a value is known to 1e-7 of its size, and a gradient to about 1e-7.
SINGLE_ROUNDING, DOUBLE_ROUNDING = 1e-7, 1e-14
SINGLE_UNTIL = 1e-5

# Where no row is wrong, in any digit, there is nothing to measure a gradient by.
LEAST_UNIT = 1e-300

# The Hessian pays off in the valley around a minimum, not on the way there. It is computed anew
# after some iterations, and directions flatter than FLAT times its steepest are not trusted.
HESSIAN_FROM = 1e-4
HESSIAN_EVERY = 20
FLAT = 1e-5

# Wolfe's conditions, with the usual constants, and the trials that a line search is given.
DECREASE, SLOPE = 1e-4, 0.9
TRIALS = 30


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
        The max-norm of the gradient there, in its unit.
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
    objective: ValueAndGradient,
    start: Vector,
    tol: float,
    max_iter: int,
    *,
    single: ValueAndGradient | None = None,
    hessian: Callable[[Vector], Vector] | None = None,
    unit: Callable[[], float] = lambda: 1.0,
) -> Solution:
    """Run full-batch L-BFGS until the max-norm of the gradient is at or below `tol`.

    It runs in one thread: the matrices are so small that more of them cost time, and a result
    would depend on their number.

    Parameters
    ----------
    objective : callable
        Takes a vector, returns the objective and its gradient.
    start : ndarray of shape (n_parameters,)
        Where to start.
    tol : float
        Largest max-norm of the gradient that counts as stationary.
    max_iter : int
        Most iterations in all.
    single : callable, optional
        The objective in single precision, for the way to a gradient of 1e-5. Convergence is
        judged by `objective` alone.
    hessian : callable, optional
        Takes a vector, returns the Hessian; worth its cost for up to about a hundred parameters.
    unit : callable, optional
        Returns the positive number in whose units the gradient of the last evaluation is measured.

    Returns
    -------
    Solution
        The iterate reached, with its gradient norm and whether that is small enough.

    Examples
    --------
    >>> solution = minimize(lambda t: (float(t @ t), 2 * t), np.ones(3), tol=1e-8, max_iter=100)
    >>> solution.converged, solution.grad_norm <= 1e-8
    (True, True)
    """
    with one_thread(), np.errstate(all="ignore"):
        return _minimize(objective, start, tol, max_iter, single, hessian, unit)


def _minimize(
    objective: ValueAndGradient,
    start: Vector,
    tol: float,
    max_iter: int,
    single: ValueAndGradient | None,
    hessian: Callable[[Vector], Vector] | None,
    unit: Callable[[], float],
) -> Solution:
    def point(theta: Vector) -> _Point:
        return _Point(theta, *evaluate(theta), unit())

    in_single = single is not None
    evaluate, rounding = (single, SINGLE_ROUNDING) if single else (objective, DOUBLE_ROUNDING)
    here, memory = point(start), _Memory(start.size)
    n_iter, next_hessian, stalled = 0, 0, False
    while True:
        far = max(tol, SINGLE_UNTIL) < here.norm < np.inf
        if in_single and (stalled or n_iter == max_iter or not far):
            in_single, evaluate, rounding = False, objective, DOUBLE_ROUNDING
            here = point(here.theta)
        if not tol < here.norm < np.inf or n_iter == max_iter:
            break
        if hessian and here.norm <= HESSIAN_FROM and n_iter >= next_hessian:
            curvature = hessian(here.theta)
            if np.isfinite(curvature).all() and curvature.any():
                memory = _Memory(start.size, _inverse(curvature))
            next_hessian = n_iter + HESSIAN_EVERY
        there = _line_search(point, here, memory.direction(here.gradient), rounding)
        stalled = there is None
        if there:
            memory.add(there.theta - here.theta, there.gradient - here.gradient)
            here, n_iter = there, n_iter + 1
        elif not in_single and memory.blank:  # not even along the gradient
            break
        elif not in_single:
            memory = _Memory(start.size)
    return Solution(here.theta, here.value, here.norm, n_iter, here.norm <= tol)


class _Point:
    def __init__(self, theta: Vector, value: float, gradient: Vector, unit: float) -> None:
        self.theta, self.value, self.gradient = theta, value, gradient
        self.norm = float(np.abs(gradient).max()) / max(unit, LEAST_UNIT)


def _line_search(
    point: Callable[[Vector], _Point], here: _Point, direction: Vector, rounding: float
) -> _Point | None:
    """Go along a direction to a point that meets Wolfe's conditions; None if there is none.

    Where the value rises by rounding only, the slope alone has to meet them (the approximate
    Wolfe conditions of Hager & Zhang 2005, SIAM J. Optim. 16, 170-192).
    """
    fall = float(direction @ here.gradient)
    if not fall < 0:
        return None
    step, low, high = 1.0, 0.0, np.inf
    low_slope, high_slope = fall, np.nan
    for _ in range(TRIALS):
        there = point(here.theta + step * direction)
        slope = float(direction @ there.gradient)
        decreased = there.value <= here.value + DECREASE * step * fall or (
            there.value <= here.value + rounding * abs(here.value)
            and slope <= (2 * DECREASE - 1) * fall
        )
        if not decreased:  # or not a number
            high, high_slope = step, slope
        elif slope < SLOPE * fall:
            low, low_slope = step, slope
        else:
            return there
        if np.isinf(high):
            step *= 2
        else:  # where the slope would vanish if it were linear, or halfway
            part = low_slope / (low_slope - high_slope) if high_slope > 0 else 0.5
            step = low + (high - low) * min(max(part, 0.1), 0.9)
    return None


class _Memory:
    r"""The inverse Hessian as L-BFGS sees it: a first model and the last steps.

    The first model is :math:`\gamma B`, with B the identity or the inverse Hessian of some
    iterations ago. Each step s and change y of the gradient turn a model H into

    .. math:: (I - \rho s y^T)\, H\, (I - \rho y s^T) + \rho s s^T , \qquad \rho = 1 / s^T y,

    of which two loops over the steps compute a product (Nocedal 1980, Math. Comput. 35, 773-782).
    """

    def __init__(self, size: int, base: Vector | None = None) -> None:
        self.base, self.scale, self.n_pairs = base, 1.0, 0
        self.S, self.Y = np.empty((HISTORY, size)), np.empty((HISTORY, size))
        self.rho = np.empty(HISTORY)

    @property
    def blank(self) -> bool:
        """Whether it knows nothing yet."""
        return self.base is None and not self.n_pairs

    def add(self, s: Vector, y: Vector) -> None:
        """Remember a step and the change of the gradient, in place of the oldest pair."""
        sy, yy = float(s @ y), float(y @ y)
        if not (yy > 0 and sy > 1e-10 * math.sqrt(float(s @ s) * yy)):
            return  # no positive curvature to learn from, or none that a number can hold
        k = self.n_pairs % HISTORY
        self.n_pairs += 1
        self.S[k], self.Y[k], self.rho[k] = s, y, 1 / sy
        self.scale = sy / (yy if self.base is None else float(y @ self.base @ y))

    def direction(self, gradient: Vector) -> Vector:
        """Multiply by -H: the quasi-Newton step."""
        if self.blank:
            return -gradient / max(1.0, float(np.linalg.norm(gradient)))
        n, newest = min(self.n_pairs, HISTORY), self.n_pairs - 1
        steps, q = np.empty(n), -gradient
        kernels.unfold(q, self.S, self.Y, self.rho, newest, steps)
        q = self.scale * (q if self.base is None else self.base @ q)
        kernels.fold(q, self.S, self.Y, self.rho, newest, steps)
        return q


def _inverse(hessian: Vector) -> Vector:
    """Invert a Hessian with its eigenvalues made positive, and none flatter than can be trusted."""
    curvature, axes = np.linalg.eigh(hessian)
    curvature = np.abs(curvature)
    inverse: Vector = (axes / np.maximum(curvature, FLAT * curvature.max())) @ axes.T
    return inverse
