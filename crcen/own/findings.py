"""What held-out answers say: which model, which threshold, at what price, and its probabilities.

Everything that a page shows is computed here, and every sentence follows from the numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import beta, chi2, norm
from sklearn.metrics import average_precision_score, roc_auc_score

from crcen.auditing import Audit, audit
from crcen.choice import choose_lam
from crcen.own.models import NETWORK, HeldOut, log_losses, others
from crcen.own.table import Table
from crcen.ranking import Area, area
from crcen.slip import Slip, promise
from crcen.weights import imbalance_ratio, lam_from_alpha

Floats = NDArray[np.float64]
Wish = dict[str, float]

SURE = 1.96  # standard errors


class Interval(NamedTuple):
    """A share and its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Trial(NamedTuple):
    """The choice made again without each part of the rows, and counted on that part.

    Attributes
    ----------
    parts : DataFrame
        A row for each part: model and threshold that the others choose, and what they find.
    chance : float
        Of a recall this low or lower, if the one wished for holds; nan if the wish is another.
    spread : float
        Chance of parts whose recalls differ so much or more, if one recall holds in all of them.
    """

    parts: pd.DataFrame
    chance: float
    spread: float


class Findings(NamedTuple):
    """What a report tells.

    Attributes
    ----------
    table : Table
        The rows.
    held : HeldOut
        What the models say of rows that they were not trained on.
    wish : dict
        What was asked for, as of `crcen.choose_lam`.
    models : DataFrame
        A row for each model, the constant first: how good its probabilities and its ranking are.
    best : str
        Of the models that rank better than chance, if there are any, that of the least log loss.
    better : Interval
        How much less log loss it has than the constant, as a share of the constant's.
    area : Area
        Under its ROC curve.
    useful : bool
        Whether that is more than chance gives. If not, nothing is promised.
    slip : Slip or None
        The choice from all held-out rows.
    recall, specificity : Interval or None
        Of that choice; rows of one group count as one as far as they are alike.
    trial : Trial or None
        What becomes of a choice on other rows.
    weights : DataFrame
        The network at several weights, and the plain network at the thresholds that match.
    audit : Audit
        Of the best model's probabilities.
    ones : int
        Rows of class 1 among those held out.
    """

    table: Table
    held: HeldOut
    wish: Wish
    models: pd.DataFrame
    best: str
    better: Interval
    area: Area
    useful: bool
    slip: Slip | None
    recall: Interval | None
    specificity: Interval | None
    trial: Trial | None
    weights: pd.DataFrame
    audit: Audit
    ones: int


def find(table: Table, held: HeldOut, **wish: float) -> Findings:
    """Find out what held-out answers say.

    Parameters
    ----------
    table : Table
        The rows.
    held : HeldOut
        The models' logits, of `crcen.own.models.hold_out`.
    **wish : float
        As of `crcen.choose_lam`, one or several.

    Returns
    -------
    Findings
        What a report tells.

    Raises
    ------
    ValueError
        As for `crcen.choose_lam`: if the wish cannot be kept with so few rows.
    """
    seen = held.part >= 0
    y = table.y[seen]
    logits = {name: o[seen] for name, o in held.logits.items()}
    choose_lam(y, y, **wish, scores="logits")  # tells now if the wish is none or too much
    losses = {name: log_losses(o, table.y) for name, o in held.logits.items()}
    groups = None if table.groups is None else table.groups[seen]
    # Each interval allows for the others: the best of several is asked about.
    ranked = {name: area(o, y, groups, level=1 - 0.05 / len(logits)) for name, o in logits.items()}
    ranking = [name for name in logits if ranked[name].low > 0.5]
    best = min(ranking or logits, key=lambda name: losses[name][seen].mean())
    constant = _constant(table, held)
    gain = constant[seen] - losses[best][seen]
    mean, error = gain.mean(), _error(gain, table, seen)
    off = np.array([0.0, -SURE, SURE]) * error
    better = Interval(*((mean + off) / constant[seen].mean()))
    useful = best in ranking
    p = expit(logits[best])
    slip = promise(p, y, **wish, scores="probabilities") if useful else None
    recall = specificity = None
    if slip:
        found = p > slip.threshold
        recall, specificity = (
            _share(found[y == 1], table, seen, 1),
            _share(~found[y == 0], table, seen, 0),
        )
    return Findings(
        table,
        held,
        wish,
        _models(table, held, constant, losses, best),
        best,
        better,
        ranked[best],
        useful,
        slip,
        recall,
        specificity,
        _trial(table, held, losses, wish) if useful else None,
        _weights(table, held),
        audit(y, p),
        int(y.sum()),
    )


def _constant(table: Table, held: HeldOut) -> Floats:
    """Compute the log loss of the best constant, a value a row; by time, of the share so far."""
    losses = np.full(table.y.size, np.nan)
    for k in range(held.part.max() + 1):
        of = held.part == k
        share = table.y[held.part < k].mean() if table.times is not None else table.y.mean()
        losses[of] = np.where(table.y[of] == 1, -np.log(share), -np.log1p(-share))
    return losses


def _error(values: Floats, table: Table, seen: NDArray[np.bool_]) -> float:
    """Compute the standard error of a mean; rows of one group are not independent."""
    if table.groups is None:
        return float(values.std(ddof=1) / np.sqrt(values.size))
    off = pd.Series(values - values.mean()).groupby(table.groups[seen]).sum()
    return float(np.sqrt((off**2).sum() * off.size / max(off.size - 1, 1)) / values.size)


