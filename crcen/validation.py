"""What the functions of this module accept, each kind of argument checked in one place.

What is refused, is refused with a ValueError that names the parameter, its value and the remedy.
Numbers come as Python's, NumPy's, pandas' or PyTorch's; text and complex numbers are none, and a
missing value is not taken for one.
"""

from __future__ import annotations

import numbers
import reprlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

TINY = float(np.finfo(np.float64).tiny)  # least lambda: below it, (1 - lambda)/lambda is infinite


class Range(NamedTuple):
    """Numbers that a parameter can take.

    Attributes
    ----------
    text : str
        What they must be, in words.
    holds : callable
        Tells of each number whether it is one of them; nan never is.
    """

    text: str
    holds: Callable[[Values], NDArray[np.bool_]]


FINITE = Range("finite", np.isfinite)
NOT_NAN = Range("free of nan", lambda v: ~np.isnan(v))
POSITIVE = Range("positive and finite", lambda v: (v > 0) & np.isfinite(v))
NOT_NEGATIVE = Range("zero or more and finite", lambda v: (v >= 0) & np.isfinite(v))
BETWEEN = Range("strictly between 0 and 1", lambda v: (v > 0) & (v < 1))
PROBABILITY = Range("from 0 to 1", lambda v: (v >= 0) & (v <= 1))


def check_numbers(
    name: str, value: ArrayLike, accepted: Range, ndim: int | None = None, remedy: str = ""
) -> Values:
    """Return numbers as a float array, or say which of them is not accepted.

    Parameters
    ----------
    name : str
        The parameter.
    value : array-like
        What it was given.
    accepted : Range
        The numbers that it can take.
    ndim : int, optional
        Dimensions that the array must have; by default any.
    remedy : str
        What to do, at the end of the message.

    Returns
    -------
    ndarray of float64
        The numbers, of the shape of `value`.

    Raises
    ------
    ValueError
        If `value` is not made of numbers, has another shape or holds one that is not accepted.

    Examples
    --------
    >>> check_numbers("alpha", [1, 2], POSITIVE)
    array([1., 2.])
    >>> check_numbers("alpha", [1, "2"], POSITIVE)
    Traceback (most recent call last):
    ValueError: alpha=[1, '2'] must be numbers.
    >>> check_numbers("alpha", [1, -2], POSITIVE)
    Traceback (most recent call last):
    ValueError: alpha=[1, -2] must be positive and finite.
    """
    end = f": {remedy}." if remedy else "."
    values = _floats(value)
    if values is None:
        kind = "a number" if ndim == 0 else "numbers"
        raise ValueError(f"{name}={_shown(value)} must be {kind}{end}")
    if ndim is not None and values.ndim != ndim:
        kind = {0: "a number", 1: "a vector", 2: "a matrix"}.get(ndim, f"of {ndim} dimensions")
        shape = f", got shape {values.shape}" if ndim else ""
        raise ValueError(f"{name}={_shown(value)} must be {kind}{shape}{end}")
    if not accepted.holds(values).all():
        raise ValueError(f"{name}={_shown(value)} must be {accepted.text}{end}")
    return values


def check_number(name: str, value: float, accepted: Range, remedy: str = "") -> float:
    """Return one number as a float, or say that it is none or not accepted.

    Examples
    --------
    >>> check_number("recall", 1.5, BETWEEN)
    Traceback (most recent call last):
    ValueError: recall=1.5 must be strictly between 0 and 1.
    """
    return float(check_numbers(name, value, accepted, ndim=0, remedy=remedy))


def check_lam(lam: float) -> float:
    """Return lambda as a float if it lies strictly between 0 and 1.

    Parameters
    ----------
    lam : float
        Weight of the minority class in Eq. 1.

    Returns
    -------
    float
        The same number.

    Raises
    ------
    ValueError
        If `lam` is not a number in the open interval (0, 1), or so near to 0 that its odds are
        beyond the range of a float.

    Examples
    --------
    >>> check_lam(0.5)
    0.5
    """
    number = _floats(lam)
    if number is None or number.ndim or not TINY <= number < 1:
        raise ValueError(
            f"lam={_shown(lam)} is not a weight: give a number strictly between 0 and 1 "
            "(0.5 is plain cross entropy), or lam_from_alpha(1, imbalance_ratio(y)) to balance."
        )
    return float(number)


