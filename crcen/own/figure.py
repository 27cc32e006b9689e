"""The findings in one figure: what thresholds and weights find, and how true probabilities are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import roc_curve

from crcen.own.findings import Findings
from crcen.own.models import NETWORK
from crcen.weights import imbalance_ratio, lam_from_alpha, prior_shift

BLUE, RED, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#767676"
RARE = 0.05  # share of class 1, below which axes are logarithmic
GROUPS = 10


def draw(f: Findings, axes: Any) -> None:
    """Draw the findings into two axes."""
    left, right = axes
    seen = f.held.part >= 0
    y = f.table.y[seen]
    names = dict.fromkeys([f.best, *({NETWORK} & {*f.held.logits})])
    for name, colour in zip(names, (BLUE, GREEN), strict=False):
        fpr, tpr, _ = roc_curve(y, f.held.logits[name][seen])
        alarms = 1000 * (y.mean() * tpr + (1 - y.mean()) * fpr)
        left.plot(alarms, tpr, color=colour, lw=1.4, label=f"{name}, any threshold")
    if f.held.weighted:
        by_weight = f.weights[f.weights["by"] == "weight"]
        where = by_weight["alarms"], by_weight["recall"]
        left.plot(*where, "D", color=RED, ms=5, label="network, by weight")
    if f.slip is not None and f.recall is not None:
        alarms = 1000 * f.slip.at(f.slip.prevalence).alarms
        left.errorbar(
            alarms,
            f.recall.value,
            [[f.recall.value - f.recall.low], [f.recall.high - f.recall.value]],
            fmt="o",
            color=GREY,
            ms=6,
            capsize=3,
            label="the choice, 95% interval",
        )
    left.set(xlabel="alarms in 1,000 rows", ylabel="recall", ylim=(-0.02, 1.02))
    left.legend(loc="lower right", fontsize="small")
    right.axline((0, 0), (1, 1), color=GREY, lw=1)
    shown = {f.best: (expit(f.held.logits[f.best][seen]), BLUE)}
    if f.held.weighted:
        alpha = min(f.held.weighted, key=lambda a: abs(np.log(a)))
        p = expit(f.held.weighted[alpha][seen])
        lam = lam_from_alpha(alpha, imbalance_ratio(f.table.y))
        shown[f"network, α = {alpha:g}"] = (p, RED)
        shown[f"network, α = {alpha:g}, shifted back"] = (prior_shift(p, 1 - lam), GREEN)
    for name, (p, colour) in shown.items():
        right.plot(*calibration(y, p), "o-", color=colour, ms=4, lw=1.2, label=name)
    right.set(xlabel="predicted probability", ylabel="share of class 1")
    right.legend(loc="upper left", fontsize="small")
    if y.mean() < RARE:
        left.set(xscale="log", xlim=(1000 / y.size, 1100))
        right.set(xscale="log", yscale="log")


def calibration(
    y: NDArray[np.int64], p: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute mean probability and share of class 1 of groups with equally many rows of class 1."""
    edges = np.quantile(p[y == 1], np.arange(1, GROUPS) / GROUPS)
    group = np.searchsorted(edges, p, side="right")
    n = np.bincount(group, minlength=GROUPS)
    there = n > 0
    mean, share = (np.bincount(group, v, minlength=GROUPS)[there] / n[there] for v in (p, y))
    return mean, share


def describe(f: Findings) -> str:
    """Say in words what the figure shows, for those who do not see it."""
    chosen = ""
    if f.recall is not None and f.slip is not None:
        alarms = 1000 * f.slip.at(f.slip.prevalence).alarms
        chosen = f" The choice stands at a recall of {f.recall.value:.2f} and {alarms:.0f} alarms."
    weighted = ", with the weighted networks as points" if f.held.weighted else ""
    shifted = ", and for a weighted network before and after shifting back" if weighted else ""
    return (
        f"Left, the recall of {f.best} over the alarms in 1,000 rows{weighted}.{chosen} Right, the "
        f"share of class 1 over the predicted probability of {f.best}{shifted}."
    )
