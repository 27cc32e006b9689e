"""A table of your own: reading it, and saying what stands in the way if it cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from crcen.reading import few, known, read_frame, read_labels
from crcen.validation import check_count


def read_table(
    path: str | os.PathLike[str],
    target: str,
    positive: object,
    *,
    drop: str | Iterable[str] = (),
    min_minority: int = 20,
) -> Bunch:
    """Read a table with a column of labels, as `crcen.load_dataset` gives the data sets.

    Parameters
    ----------
    path : path
        A file that `crcen.reading.read_frame` reads, with a row for each case.
    target : str
        The column with the labels.
    positive : object
        The label of the minority, which becomes class 1 against all others; compared as text, so
        that ``"1"`` is 1.
    drop : str or iterable of str
        Columns to leave out, such as an identifier. All others must be numbers.
    min_minority : int, default=20
        Fewest minority rows to accept. A quarter of them is held out and the rest is divided into
        four folds, so that of 20 a fold has four at most.

    Returns
    -------
    Bunch
        ``data``, float64 of shape (n, p); ``target``, int64, 1 for the minority;
        ``feature_names``; ``name``, the file's; ``labels``, those of class 0 and class 1.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If it is a Parquet file and pyarrow is not installed.
    ValueError
        If an argument is of the wrong kind; the file cannot be read; a column is missing or there
        twice; there is one label only, or the minority's
        is not one of them, or is that of the majority; the minority has too few rows; or a column
        is constant, is not made of numbers, or has gaps.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "loans.csv")
    ...     frame = pd.DataFrame({"income": range(100), "paid": ["yes"] * 75 + ["no"] * 25})
    ...     frame.to_csv(path, index=False)
    ...     loans = read_table(path, target="paid", positive="no")
    >>> loans.data.shape, loans.target.sum(), loans.labels
    ((100, 1), np.int64(25), ('yes', 'no'))
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path={path!r} must be text or a path: give that of a table.")
    try:
        named = [drop] if isinstance(drop, str) else list(drop)
    except Exception:  # whatever a thing does that is no list
        raise ValueError(f"drop={drop!r} must be a list of columns: give () to keep all.") from None
    least = check_count("min_minority", min_minority)
    file = Path(os.fsdecode(path))
    frame = read_frame(file, str(target))
    target = known("target", target, frame)
    dropped = [known("drop", name, frame) for name in named]
    y, labels = _minority(frame[target], target, positive, least)
    X = frame.drop(columns=[target, *dropped])
    _check_columns(X)
    return Bunch(
        data=np.ascontiguousarray(X, dtype=np.float64),
        target=y,
        feature_names=list(X.columns),
        name=file.name,
        labels=labels,
    )


def _minority(
    column: pd.Series[Any], target: str, positive: object, min_minority: int
) -> tuple[np.ndarray, tuple[str, str]]:
    """Turn the labels into 0 and 1, 1 for the minority, of which there are to be enough."""
    y, (rest, wanted) = read_labels(column, target, positive)
    n1, n0 = int(y.sum()), int((1 - y).sum())
    if n1 > n0:
        raise ValueError(
            f"positive={wanted!r} is the majority, with {n1} rows against {n0}: lambda weights "
            f"the minority, so give positive={rest!r}."
        )
    if n1 < min_minority:
        raise ValueError(
            f"positive={wanted!r} has {n1} rows, fewer than min_minority={min_minority}: a quarter "
            "is held out and the rest divided into four folds, which tells nothing of so few; "
            "collect more."
        )
    return y, (rest, wanted)


def _check_columns(X: pd.DataFrame) -> None:
    if X.shape[1] == 0:
        raise ValueError(
            "drop leaves no column besides the target: keep one or more to learn from."
        )
    text = X.columns[[not _is_number(X[name]) for name in X]]
    if len(text):
        raise ValueError(
            f"columns {few(text)} are not numbers: encode categories, with pandas.get_dummies("
            f"frame, columns=[{text[0]!r}], dtype=float), or leave them out, with "
            f"drop=[{text[0]!r}]."
        )
    gaps = X.columns[~np.isfinite(X.to_numpy(float, na_value=np.nan)).all(axis=0)]
    if len(gaps):
        raise ValueError(
            f"columns {few(gaps)} have missing or infinite values: fill them, for instance with "
            "frame.fillna(frame.median(numeric_only=True)), or leave the columns or rows out."
        )
    constant = X.columns[X.eq(X.iloc[0]).all()]
    if len(constant):
        raise ValueError(
            f"columns {few(constant)} are constant and tell nothing: leave them out, with "
            f"drop={[str(name) for name in constant]}."
        )


def _is_number(column: pd.Series[Any]) -> bool:
    kind = column.dtype
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)
