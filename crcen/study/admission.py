"""Which data sets are in the study: the rule, written down before any fit.

A set is admitted by its size and its imbalance alone, which are in ``sets.csv``:

- to the main analysis if N0/N1 is at least 5 and N1 at least 40, so that the quarter of the rows
  that is tested on holds ten of the minority;
- to the wide one if N0/N1 is at least 5 and N1 at least 20, so that it holds five.

Two sets with the same rows count once. They are the same if their classes have the same sizes to
1 %, and at least 99 % of the rows of each class are in both, whatever the order of the rows and of
the columns and the scale of a column (`overlap`). The set of the collection is kept, or else the
first by name. A test compares all pairs and finds what the column ``duplicate_of`` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crcen.study.datasets import DATASETS, Dataset

if TYPE_CHECKING:
    from sklearn.utils import Bunch

SAME = 0.99  #: The share of rows in common, of each class, from which on two sets are the same.
_STEP = np.pi * 1e-6  # values are compared in such steps: no ratio of whole numbers is on an edge


@dataclass(frozen=True)
class Rule:
    """What is asked of a data set.

    Examples
    --------
    >>> Rule(5, 40).admits(DATASETS["ecoli"])  # 35 of the minority
    False
    """

    imbalance: float  # N0 / N1 at least
    minority: int  # N1 at least

    def admits(self, dataset: Dataset) -> bool:
        """Tell whether a set is large and imbalanced enough, and not another one's duplicate."""
        return (
            dataset.imbalance_ratio >= self.imbalance
            and dataset.n_minority >= self.minority
            and not dataset.duplicate_of
        )


RULES = {"main": Rule(5, 40), "wide": Rule(5, 20)}


def admitted(rule: Rule, datasets: Iterable[Dataset] = DATASETS.values()) -> tuple[str, ...]:
    """Return the names of the data sets that a rule admits, in their order.

    Examples
    --------
    >>> admitted(Rule(5, 40), [DATASETS[name] for name in ("yeast3", "yeast4", "yeast5")])
    ('yeast3', 'yeast5')
    """
    return tuple(dataset.name for dataset in datasets if rule.admits(dataset))


MAIN, WIDE = (admitted(RULES[name]) for name in ("main", "wide"))
#: The groups of data sets that can be asked for by name.
GROUPS = {"main": MAIN, "wide": WIDE}


def families(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the families of data sets, each with its members in their order.

    Examples
    --------
    >>> families(["yeast3", "scene", "yeast_me2"])
    {'yeast': ['yeast3', 'yeast_me2'], 'scene': ['scene']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(DATASETS[name].family, []).append(name)
    return found


def alike(first: Dataset, second: Dataset) -> bool:
    """Tell whether the classes of two data sets have the same sizes to 1 %.

    Examples
    --------
    >>> alike(DATASETS["abalone_19"], DATASETS["abalone19"])  # of 4177 and 4174 rows
    True
    """
    sizes = [(d.n_minority, d.n_samples - d.n_minority) for d in (first, second)]
    return all(min(pair) >= SAME * max(pair) for pair in zip(*sizes, strict=True))


def overlap(first: Bunch, second: Bunch) -> float:
    r"""Share of the rows that two data sets have in common, in the class where it is smaller.

    Columns that do not vary are left out. The others are paired so that their quantiles within the
    classes differ the least; of equals, those in like places. With :math:`R_c` and :math:`S_c` the
    multisets of rows of class c, the share is
    :math:`\min_c |R_c \cap S_c| / \max(|R_c|, |S_c|)`: of the columns as they are, or scaled to
    [0, 1], whichever is larger.

    Parameters
    ----------
    first, second : Bunch
        With ``data`` and ``target``, as `load_dataset` returns them.

    Returns
    -------
    float
        In [0, 1]; 0 if the numbers of columns differ.

    Examples
    --------
    >>> from sklearn.utils import Bunch
    >>> rows, target = np.random.default_rng(0).random((50, 3)), np.arange(50) % 5 == 0
    >>> turned = Bunch(data=1e3 * rows[::-1, [2, 0, 1]], target=target[::-1])
    >>> overlap(Bunch(data=rows, target=target), turned)
    1.0
    """
    spread = [np.ptp(each.data, axis=0) for each in (first, second)]
    one, two = (each.data[:, s > 0] for each, s in zip((first, second), spread, strict=True))
    if one.shape[1] != two.shape[1]:
        return 0.0
    labels = (first.target, second.target)
    # A row that only one of them has may set the scale of a column: so as it is, too.
    return max(_share(one, two, *labels), _share(_scaled(one), _scaled(two), *labels))


def _share(
    one: NDArray[np.float64],
    two: NDArray[np.float64],
    label: NDArray[np.int64],
    other: NDArray[np.int64],
) -> float:
    """Pair the columns, and count the rows in common."""
    from scipy.optimize import linear_sum_assignment  # these take half a second
    from scipy.spatial.distance import cdist

    places = np.linspace(0, 1e-6, one.shape[1])[:, None]
    unlike = cdist(_profile(one, label), _profile(two, other), "cityblock")
    two = two[:, linear_sum_assignment(unlike + cdist(places, places, "cityblock"))[1]]
    shares = []
    for c in (0, 1):
        ours, theirs = _rows(one[label == c]), _rows(two[other == c])
        shares.append((ours & theirs).total() / max(ours.total(), theirs.total()))
    return min(shares)


def _scaled(data: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale the columns to [0, 1]."""
    return (data - data.min(axis=0)) / np.ptp(data, axis=0)


def _profile(data: NDArray[np.float64], label: NDArray[np.int64]) -> NDArray[np.float64]:
    """Take the quantiles and the mean of each column within the classes: a row for each column."""
    levels = np.linspace(0, 1, 101)
    classes = [data[label == c] for c in (0, 1)]
    quantiles = [np.quantile(rows, levels, axis=0) for rows in classes]
    return np.vstack([*quantiles, *(rows.mean(axis=0) for rows in classes)]).T


def _rows(data: NDArray[np.float64]) -> Counter[bytes]:
    """Count the rows, by their values to about 3e-6."""
    return Counter(row.tobytes() for row in np.rint(data / _STEP).astype(np.int64))
