"""What the columns of a table are, told from what they hold; and which of them are left out.

Types are understood here and not demanded: numbers that were written as text become numbers, what
cannot help is left out with a reason, and what looks like the target in disguise is told.
Categories, dates and gaps are for `skrub.TableVectorizer`, which is fitted inside the folds.
"""

from __future__ import annotations

import re
import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.api import guess_datetime_format
from sklearn.metrics import roc_auc_score

from crcen.reading import as_text

# Numbers as people and spreadsheets write them: 1,234.50 and 1.234,50; 0,5; 1 234,5; 12%; (300).
_POINT = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")
_COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
_WITHIN = re.compile(r"(?<=\d)[\s'’](?=\d{3}(\D|$))")  # noqa: RUF001
_AROUND = re.compile(r"^[\s$€£¥]+|[\s$€£¥%]+$")
_KEY = re.compile(r"(^|_|\b)(id|key|index|nr|no|number|row_?(names?|number)|unnamed.*)$")
_OWNER = re.compile(r"(^|[\W_])(id|Id|ID)$|[a-z]I[dD]$")
BOOLEANS = {"True": 1, "False": 0, "TRUE": 1, "FALSE": 0, "true": 1, "false": 0}
LARGEST = float(np.finfo(np.float32).max)  # models take no larger numbers
LEAK = 0.999  # of the area under the curve, from which a column is the target in disguise
APART = "tells the classes apart all by itself: is it known before the outcome?"
MANY = 40  # levels, from which on a text counts as text and no longer as a category
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


def understand(X: pd.DataFrame, y: NDArray[np.int64]) -> tuple[pd.DataFrame, list[Column]]:
    """Tell what each column is, and keep those that a model can learn from.

    Parameters
    ----------
    X : DataFrame
        The columns as they were read.
    y : ndarray of int
        Zeros and ones.

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
        column, found = _understood(str(name), X[name])
        if found.used and (leak := _separates(column, y)):
            found = found._replace(note=f"{found.note}; {leak}".removeprefix("; "))
        if found.used:
            kept[str(name)] = column
        columns.append(found)
    if not kept:
        left_out = ", ".join(f"{c.name!r} is {c.kind}" for c in columns)
        raise ValueError(f"the table has no column to learn from: {left_out or 'none is left'}.")
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
    there = as_text(texts).dropna()
    bare = there.str.replace(r"^\((.*)\)$", r"-\1", regex=True).str.replace(_AROUND, "", regex=True)
    bare = bare.str.replace(_AROUND, "", regex=True).str.replace(_WITHIN, "", regex=True)
    bare = bare.str.replace("−", "-", regex=False)
    if bare.empty:
        return None
    for pattern, thousands, decimal in ((_POINT, ",", "."), (_COMMA, ".", ",")):
        if bare.map(lambda text, p=pattern: bool(p.fullmatch(text))).all():
            plain = bare.str.replace(thousands, "", regex=False).str.replace(
                decimal, ".", regex=False
            )
            return plain.astype(object).map(float).astype(np.float64).reindex(texts.index)
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
    values, kind, _ = _typed(column)
    return None if kind == "text" else values


def _understood(name: str, column: pd.Series[Any]) -> tuple[pd.Series[Any], Column]:
    """Tell what a column is, and what of it is learnt from."""
    column, kind, note = _typed(column)
    large = column.abs() > LARGEST if kind == "number" else np.zeros(len(column), dtype=bool)
    column = column.mask(large)
    there = column.dropna()
    gaps = len(column) - len(there)
    levels = there.nunique() if kind == "text" else 0
    key = 1 < levels == len(there) and not there.str.contains(" ").any()
    if there.empty:
        kind = "empty"
    elif not gaps and (there == there.iloc[0]).all():
        kind = "constant"
    elif key or (kind == "number" and _counts(name, there)):
        kind = "identifier"
    elif kind == "text" and levels < MANY:
        kind = "category"
    if not (found := Column(name, kind, "left out")).used:
        return column, found
    counts = {"levels": levels, "gaps": gaps, "of them infinite": large.sum()}
    notes = [note, *(f"{n} {of}" for of, n in counts.items() if n)]
    if _OWNER.search(name) and there.nunique() < len(there):
        notes.append("if rows of one value belong together, name it as groups")
    return column, Column(name, kind, ", ".join(filter(None, notes)))


def _typed(column: pd.Series[Any]) -> tuple[pd.Series[Any], str, str]:
    """Turn a column into numbers, dates or text; say which, and what is to be known of that."""
    types, note = pd.api.types, ""
    if types.is_datetime64_any_dtype(column):
        return _without_zone(column), "date", note
    if types.is_timedelta64_dtype(column):
        numbers, note = column.dt.total_seconds(), "in seconds"
    elif types.is_numeric_dtype(column) and not types.is_complex_dtype(column):
        numbers = column.astype(np.float64)
    else:
        texts = as_text(column)
        if {*texts.dropna().unique()} <= {*BOOLEANS}:
            return texts.map(BOOLEANS).astype(np.float64), "boolean", note
        if (read := as_numbers(texts)) is None:
            dates = _dates(texts)
            return (texts.astype(object), "text", "") if dates is None else (dates, "date", "")
        numbers, note = read, "was text"
    kind = "boolean" if {*numbers.dropna().unique()} <= {0, 1} else "number"
    return numbers, kind, note


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
    return bool(consecutive or _KEY.search(name.lower()))


def _dates(texts: pd.Series[Any]) -> pd.Series[Any] | None:
    """Turn text into dates if every value that is there is one of one format."""
    there = texts.dropna().astype(object)
    if there.empty:
        return None
    dotted = re.match(r"\d+\.\d+\.", there.iloc[0]) is not None  # where days come first
    for day_first in (dotted, not dotted):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a day comes first, or a month
            form = guess_datetime_format(there.iloc[0], dayfirst=day_first)
        if form is None:
            return None
        try:
            dates = pd.to_datetime(
                there, format="ISO8601" if form.startswith("%Y-%m") else form, utc=True
            )
        except (ValueError, OverflowError):
            continue
        return _without_zone(dates).reindex(texts.index)
    return None


def _without_zone(dates: pd.Series[Any]) -> pd.Series[Any]:
    return dates if dates.dt.tz is None else dates.dt.tz_convert(None)


def _separates(column: pd.Series[Any], y: NDArray[np.int64]) -> str:
    """Say so if a single column tells the classes apart."""
    if min(y.sum(), (1 - y).sum()) < FEW:
        return ""
    if column.dtype == object:
        levels = column.fillna("")
        if levels.nunique() > len(levels) / 10:
            return ""
        values = levels.map(pd.Series(y, index=levels.index).groupby(levels).mean())
    else:
        values = column.rank().fillna(0)
    area = roc_auc_score(y, values)
    if max(area, 1 - area) < LEAK:
        return ""
    return APART
