"""A table of your own: reading it, and saying what stands in the way if it cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crcen.own.columns import Column, as_numbers, as_times, understand
from crcen.reading import GAPS, as_text, known, read_frame, read_labels
from crcen.validation import FINITE, check_count, check_number

FEWEST = 20  # rows of a class: in five folds there are four of them each


class Table(NamedTuple):
    """A table that can be learnt from.

    Attributes
    ----------
    name : str
        The file's.
    X : DataFrame
        The columns that are used: numbers, dates and text, gaps among them.
    y : ndarray of int
        1 for the label that is to be found.
    labels : tuple of str
        Those of class 0 and of class 1.
    columns : list of Column
        What each column is, those that are left out among them.
    target : str
        The column of labels.
    without : int
        Rows that have no label and were left out.
    copies : int
        Rows that are as one before them in all columns that are learnt from, and in class.
    groups : ndarray of int or None
        Which rows belong together.
    times : ndarray or None
        What the rows are ordered by.
    weights : ndarray or None
        What each row counts in training.
    """

    name: str
    X: pd.DataFrame
    y: NDArray[np.int64]
    labels: tuple[str, str]
    columns: list[Column]
    target: str
    without: int = 0
    copies: int = 0
    groups: NDArray[np.int64] | None = None
    times: NDArray[Any] | None = None
    weights: NDArray[np.float64] | None = None


def read_table(
    path: str | os.PathLike[str],
    target: str,
    positive: object = None,
    *,
    above: float | None = None,
    drop: str | Iterable[str] = (),
    groups: str | None = None,
    time: str | None = None,
    weights: str | None = None,
    fewest: int = FEWEST,
) -> Table:
    """Read a table with a column of labels, and understand its columns.

    Parameters
    ----------
    path : path
        A file that `crcen.reading.read_frame` reads, with a row for each case.
    target : str
        The column with the labels. Rows without one are left out.
    positive : object, optional
        The label to be found, class 1 against all others; compared as text, so that ``"1"`` is 1.
        By default the rarer of two.
    above : float, optional
        For a target of numbers: class 1 is what lies above.
    drop : str or iterable of str
        Columns to leave out, such as what is known only after the outcome.
    groups : str, optional
        A column that says which rows belong together, such as those of a customer: all of them
        are on one side of each split. It is not learnt from.
    time : str, optional
        A column of dates or numbers that orders the rows: models learn from the past. It is not
        learnt from.
    weights : str, optional
        A column that says how much each row counts in training, positive. It is not learnt from.
    fewest : int, default=20
        Rows that either class must have.

    Returns
    -------
    Table
        What is learnt from, and what became of each column.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If the package that reads such files is not installed.
    ValueError
        If an argument is of the wrong kind, the file cannot be read, a column is missing or there
        twice, the labels are not those of two classes of `fewest` rows each, groups, times or
        weights have gaps or the wrong kind, or there is no column to learn from.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "loans.csv")
    ...     frame = pd.DataFrame({"income": range(5, 205, 2), "paid": ["yes"] * 75 + ["no"] * 25})
    ...     frame.to_csv(path, index=False)
    ...     loans = read_table(path, target="paid")
    >>> loans.X.shape, loans.y.sum(), loans.labels
    ((100, 1), np.int64(25), ('yes', 'no'))
    """
    try:
        dropped = [drop] if isinstance(drop, str) else list(drop)
    except Exception:  # whatever a thing does that is no list
        raise ValueError(f"drop={drop!r} must be a list of columns: give () to keep all.") from None
    fewest = check_count("fewest", fewest)
    frame = read_frame(path, str(target))
    target = known("target", target, frame)
    dropped = [known("drop", name, frame) for name in dropped]
    given = {"groups": groups, "time": time, "weights": weights}
    roles = {role: known(role, name, frame) for role, name in given.items() if name is not None}
    for role, name in roles.items():
        if name == target:
            raise ValueError(f"{role}={name!r} is the target: name another column.")
    labelled = _labelled(frame[target], () if above is None else GAPS)
    frame, without = frame[labelled].reset_index(drop=True), int((~labelled).sum())
    y, labels = _classes(frame[target], target, positive, above, fewest)
    taken = {str(name): frame[name] for name in roles.values()}
    X = frame.drop(columns=[target, *dropped, *{*roles.values()} - {*dropped, target}])
    X, columns = understand(X, y)
    copies = int(X.assign(**{target: y}).duplicated().sum())
    return Table(
        Path(os.fsdecode(path)).name,
        X,
        y,
        labels,
        columns,
        target,
        without,
        copies,
        _groups(roles.get("groups"), taken),
        _times(roles.get("time"), taken),
        _weights(roles.get("weights"), taken),
    )


def _labelled(column: pd.Series[Any], gaps: Sequence[str]) -> NDArray[np.bool_]:
    return (~as_text(column).isin([pd.NA, *gaps])).to_numpy(dtype=bool)


def _classes(
    column: pd.Series[Any], target: str, positive: object, above: float | None, fewest: int
) -> tuple[NDArray[np.int64], tuple[str, str]]:
    """Turn the labels into 0 and 1, with enough rows of either."""
    if above is None:
        levels = as_text(column).nunique()
        if positive is None and levels > 2 * FEWEST and as_numbers(column) is not None:
            raise ValueError(
                f"target={target!r} holds {levels:,} different numbers: say above which one a row "
                "is to be found, above=, or which of them is, positive=."
            )
        y, labels = read_labels(column, target, positive)
    elif positive is not None:
        raise ValueError(f"above={above!r} and positive={positive!r} both name class 1: give one.")
    else:
        above = check_number("above", above, FINITE)
        values = as_numbers(column)
        if values is None:
            raise ValueError(
                f"above={above!r} takes a target of numbers, and {target!r} is none: name the "
                "label that is to be found, positive=."
            )
        y = (values > above).to_numpy(dtype=np.int64)
        labels = (f"{target} at most {above:g}", f"{target} above {above:g}")
    for label, n in zip(labels, (int((1 - y).sum()), int(y.sum())), strict=True):
        if n < fewest:
            raise ValueError(
                f"target={target!r} has {n} rows of {label!r}, fewer than fewest={fewest}: what is "
                "counted on so few says little of others; collect more."
            )
    return y, labels


def _groups(name: str | None, taken: dict[str, pd.Series[Any]]) -> NDArray[np.int64] | None:
    if name is None:
        return None
    codes, _ = pd.factorize(taken[name], use_na_sentinel=True)
    alone = codes < 0  # a row without a group is one by itself
    codes[alone] = codes.max() + 1 + np.arange(alone.sum())
    if np.unique(codes).size < 10:
        raise ValueError(
            f"groups={name!r} has {np.unique(codes).size} groups, fewer than ten: rows that are "
            "left out by the group take more of them."
        )
    return codes.astype(np.int64)


def _times(name: str | None, taken: dict[str, pd.Series[Any]]) -> NDArray[Any] | None:
    if name is None:
        return None
    times = as_times(taken[name])
    if times is None or times.isna().any():
        raise ValueError(
            f"time={name!r} must hold a date or a number in every row: name another column, or "
            "leave rows without one out."
        )
    if times.nunique() < 6:
        raise ValueError(
            f"time={name!r} has {times.nunique()} different times, fewer than six: rows that are "
            "held out by time take more of them."
        )
    return times.to_numpy()


def _weights(name: str | None, taken: dict[str, pd.Series[Any]]) -> NDArray[np.float64] | None:
    if name is None:
        return None
    values = as_numbers(taken[name])
    if values is None or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            f"weights={name!r} must hold a positive number in every row: name another column, or "
            "leave other rows out."
        )
    weights = values.to_numpy(dtype=np.float64)
    return weights / weights.mean()
