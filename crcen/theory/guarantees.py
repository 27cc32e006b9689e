r"""What a mean and a variance of probabilities guarantee of recall and specificity.

The key equation ties the mean of p over the minority to that over the majority, and says nothing
else of the two. How many rows lie above a threshold, given their mean, is a problem of Markov's;
given their variance, too, one of Chebyshev's, on an interval.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crcen.validation import BETWEEN, PROBABILITY, Values, check_number, check_numbers


class Bounds(NamedTuple):
    """The least and the largest share that is possible.

    Attributes
    ----------
    low, high : ndarray
        No law exceeds them, and some law comes as close as one likes.
    """

    low: Values
    high: Values


def share_above(
    mean: ArrayLike, variance: ArrayLike | None = None, threshold: float = 0.5
) -> Bounds:
    r"""Bound the share of probabilities above a threshold, given their mean and their variance.

    With the mean m alone, it is at most m/t (Markov). With the variance V, too, it is at most

    .. math::

        U_t(m, V) = \begin{cases}
            1 & V \le (m-t)(1-m), \\
            \dfrac{V}{V + (t-m)^2} & V \le m(t-m), \\
            \dfrac{m(1+t-m) - V}{t} & \text{otherwise,}
        \end{cases}

    and at least :math:`1 - U_{1-t}(1-m, V)`. Both are sharp (Proposition 13).
    Over the minority this is the recall at threshold t, over the majority one less the
    specificity.

    Parameters
    ----------
    mean : float or array-like
        Mean m of the probabilities, from 0 to 1.
    variance : float or array-like, optional
        Their variance V, at most m(1-m). Without it, the bounds hold for every one.
    threshold : float, default=0.5
        The threshold t, in (0, 1).

    Returns
    -------
    Bounds
        Arrays of the shape of the arguments.

    Raises
    ------
    ValueError
        If a mean or a variance is not from 0 to 1, a variance above m(1-m), `threshold` outside
        (0, 1), or the shapes do not fit each other.

    References
    ----------
    Karlin & Studden (1966), Tchebycheff systems.

    Examples
    --------
    The paper's cases: a mean over the majority of 0.1, and one over the minority of 0.2.

    >>> share_above([0.1, 0.2])
    Bounds(low=array([0., 0.]), high=array([0.2, 0.4]))
    >>> share_above([0.6, 0.6, 0.6], [0.001, 0.04, 0.2]).low.round(3)
    array([0.909, 0.2  , 0.52 ])
    """
    t = check_number("threshold", threshold, BETWEEN)
    m = check_numbers("mean", mean, PROBABILITY)
    if variance is None:
        return Bounds(np.maximum(0, (m - t) / (1 - t)), np.minimum(1, m / t))
    V = check_numbers("variance", variance, PROBABILITY)
    try:
        m, V = np.broadcast_arrays(m, V)
    except ValueError:
        raise ValueError(
            f"mean and variance have the shapes {m.shape} and {V.shape}, which do not fit each "
            "other: give one variance for each mean."
        ) from None
    most = m * (1 - m)
    if (most + 1e-12 < V).any():  # no more than rounding
        raise ValueError(
            f"variance={variance!r} is above m(1-m) at mean={mean!r}, which no probabilities reach."
        )
    V = np.minimum(V, most)
    return Bounds(1 - _at_most(1 - m, V, 1 - t), _at_most(m, V, t))


def _at_most(m: Values, V: Values, t: float) -> Values:
    """Compute U_t(m, V), the most that can lie at t or above."""
    far = (t - m) ** 2
    cantelli = np.divide(V, V + far, out=np.ones_like(far), where=V + far > 0)
    other = (m * (1 + t - m) - V) / t
    bound = np.select(
        [(m - t) * (1 - m) >= V, m * (t - m) >= V], [np.ones_like(far), cantelli], other
    )
    return np.clip(bound, 0, 1)
