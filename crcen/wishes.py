r"""What a wish makes of held-out rows: bounds on alpha, and what to say if they contradict.

Decisions are for the minority where :math:`r > -\log\alpha`, so that all that a wish asks is on
which side of some value alpha has to lie; only a precision may come and go as alpha rises.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv
from scipy.stats import binom

from crcen.validation import Values

# The boundary stands this far from a row at least: more than rounding in lambda can move it, less
# than matters.
HAIR = 1e-6
# A precision is tested first of that many alarms or more, and then of each thousandth more.
FEWEST, FINE = 8, 10_000


class Rows(NamedTuple):
    """Held-out rows, and what each wish makes of them.

    Attributes
    ----------
    r : ndarray of shape (n,)
        Log-likelihood ratios.
    minority : ndarray of bool
        Which rows are of the minority.
    ratio : float
        IR = N0/N1.
    confidence : float or None
        With which a recall and a precision are to be kept.
    """

    r: Values
    minority: NDArray[np.bool_]
    ratio: float
    confidence: float | None

    def choose(self, given: dict[str, float]) -> float:
        """Choose alpha within the bounds of all wishes."""
        floor = self.at_recall(given["recall"]) if "recall" in given else 0.0
        ceilings = {}
        if "capacity" in given:
            ceilings["capacity"] = self.at_capacity(given["capacity"])
        if "expense" in given:
            ceilings["expense"] = given["expense"] / self.ratio
        tightest = min(ceilings, key=lambda name: ceilings[name], default="")
        ceiling = ceilings.get(tightest, np.inf)
        if floor > ceiling:
            raise self.contradiction(given, tightest, floor, ceiling)
        low = min(self.middle(floor), ceiling) if "recall" in given else floor
        high = max(self.middle(ceiling), low) if tightest == "capacity" else ceiling
        if "cost_ratio" in given:
            aim = min(max(given["cost_ratio"] / self.ratio, low), high)
        else:
            aim = low if "recall" in given else high
        if "precision" not in given:
            return aim
        exactly = self.confidence is None and 0 < aim < np.inf
        alphas, least = self.precisions([aim] if exactly else [])
        kept = least >= given["precision"]
        inside = alphas[kept & (alphas >= floor) & (alphas <= ceiling)]
        if not inside.size:
            raise self.imprecise(given, tightest, (floor, ceiling), alphas, least)
        apart = np.abs(np.log(inside) - np.log(min(aim, inside.max())))
        return float(inside[apart.argmin()])

    def at_recall(self, recall: float) -> float:
        """Compute the least alpha that keeps a recall."""
        k = _row(int(self.minority.sum()), recall, self.confidence)
        return _alpha(np.sort(self.r[self.minority])[k - 1] - HAIR)

    def at_capacity(self, capacity: float) -> float:
        """Compute the greatest alpha that keeps a capacity."""
        n = self.r.size
        flagged = min(int(capacity * (n + 1) + 1e-9), n) - 1
        if flagged < 0:
            raise ValueError(
                f"capacity={capacity!r} is less than one row of {n}: hold out more rows, or wish "
                f"for {1 / (n + 1):.2g} or more."
            )
        return _alpha(np.sort(self.r)[n - 1 - flagged] + HAIR)

    def middle(self, alpha: float) -> float:
        """Move alpha to the middle of those that decide all rows as it does.

        Bounds stay: a boundary for a recall moves down, and one for a capacity up, and in neither
        case beyond the next row, which a share with an exact bound allows for. Where rows lie
        close together this is nothing; on classes that do not overlap it is the whole gap.
        """
        with np.errstate(divide="ignore"):
            cut = -np.log(alpha)
        above, below = self.r[self.r > cut], self.r[self.r <= cut]
        if not above.size or not below.size or above.min() - below.max() < 2 * HAIR:
            return alpha
        return _alpha((above.min() + below.max()) / 2)

    def precisions(self, more: list[float]) -> tuple[Values, Values]:
        """List alphas, `more` among them, and the least precision that can be said of each."""
        rising, of_minority, n = np.sort(self.r), np.sort(self.r[self.minority]), self.r.size
        counts = np.arange(1, n)
        if self.confidence is not None:
            counts = np.unique(np.geomspace(1, n - 1, FINE).round().astype(int))
        at = np.append(rising[n - 1 - counts] + HAIR, -np.log(more))  # barely above the next row
        alarms = n - np.searchsorted(rising, at, "right")  # fewer than counted if rows tie
        right = of_minority.size - np.searchsorted(of_minority, at, "right")
        if self.confidence is None:
            least = np.divide(right, alarms, out=np.zeros(at.size), where=alarms > 0)
        else:
            starts = np.searchsorted(counts, _starts(n))
            least = _sure(right, alarms, starts, 1 - self.confidence)
        with np.errstate(over="ignore"):
            alphas = np.append(np.exp(-at[: counts.size]), more)
        usable = (alphas > 0) & np.isfinite(alphas)
        return alphas[usable], least[usable]

    def contradiction(
        self, given: dict[str, float], name: str, floor: float, ceiling: float
    ) -> ValueError:
        """Say that a recall and a ceiling contradict each other, and what is possible."""
        alarms = int((self.r > -np.log(floor)).sum())
        if name == "capacity":
            takes, most = f"takes {alarms / self.r.size:.1%} of the rows", 1.0
            needed = (alarms + 1) / (self.r.size + 1)
        else:
            needed, most = floor * self.ratio, np.inf
            takes = f"lets the last row found cost {needed:.3g} false alarms"
        remedies = self.lower_recall(ceiling)
        if needed < most and float(enough := _rounded(needed, up=True)) < most:
            remedies.append(f"{name}={enough} or more")
        return ValueError(
            f"recall={given['recall']!r} {takes}, more than {name}={given[name]!r}: wish for "
            f"{', or '.join(remedies) or 'one of them'}."
        )

    def imprecise(
        self,
        given: dict[str, float],
        name: str,
        bounds: tuple[float, float],
        alphas: Values,
        least: Values,
    ) -> ValueError:
        """Say that a precision cannot be had, alone or with other wishes, and what is possible."""
        precise = alphas[least >= given["precision"]]
        from_below, from_above = alphas >= bounds[0], alphas <= bounds[1]
        others = [other for other in ("recall", name) if other in given]
        if not precise.size:
            others = []
        elif precise.max() < bounds[0]:
            others = ["recall"]
        elif precise.min() > bounds[1]:
            others = [name]
        remedies = []
        best = least[from_below & from_above].max(initial=0)
        if best > 0:
            remedies.append(f"precision={_rounded(best, up=False)} or less")
        lower = precise[precise <= bounds[1]]
        if "recall" in others and lower.size:
            remedies += self.lower_recall(lower.max())
        keeps = " and ".join(f"{other}={given[other]!r}" for other in others)
        sure = "" if self.confidence is None else f", confidence={self.confidence!r}"
        return ValueError(
            f"precision={given['precision']!r}{sure} is kept by no threshold here"
            f"{f' that keeps {keeps}' if keeps else ''}: wish for "
            f"{', or '.join([*remedies, 'hold out more rows'])}."
        )

    def lower_recall(self, alpha: float) -> list[str]:
        """Name the greatest recall that could be wished for at an alpha, if there is one."""
        n = int(self.minority.sum())
        found = int((self.r[self.minority] > -np.log(alpha)).sum()) if alpha > 0 else 0
        if not found:
            return []
        most = found / (n + 1)
        if self.confidence is not None:
            most = float(betaincinv(found, n - found + 1, 1 - self.confidence))
        return [f"recall={_rounded(most, up=False)} or less"] if most > 0 else []


def _row(n: int, recall: float, confidence: float | None) -> int:
    """Count, from below, to the minority row at which the boundary is to stand."""
    if confidence is None:
        k = min(int((1 - recall) * (n + 1) + 1e-9), n)  # 0.1 * 10 must not become 0
        least = int(np.ceil(recall / (1 - recall) - 1e-9))
    else:
        k = int((binom.sf(np.arange(n), n, 1 - recall) >= confidence).sum())
        least = int(np.ceil(np.log(1 - confidence) / np.log(recall)))
    if k < 1:
        raise ValueError(
            f"recall={recall!r}, confidence={confidence!r} cannot be promised from {n} minority "
            f"rows, it takes {least}: wish for less, or hold out more rows."
        )
    return k


def _starts(n: int) -> list[int]:
    """List the numbers of alarms of n rows at which tests of a precision start."""
    halves = [n >> k for k in range(1, n.bit_length())]
    return [m for m in halves if m >= FEWEST] or [n // 2]


def _sure(
    right: NDArray[np.int_], alarms: NDArray[np.int_], starts: NDArray[np.int_], error: float
) -> Values:
    """Bound the precision of ever more alarms from below, all at once.

    Fixed sequences from several starts: each goes on to more alarms, and at each number of them
    stands the least limit of Clopper and Pearson that the sequence has met so far.
    """
    limit, least = np.zeros(right.size), np.zeros(right.size)
    some = right > 0
    limit[some] = betaincinv(right[some], (alarms - right + 1)[some], error / starts.size)
    for start in starts:
        least[start:] = np.maximum(least[start:], np.minimum.accumulate(limit[start:]))
    return least


def _alpha(boundary: float) -> float:
    """Compute the alpha whose decisions change at a log-likelihood ratio."""
    with np.errstate(over="ignore"):
        return float(np.exp(-boundary))


def _rounded(value: float, up: bool) -> str:
    """Write a number in three digits, on the side that keeps what is said of it."""
    scale = 10.0 ** (2 - np.floor(np.log10(value)))
    return f"{(np.ceil if up else np.floor)(value * scale) / scale:.3g}"