def check_count(name: str, value: int, least: int = 1, most: int = 10**9) -> int:
    """Return a number of things as an integer, or say that it is none, too small or too large.

    Examples
    --------
    >>> check_count("rows", 0)
    Traceback (most recent call last):
    ValueError: rows=0 must be an integer of 1 or more.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}={_shown(value)} must be an integer of {least} or more.")
    if value > most:
        raise ValueError(f"{name}={_shown(value)} must be an integer of at most {most:.0e}.")
    return int(value)


def check_binary(y: ArrayLike, name: str = "y") -> Values:
    """Return labels as a float vector of zeros and ones, or say what else is in them."""
    labels = _floats(y)
    if labels is None or labels.ndim != 1 or not labels.size or not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"{name} must be a vector of 0 (majority) and 1 (minority), got shape {_shape(y)} with "
            f"the values {_some(y)}: code the minority class as 1."
        )
    return labels


def check_both(y: ArrayLike, why: str) -> Values:
    """Return labels as `check_binary` does, or say that only one class is there."""
    labels = check_binary(y)
    if labels.all() or not labels.any():
        raise ValueError(f"y has {labels.size} rows of one class only: {why} needs both classes.")
    return labels


def check_probabilities(p: ArrayLike, n: int) -> Values:
    """Return probabilities as a float vector, or say that they do not fit the n labels."""
    values = _floats(p)
    if values is None or values.shape != (n,) or not PROBABILITY.holds(values).all():
        raise ValueError(
            f"p must hold one probability of class 1 for each of the {n} labels, got "
            f"shape {_shape(p)}; pass predict_proba(X)[:, 1]."
        )
    return values


def check_logits(name: str, o: ArrayLike, n: int) -> Values:
    """Return logits as a float vector, or say that they do not fit the n labels."""
    values = _floats(o)
    if values is None or values.shape != (n,) or not np.isfinite(values).all():
        raise ValueError(
            f"{name} must hold one finite number for each of the {n} labels, got shape "
            f"{_shape(o)}: pass clf.decision_function(X), or cross_val_predict(clf, X, y, "
            "method='decision_function')."
        )
    return values


def check_matrix(X: ArrayLike, n: int) -> Values:
    """Return rows as a float matrix, or say that they are not one for each of n labels."""
    rows = check_numbers("X", X, FINITE, ndim=2, remedy="give a row of numbers for each label")
    if len(rows) != n:
        raise ValueError(f"X has {len(rows)} rows for {n} labels: give one for each.")
    return rows


def check_weights(sample_weight: ArrayLike | None, n: int) -> Values:
    """Return row weights as a float vector, or say what is wrong with them.

    Ones by default. Only their proportions matter, so the largest is brought to between 1 and 2 by
    a power of two, which changes no digit and keeps sums of them within the range of a float.
    """
    if sample_weight is None:
        return np.ones(n)
    remedy = "give a number for each row"
    s = check_numbers("sample_weight", sample_weight, Range("numbers", np.ones_like), remedy=remedy)
    if s.shape != (n,):
        raise ValueError(f"sample_weight has shape {s.shape}: give a weight for each of {n} rows.")
    if not (good := NOT_NEGATIVE.holds(s)).all():
        raise ValueError(
            f"sample_weight has the value {s[~good][0]:g} in row {good.argmin()}: "
            "give finite weights of zero or more."
        )
    if not s.any():
        raise ValueError("sample_weight is zero in every row: give some a positive weight.")
    _, exponent = np.frexp(s.max())
    return np.ldexp(s, 1 - exponent)


def check_rng(rng: np.random.Generator) -> np.random.Generator:
    """Return a source of randomness, or say that it is none."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng={_shown(rng)} must be a generator: pass np.random.default_rng(0).")
    return rng


def check_choice(name: str, value: object, known: tuple[str, ...]) -> str:
    """Return a name that is known, or list those that are.

    Examples
    --------
    >>> check_choice("reduction", "avg", ("mean", "sum", "none"))
    Traceback (most recent call last):
    ValueError: reduction='avg' must be 'mean', 'sum' or 'none'.
    """
    if isinstance(value, str) and value in known:
        return value
    *first, last = map(repr, known)
    raise ValueError(f"{name}={_shown(value)} must be {', '.join(first)} or {last}.")


def _floats(value: Any) -> Values | None:
    """Return numbers of any kind as a float array; None if something else is among them."""
    if hasattr(value, "detach"):  # a tensor, which may require a gradient
        value = value.detach().cpu()
    if np.ma.is_masked(value):
        return None
    try:
        with np.errstate(over="ignore"):  # a long double may become infinite
            found = np.asarray(value)
            if found.dtype.kind == "O" and not all(
                isinstance(item, numbers.Real) for item in found.flat
            ):
                return None
            return found.astype(np.float64) if found.dtype.kind in "biufO" else None
    except Exception:  # ragged, larger than a float, or whatever an object does that is no number
        return None


def _shown(value: object) -> str:
    """Write a value in a line, shortened if it is long."""
    shown = " ".join(repr(value).split())
    return shown if len(shown) <= 80 else " ".join(reprlib.repr(value).split())


def _shape(value: Any) -> tuple[int, ...]:
    try:
        return np.shape(value)
    except Exception:  # as in _floats
        return ()


def _some(values: Any) -> list[Any]:
    """List the first values of labels, for a message."""
    try:
        return np.unique(np.asarray(values))[:5].tolist()
    except Exception:  # not comparable, or as in _floats
        return list(values)[:5] if hasattr(values, "__iter__") else [values]
