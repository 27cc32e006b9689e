"""Tables as they are: files of several kinds, with a column of labels."""

from __future__ import annotations

import codecs
import csv
import difflib
import gzip
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SEPARATORS = (",", ";", "\t", "|")
HEAD = 1 << 16  # characters that are looked at to tell the separator
# What stands for a gap: the list of pandas, and the sign of the UCI repository.
GAPS = [
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "?"),
]
ENCODINGS = ("utf-8-sig", "cp1252")  # what is not Unicode comes from a spreadsheet


def _delimited(file: Path, target: str) -> pd.DataFrame:
    """Read text in the first encoding that fits all of it."""
    opened: Callable[..., Any] = gzip.open if file.name.lower().endswith(".gz") else open
    with opened(file, "rb") as raw:
        start = raw.read(2)
    marked = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    for encoding in ("utf-16",) if marked else ENCODINGS:
        try:
            return _decoded(file, target, opened, encoding)
        except UnicodeDecodeError as error:
            failed = error
    raise failed


def _decoded(file: Path, target: str, opened: Callable[..., Any], encoding: str) -> pd.DataFrame:
    """Read text with the separator that divides its first lines alike, labels as they stand."""
    with opened(file, "rt", encoding=encoding, newline="") as lines:
        head = lines.read(HEAD)
    if "\0" in head:
        raise ValueError("it is no text")
    how: dict[str, Any] = {"encoding": encoding, "keep_default_na": False}
    separator = _separator(head)
    if stated := re.match(r"sep=(.)\r?\n", head, re.IGNORECASE):  # Excel's first line
        separator, how["skiprows"], head = stated[1], 1, head[stated.end() :]
    rows = csv.reader(head.splitlines()[1:20], delimiter=separator)
    comma = separator != "," and any(_is_comma_number(field) for row in rows for field in row)
    how["sep"] = separator
    names = pd.read_csv(file, nrows=0, **how).columns
    gaps = {name: GAPS for name in names if name != target}  # "NA" is a label like another
    frame = pd.read_csv(
        file, na_values=gaps, decimal="," if comma else ".", low_memory=False, **how
    )
    if frame.index.nlevels > 1:  # one more is a name of each row, as R writes it
        raise ValueError("rows have more fields than the header has names")
    return frame


def _separator(head: str) -> str:
    """Tell what divides the first lines into columns."""
    lines = head.splitlines()[:10]
    if len(head) == HEAD:
        lines = lines[:-1] or lines
    parts = {s: [len(row) for row in csv.reader(lines, delimiter=s) if row] for s in SEPARATORS}
    return max(SEPARATORS, key=lambda s: (len({*parts[s]}) == 1 and parts[s][0] > 1, parts[s][:1]))


def _is_comma_number(field: str) -> bool:
    whole, comma, part = field.strip().lstrip("+-").partition(",")
    return bool(comma) and whole.isdigit() and part.isdigit()


READERS: dict[str, Callable[[Path, str], pd.DataFrame]] = {
    ".csv": _delimited,
    ".csv.gz": _delimited,
    ".tsv": _delimited,
    ".txt": _delimited,
    ".parquet": lambda file, target: pd.read_parquet(file),
    ".pq": lambda file, target: pd.read_parquet(file),
    ".feather": lambda file, target: pd.read_feather(file),
    ".orc": lambda file, target: pd.read_orc(file),
}