def _share(found: NDArray[np.bool_], table: Table, seen: NDArray[np.bool_], label: int) -> Interval:
    """Count a share, with the interval of Clopper and Pearson.

    With groups, of as many independent rows as would have the standard error that the groups show
    (Korn and Graubard, 1998), and of no more than there are.
    """
    n, k = found.size, int(found.sum())
    share = k / n
    rows = n / _alike(found.astype(np.float64), table, seen & (table.y == label))
    a, b = share * rows, (1 - share) * rows
    low = float(beta.ppf(0.025, a, b + 1)) if k else 0.0
    high = float(beta.ppf(0.975, a + 1, b)) if k < n else 1.0
    return Interval(share, low, high)


def _alike(found: Floats, table: Table, of: NDArray[np.bool_]) -> float:
    """Compute the design effect of groups, at least 1: how much the variance of a share grows."""
    share = found.mean()
    if table.groups is None or not 0 < share < 1:
        return 1.0
    return max(1.0, _error(found, table, of) ** 2 * found.size / (share * (1 - share)))


def _models(
    table: Table, held: HeldOut, constant: Floats, losses: dict[str, Floats], best: str
) -> pd.DataFrame:
    seen = held.part >= 0
    y = table.y[seen]
    worst = constant[seen].mean()
    rows: list[dict[str, Any]] = [{"model": "constant", "log loss": worst, "removed": 0.0}]
    for name, o in held.logits.items():
        more = losses[name][seen] - losses[best][seen]
        rows.append(
            {
                "model": name,
                "log loss": losses[name][seen].mean(),
                "removed": 1 - losses[name][seen].mean() / worst,
                "more": more.mean(),
                "error": np.nan if name == best else _error(more, table, seen),
                "area": roc_auc_score(y, o[seen]),
                "precision": average_precision_score(y, o[seen]),
                "Brier": float(((expit(o[seen]) - y) ** 2).mean()),
            }
        )
    return pd.DataFrame(rows)


def _trial(table: Table, held: HeldOut, losses: dict[str, Floats], wish: Wish) -> Trial | None:
    """Choose model and threshold without each part, and count on that part."""
    ordered = table.times is not None
    rows = []
    decided = np.full(table.y.size, np.nan)
    for k in range(int(ordered), held.part.max() + 1):
        elsewhere, of = others(held.part, k, ordered), held.part == k
        best = min(held.logits, key=lambda name: losses[name][elsewhere].mean())
        o, y = held.logits[best], table.y
        try:
            choice = choose_lam(o[elsewhere], y[elsewhere], **wish, scores="logits")
        except ValueError:  # too few rows elsewhere for the wish
            continue
        cut = -logit(choice.lam)  # p above 1 - lambda
        found = o > cut
        decided[of] = found[of]
        rows.append(
            {
                "part": k + 1,
                "model": best,
                "threshold": expit(cut),
                "chosen on": int(y[elsewhere].sum()),
                "minority": int(y[of].sum()),
                "found": int(found[of & (y == 1)].sum()),
                "majority": int((1 - y[of]).sum()),
                "accused": int(found[of & (y == 0)].sum()),
            }
        )
    if not rows:
        return None
    of = (table.y == 1) & np.isfinite(decided)
    return _told(pd.DataFrame(rows), _alike(decided[of], table, of), wish, ordered)


def _told(parts: pd.DataFrame, alike: float, wish: Wish, ordered: bool) -> Trial:
    r"""Say how rare these counts are if one recall r holds in all parts.

    The recall that n_k rows have where m_k others put it differs from r with a variance of
    :math:`r(1-r)(1/n_k + 1/m_k)`, times what rows of a group are alike. By time the differences are
    independent; otherwise they add up to nothing, which makes their squares K/(K - 1) times as
    large.
    """
    parts = parts[parts["minority"] > 0]
    n, m, found = (parts[c].to_numpy(float) for c in ("minority", "chosen on", "found"))
    r = found.sum() / n.sum()
    low = np.nan
    if "recall" in wish:
        R = wish["recall"]
        error = np.sqrt(R * (1 - R) * (n + n**2 / m).sum() * alike)
        low = norm.cdf((found.sum() + 0.5 - R * n.sum()) / error)
    if not 0 < r < 1 or n.size < 2:
        return Trial(parts, float(low), 1.0)
    squares = ((found / n - r) ** 2 / (r * (1 - r) * (1 / n + 1 / m) * alike)).sum()
    if not ordered:
        squares *= (n.size - 1) / n.size
    return Trial(parts, float(low), float(chi2.sf(squares, n.size - 1)))


def _weights(table: Table, held: HeldOut) -> pd.DataFrame:
    """Compare the network at each weight with the plain one at the threshold 1 - lambda."""
    seen = held.part >= 0
    y, ratio = table.y[seen], imbalance_ratio(table.y)
    rows = []
    for alpha, o in held.weighted.items():
        ways = {
            "weight": o[seen] > 0,
            "threshold": held.logits[NETWORK][seen] > -np.log(alpha * ratio),
        }
        p = expit(o[seen])
        one, zero = 1 - p[y == 1].mean(), p[y == 0].mean()
        rows += [
            {
                "alpha": alpha,
                "lam": lam_from_alpha(alpha, ratio),
                "by": way,
                "recall": found[y == 1].mean(),
                "specificity": 1 - found[y == 0].mean(),
                "alarms": 1000 * found.mean(),
                "right": y[found].mean() if found.any() else np.nan,
                "key": alpha * one / zero if way == "weight" and zero else np.nan,
            }
            for way, found in ways.items()
        ]
    return pd.DataFrame(rows)
