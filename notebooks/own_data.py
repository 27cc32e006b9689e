"""A table of your own: reading it, and saying what stands in the way if it cannot be used."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from crcen.validation import check_count

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": pd.read_csv,
    ".csv.gz": pd.read_csv,
    ".parquet": pd.read_parquet,
}


def read_table(
    path: str | os.PathLike[str],
    target: str,
    positive: object,
    *,
    drop: str | Iterable[str] = (),
    min_minority: int = 20,
) -> Bunch:
    """Read a table with a column of two labels, as `crcen.load_dataset` gives the six sets.

    Parameters
    ----------
    path : path
        A file ``.csv``, ``.csv.gz`` or ``.parquet``, with a row for each case and a header.
    target : str
        The column with the labels.
    positive : object
        The label of the minority, which becomes class 1; compared as text, so that ``"1"`` is 1.
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
        twice; the labels are not two, or the minority's
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
    frame = _read(file)
    frame.columns = [str(name) for name in frame.columns]
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].unique()
        raise ValueError(f"columns {_few(twice)} are there more than once: rename or drop them.")
    target = _known("target", target, frame)
    dropped = [_known("drop", name, frame) for name in named]
    y, labels = _binary(frame[target], target, str(positive), least)
    X = frame.drop(columns=[target, *dropped])
    _check_columns(X)
    return Bunch(
        data=np.ascontiguousarray(X, dtype=np.float64),
        target=y.astype(np.int64),
        feature_names=list(X.columns),
        name=file.name,
        labels=labels,
    )


def _read(file: Path) -> pd.DataFrame:
    if not file.is_file():
        raise FileNotFoundError(
            f"path={str(file)!r} is not a file, seen from {Path.cwd()}: give the path of a table."
        )
    ending = next((e for e in READERS if file.name.lower().endswith(e)), None)
    if ending is None:
        raise ValueError(
            f"path={str(file)!r} must end in {', '.join(READERS)}: save the table as one of these."
        )
    try:
        return READERS[ending](file)
    except ImportError as error:
        raise ImportError(
            f"path={str(file)!r} is a Parquet file and needs pyarrow: pip install pyarrow, or save "
            "the table as CSV."
        ) from error
    except Exception as error:  # a damaged file makes its reader fail in any way at all
        raise ValueError(
            f"path={str(file)!r} cannot be read as {ending[1:]}: {error}. Save the table anew, as "
            "CSV with commas, a header and UTF-8, or as Parquet."
        ) from error


def _known(parameter: str, column: object, frame: pd.DataFrame) -> str:
    column, names = str(column), list(frame.columns)
    if column not in names:
        near = difflib.get_close_matches(column, names) or names
        hint = " The header has one column only: are the fields separated by commas?"
        raise ValueError(
            f"{parameter}={column!r} is not a column: choose one of {_few(near)}."
            + (hint if len(names) == 1 else "")
        )
    return column


def _binary(
    column: pd.Series[Any], target: str, positive: str, min_minority: int
) -> tuple[np.ndarray, tuple[str, str]]:
    """Turn the labels into 0 and 1, 1 for the minority."""
    if column.isna().any():
        raise ValueError(
            f"target={target!r} has no label in {column.isna().sum()} rows: drop them, with "
            f"frame.dropna(subset=[{target!r}])."
        )
    if pd.api.types.is_float_dtype(column) and (column % 1 == 0).all():
        column = column.astype(np.int64)  # or 1 would read 1.0
    texts = column.astype(str)
    counts = texts.value_counts()
    present = ", ".join(f"{label!r} ({n} rows)" for label, n in counts.head(8).items())
    if positive not in counts:
        raise ValueError(
            f"positive={positive!r} is not a label in column {target!r}: choose the minority's of "
            f"{present}."
        )
    if len(counts) > 2:
        raise ValueError(
            f"target={target!r} has {len(counts)} labels, {present}: make it one against the rest, "
            f"with frame[{target!r}] = frame[{target!r}].astype(str) == {positive!r}, and give "
            "positive='True'."
        )
    if len(counts) == 1:
        raise ValueError(
            f"target={target!r} has the one label {positive!r} in all rows: add rows of another."
        )
    (rest,) = (str(label) for label in counts.index if label != positive)
    if counts[positive] > counts[rest]:
        raise ValueError(
            f"positive={positive!r} is the majority, with {counts[positive]} rows against "
            f"{counts[rest]}: lambda weights the minority, so give positive={rest!r}."
        )
    if counts[positive] < min_minority:
        raise ValueError(
            f"positive={positive!r} has {counts[positive]} rows, fewer than "
            f"min_minority={min_minority}: a quarter is held out and the rest divided into four "
            "folds, which tells nothing of so few; collect more."
        )
    return (texts == positive).to_numpy(), (rest, positive)


def _check_columns(X: pd.DataFrame) -> None:
    if X.shape[1] == 0:
        raise ValueError(
            "drop leaves no column besides the target: keep one or more to learn from."
        )
    text = X.columns[[not _is_number(X[name]) for name in X]]
    if len(text):
        raise ValueError(
            f"columns {_few(text)} are not numbers: encode categories, with pandas.get_dummies("
            f"frame, columns=[{text[0]!r}], dtype=float), or leave them out, with "
            f"drop=[{text[0]!r}]."
        )
    gaps = X.columns[~np.isfinite(X.to_numpy(float, na_value=np.nan)).all(axis=0)]
    if len(gaps):
        raise ValueError(
            f"columns {_few(gaps)} have missing or infinite values: fill them, for instance with "
            "frame.fillna(frame.median(numeric_only=True)), or leave the columns or rows out."
        )
    constant = X.columns[X.eq(X.iloc[0]).all()]
    if len(constant):
        raise ValueError(
            f"columns {_few(constant)} are constant and tell nothing: leave them out, with "
            f"drop={[str(name) for name in constant]}."
        )


def _is_number(column: pd.Series[Any]) -> bool:
    kind = column.dtype
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)


def _few(names: Iterable[object]) -> str:
    """List names, the first eight of many."""
    quoted = [repr(str(name)) for name in names]
    return ", ".join(quoted[:8]) + (f" and {len(quoted) - 8} more" if len(quoted) > 8 else "")