def read_frame(path: str | os.PathLike[str], target: str) -> pd.DataFrame:
    """Read a table with a header.

    Parameters
    ----------
    path : path
        A file ``.csv``, ``.csv.gz``, ``.tsv`` or ``.txt``, whose separator and decimal sign are
        found out, or ``.parquet``, ``.pq``, ``.feather`` or ``.orc``.
    target : str
        The column of labels. They are text as it stands, without spaces around it: "NA" is one.

    Returns
    -------
    DataFrame
        Its columns, with names that are text.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If the package that reads such files is not installed.
    ValueError
        If `path` is none, its ending is another, the file cannot be read, or a column is there
        twice.
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path={path!r} must be text or a path: give that of a table.")
    file = Path(os.fsdecode(path))
    if not file.is_file():
        raise FileNotFoundError(
            f"path={str(file)!r} is not a file, seen from {Path.cwd()}: give the path of a table."
        )
    ending = max((e for e in READERS if file.name.lower().endswith(e)), key=len, default=None)
    if ending is None:
        raise ValueError(
            f"path={str(file)!r} must end in {', '.join(READERS)}: save the table as one of these."
        )
    try:
        frame = READERS[ending](file, target)
        if not isinstance(frame.index, pd.RangeIndex):
            frame = frame.reset_index()
    except ImportError as error:
        raise ImportError(
            f"path={str(file)!r} needs pyarrow: pip install pyarrow, or save the table as CSV."
        ) from error
    except Exception as error:  # a damaged file makes its reader fail in any way at all
        raise ValueError(
            f"path={str(file)!r} cannot be read as {ending[1:]}: {str(error).strip()}. Save the "
            "table anew, as CSV with a header and UTF-8, or as Parquet."
        ) from error
    frame.columns = [str(name) for name in frame.columns]
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].unique()
        raise ValueError(f"columns {few(twice)} are there more than once: rename or drop them.")
    return frame


def known(parameter: str, column: object, frame: pd.DataFrame) -> str:
    """Return the name of a column that is there, or name the nearest.

    Raises
    ------
    ValueError
        If it is not there.
    """
    column, names = str(column), list(frame.columns)
    if column not in names:
        near = difflib.get_close_matches(column, names) or names
        raise ValueError(f"{parameter}={column!r} is not a column: choose one of {few(near)}.")
    return column


def read_labels(
    column: pd.Series[Any], target: str, positive: object = None
) -> tuple[NDArray[np.int64], tuple[str, str]]:
    """Turn a column of labels into 0 and 1, 1 for the minority or for the label that is named.

    Parameters
    ----------
    column : Series
        The labels. They are compared as text, so that 1, 1.0 and "1" are one.
    target : str
        The name of the column.
    positive : object, optional
        The label of class 1; all others are class 0. By default the rarer of two.

    Returns
    -------
    y : ndarray of int
        Zeros and ones.
    labels : tuple of str
        That of class 0, or of several what they are together, and that of class 1.

    Raises
    ------
    ValueError
        If a row has no label, there is one only, `positive` is not among them, or it is not given
        and there are more than two, or two that are as frequent.

    Examples
    --------
    >>> y, labels = read_labels(pd.Series(["good", "bad", "good"]), "status")
    >>> y, labels
    (array([0, 1, 0]), ('good', 'bad'))
    """
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")  # or 1 would read 1.0
    texts = as_text(column)
    if texts.isna().any():
        raise ValueError(
            f"target={target!r} has no label in {texts.isna().sum()} rows: drop them, with "
            f"frame.dropna(subset=[{target!r}])."
        )
    if texts.empty:
        raise ValueError(f"target={target!r} has no labels: the table needs rows that have one.")
    numbers = pd.to_numeric(texts, errors="coerce")
    if numbers.notna().all() and (numbers % 1 == 0).all() and np.abs(numbers).max() < 2**53:
        texts = numbers.astype("int64").astype("string")  # "1.0" in one file is "1" in another
    counts = texts.value_counts()
    present = ", ".join(f"{label!r} ({n} rows)" for label, n in counts.head(8).items())
    present += f" and {len(counts) - 8} more" if len(counts) > 8 else ""
    if len(counts) < 2:
        raise ValueError(f"target={target!r} has one label, {present}: add rows of another.")
    if positive is None:
        if len(counts) > 2 or counts.iloc[0] == counts.iloc[1]:
            raise ValueError(
                f"target={target!r} has {present}: name the label that is to be found, positive=."
            )
        wanted = str(counts.index[-1])
    else:
        wanted = str(positive).strip()
        if wanted not in counts:
            raise ValueError(
                f"positive={positive!r} is not a label in column {target!r}: choose one of "
                f"{present}."
            )
    others = [str(label) for label in counts.index if label != wanted]
    rest = " or ".join(others) if len(others) < 4 else f"any of {len(others)} others"
    return (texts == wanted).to_numpy(dtype=np.int64), (rest, wanted)


def as_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Turn what stands in a column into text without spaces around it, missing where it is empty.

    Examples
    --------
    >>> as_text(pd.Series([" a", b"b", [1, 2], " ", None], dtype=object)).tolist()
    ['a', 'b', '[1, 2]', <NA>, <NA>]
    """
    if column.dtype == object:
        column = column.map(
            lambda v: v.decode(errors="replace") if isinstance(v, bytes) else str(v),
            na_action="ignore",
        )
    texts = column.astype("string").str.strip()
    return texts.mask(texts == "")


def few(names: Iterable[object]) -> str:
    """List names, the first eight of many."""
    quoted = [repr(str(name)) for name in names]
    return ", ".join(quoted[:8]) + (f" and {len(quoted) - 8} more" if len(quoted) > 8 else "")
