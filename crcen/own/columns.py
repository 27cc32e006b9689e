"""What the columns of a table are, told from what they hold; and which of them are left out.

Types are understood here and not demanded: numbers that were written as text become numbers, what
cannot help is left out with a reason, and what looks like the target in disguise is told.
Categories, dates and gaps are for `skrub.TableVectorizer`, which is fitted inside the folds.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.api import guess_datetime_format
from sklearn.metrics import roc_auc_score

# Numbers as people and spreadsheets write them: 1,234.50 and 1.234,50; 0,5; 12%; $ 1,200; (300).
_POINT = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")
_COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
_AROUND = re.compile(r"^[\s$€£¥]+|[\s$€£¥%]+$")
LEAK = 0.999  # of the area under the curve, from which a column is the target in disguise
FEW = 20  # rows, fewer than which no column can be called a leak


class Column(NamedTuple):
    """What a column is.

    Attributes
    ----------
    name : str
        Its name.
    kind : str
        "number", "date", "category", "text", "boolean"; or "constant", "empty", "identifier".
    note : str
        What was done with it or is to be known of it; empty if nothing.
    """

    name: str
    kind: str
    note: str

    @property
    def used(self) -> bool:
        """Whether a model can learn from it."""
        return self.kind not in ("constant", "empty", "identifier")


def understand(
    X: pd.DataFrame, y: NDArray[np.int64], many: int = 40
) -> tuple[pd.DataFrame, list[Column]]:
    """Tell what each column is, and keep those that a model can learn from.

    Parameters
    ----------
    X : DataFrame
        The columns as they were read.
    y : ndarray of int
        Zeros and ones.
    many : int, default=40
        Levels from which a text counts as text and no longer as a category.

    Returns
    -------
    X : DataFrame
        The columns that are used: numbers, booleans as numbers, dates as dates, text.
    columns : list of Column
        All of them.

    Raises
    ------
    ValueError
        If no column is left.

    Examples
    --------
    >>> X = pd.DataFrame({"id": ["a1", "b2", "c3"], "amount": ["1,200.5", "3", None], "v": 1})
    >>> X, columns = understand(X, np.array([0, 1, 0]))
    >>> X["amount"].tolist()[:2], [(c.name, c.kind) for c in columns]
    ([1200.5, 3.0], [('id', 'identifier'), ('amount', 'number'), ('v', 'constant')])
    """
    kept: dict[str, pd.Series[Any]] = {}
    columns = []
    for name in X:
        column, found = _understood(str(name), X[name], many)
        if found.used and (leak := _separates(column, y)):
            found = found._replace(note=f"{found.note}; {leak}".removeprefix("; "))
        if found.used:
            kept[str(name)] = column
        columns.append(found)
    if not kept:
        raise ValueError(
            "the table has no column to learn from: "
            + ", ".join(f"{c.name!r} is {c.kind}" for c in columns)
            + "."
        )
    return pd.DataFrame(kept, index=X.index), columns


def as_numbers(texts: pd.Series[Any]) -> pd.Series[Any] | None:
    """Turn text into numbers if every value that is there is one, or return None.

    A point or a comma may divide thousands or decimals. If both readings fit all values, as of
    "1,234", a comma divides thousands and a point decimals.

    Examples
    --------
    >>> as_numbers(pd.Series(["1,234.5", " 12 ", None])).tolist()
    [1234.5, 12.0, nan]
    >>> as_numbers(pd.Series(["0,5", "1.234,5"])).tolist()
    [0.5, 1234.5]
    >>> as_numbers(pd.Series(["12 %", "(300)", "$ 7"])).tolist()
    [12.0, -300.0, 7.0]
    >>> as_numbers(pd.Series(["12", "about 13"])) is None
    True
    """
    there = texts.dropna().astype(str).str.strip()
    bare = there.str.replace(r"^\((.*)\)$", r"-\1", regex=True).str.replace(_AROUND, "", regex=True)
    bare = bare.str.replace(_AROUND, "", regex=True)
    if bare.empty:
        return None
    for pattern, thousands, decimal in ((_POINT, ",", "."), (_COMMA, ".", ",")):
        if bare.map(lambda text, p=pattern: bool(p.fullmatch(text))).all():
            plain = bare.str.replace(thousands, "", regex=False).str.replace(
                decimal, ".", regex=False
            )
            return pd.to_numeric(plain).astype(np.float64).reindex(texts.index)
    plain = pd.to_numeric(bare, errors="coerce")  # 1e-5
    return plain.astype(np.float64).reindex(texts.index) if plain.notna().all() else None


def as_times(column: pd.Series[Any]) -> pd.Series[Any] | None:
    """Turn a column of dates or numbers into what orders it, or return None.

    Examples
    --------
    >>> as_times(pd.Series(["2024-02-01", "2024-01-31"])).dt.day.tolist()
    [1, 31]
    >>> as_times(pd.Series(["soon", "late"])) is None
    True
    """
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return column
    texts = column.astype("string").str.strip()
    texts = texts.mask(texts == "")
    numbers = as_numbers(texts)
    return _dates(texts) if numbers is None else numbers


def _understood(name: str, column: pd.Series[Any], many: int) -> tuple[pd.Series[Any], Column]:
    there = column.dropna()
    gaps = f"{column.isna().sum()} gaps" if len(there) < len(column) else ""
    if there.empty:
        return column, Column(name, "empty", "left out")
    if not gaps and (there == there.iloc[0]).all():
        return column, Column(name, "constant", "left out")
    if pd.api.types.is_bool_dtype(column) or {*there.unique()} <= {True, False}:
        return column.astype(np.float64), Column(name, "boolean", gaps)
    if pd.api.types.is_datetime64_any_dtype(column):
        return column, Column(name, "date", gaps)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        numbers = column.astype(np.float64)
        infinite = int(np.isinf(numbers).sum())
        note = ", ".join(filter(None, [gaps, f"{infinite} infinite, as gaps" if infinite else ""]))
        if _counts(name, there):
            return column, Column(name, "identifier", "left out")
        return numbers.replace([np.inf, -np.inf], np.nan), Column(name, "number", note)
    texts = column.astype("string").str.strip()
    texts = texts.mask(texts == "")
    if (numbers_ := as_numbers(texts)) is not None:
        note = ", ".join(filter(None, ["was text", gaps]))
        return numbers_, Column(name, "number", note)
    if (dates := _dates(texts)) is not None:
        return dates, Column(name, "date", gaps)
    levels = texts.nunique()
    if levels == len(there) and not texts.dropna().str.contains(" ").any():
        return column, Column(name, "identifier", "left out")
    kind = "category" if levels <= many else "text"
    note = ", ".join(filter(None, [f"{levels} levels", gaps]))
    return texts.astype(object), Column(name, kind, note)


def _counts(name: str, numbers: pd.Series[Any]) -> bool:
    """Whether whole numbers count the rows, or are all different and go by the name of a key."""
    values = numbers.to_numpy(dtype=np.float64)
    if (
        len(values) < FEW
        or not np.isfinite(values).all()
        or (values % 1 != 0).any()
        or np.unique(values).size < values.size
    ):
        return False
    consecutive = values.max() - values.min() == values.size - 1
    key = re.search(r"(^|_|\b)(id|key|index|nr|no|number|unnamed.*)$", name.lower()) is not None
    return bool(consecutive or key)


def _dates(texts: pd.Series[Any]) -> pd.Series[Any] | None:
    """Turn text into dates if every value that is there is one of one format."""
    there = texts.dropna().astype(object)
    form = None if there.empty else guess_datetime_format(there.iloc[0])
    if form is None:
        return None
    try:
        return pd.to_datetime(there, format=form).reindex(texts.index)
    except (ValueError, OverflowError):
        return None


def _separates(column: pd.Series[Any], y: NDArray[np.int64]) -> str:
    """Say so if a single column tells the classes apart."""
    if min(y.sum(), (1 - y).sum()) < FEW:
        return ""
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=np.float64)
        values = np.where(np.isnan(values), np.nanmin(values) - 1, values)
    elif pd.api.types.is_datetime64_any_dtype(column):
        values = column.astype("int64").to_numpy(dtype=np.float64)
    else:
        levels = column.astype("string").fillna("")
        if levels.nunique() > len(levels) / 10:
            return ""
        values = levels.map(pd.Series(y, index=levels.index).groupby(levels).mean()).to_numpy(float)
    area = roc_auc_score(y, values)
    if max(area, 1 - area) < LEAK:
        return ""
    return "tells the classes apart all by itself: is it known before the outcome?"
