"""The findings in sentences and tables, of plain text: whoever shows them escapes it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from crcen.own.findings import SURE, Findings
from crcen.own.models import NETWORK

LITTLE = 0.05  # a chance below which something is said to be wrong


class Shown(NamedTuple):
    """A table to be shown: a title, what is to be known of it, and cells of text."""

    title: str
    note: str
    cells: pd.DataFrame


def answer(f: Findings) -> list[str]:
    """Say what to do, what it costs, and whether to trust the probabilities."""
    positive = f"{f.table.labels[1]!r}"
    if f.slip is None or f.recall is None or f.specificity is None:
        return [
            f"No model here tells more of {positive} than its share of the rows does: the best, "
            f"{f.best}, removes {f.better.value:.1%} of the constant's log loss on rows held out "
            f"(95% interval {f.better.low:.1%} to {f.better.high:.1%}). So no threshold and no "
            "weight is given, for nothing that is promised of them would hold.",
            "Collect more rows or columns that know of the outcome.",
        ]
    now = f.slip.at(f.slip.prevalence)
    lam = f.slip.choice.lam
    cut = 1 - lam
    first = (
        f"Use {f.best} and call a row {positive} where its probability is above {_small(cut)}: of "
        f"rows held out, that finds {f.recall.value:.1%} of {positive} (95% interval "
        f"{f.recall.low:.1%} to {f.recall.high:.1%}), with {1000 * now.alarms:.0f} alarms in 1,000 "
        f"rows, of which {now.precision:.0%} are right."
    )
    if now.alarms > 0.5:
        first += (
            " More than half of all rows would be called: this wish is dear with what the columns "
            "know."
        )
    second = (
        f"A model trained with lambda = {_small(lam)}, a {positive} row counted "
        f"{_times(lam / (1 - lam))} times, stands for the same trade at the threshold 1/2; a "
        "threshold can be changed without training again."
    )
    return [first, second, _trust(f), *_tried(f)]


def _trust(f: Findings) -> str:
    found, line = f.audit, f.audit.line
    n = int((f.held.part >= 0).sum())
    low, high = found.interval()
    sums = f"they announce {found.announced:.0f} rows of {f.table.labels[1]!r} among {n}, and there are {_ones(f)}"
    apart = np.isfinite(line.slope) and abs(line.slope - 1) > SURE * line.slope_error
    if low <= 0.5 <= high and not apart:
        return f"Its probabilities can be taken as they are: {sums}."
    wrong = []
    if not low <= 0.5 <= high:
        wrong.append(
            f"they are those of another share of {f.table.labels[1]!r} (an audit finds lambda = "
            f"{found.lam:.3f}, 95% interval {low:.3f} to {high:.3f})"
        )
    if apart:
        how = "too sure of themselves" if line.slope < 1 else "too timid"
        wrong.append(
            f"they are {how} (Platt's slope {line.slope:.2f} ± {SURE * line.slope_error:.2f})"
        )
    return f"Do not report its probabilities as they are: {'; and '.join(wrong)}; {sums}."


def _ones(f: Findings) -> int:
    return int(f.table.y[f.held.part >= 0].sum())


def _tried(f: Findings) -> list[str]:
    if f.trial is None:
        return ["There are too few rows to try the choice on others."]
    parts = f.trial.parts
    found, n = int(parts["found"].sum()), int(parts["minority"].sum())
    shares = parts["found"] / parts["minority"].where(parts["minority"] > 0)
    by = "later" if f.table.times is not None else "other"
    said = (
        f"Chosen again without each part of the rows and tried on it, {found} of {n} are found, "
        f"{shares.min():.0%} to {shares.max():.0%} by part"
    )
    wrong = []
    if f.trial.chance < LITTLE:
        wrong.append(f"fewer than the {f.wish['recall']:.0%} wished for, beyond chance")
    if f.trial.spread < LITTLE:
        wrong.append("the parts differ by more than chance")
    if wrong:
        return [f"{said}: {', and '.join(wrong)}. Do not rely on the promise for {by} rows."]
    return [f"{said}, which is no more than chance."]


def shown(f: Findings) -> list[Shown]:
    """Lay the findings out in tables."""
    t = f.table
    n1, n0 = int(t.y.sum()), int((1 - t.y).sum())
    rows = pd.DataFrame(
        {
            "table": [t.name],
            "rows": [f"{len(t.y):,}"],
            "columns used": [str(t.X.shape[1])],
            "class 1": [t.labels[1]],
            "N₁": [f"{n1:,}"],
            "class 0": [t.labels[0]],
            "N₀": [f"{n0:,}"],
            "IR": [f"{n0 / n1:.2f}"],
            "balancing λ": [f"{n0 / (n0 + n1):.4f}"],
        }
    )
    notes = []
    if t.without:
        notes.append(f"{t.without:,} rows without a label are left out.")
    if t.groups is not None:
        notes.append(f"Rows of one of {np.unique(t.groups).size:,} groups stay together.")
    if t.times is not None:
        notes.append(
            f"Models learn from the past; the first {int((f.held.part < 0).sum()):,} rows only serve to learn from."
        )
    if t.weights is not None:
        notes.append("Rows count in training as their weights say; what is counted are rows.")
    if f.held.trained_on < (f.held.part >= 0).sum() * 0.75 and t.times is None:
        notes.append(
            f"Models are trained on a sample of {f.held.trained_on:,} rows that stands for all, and asked about every row."
        )
    columns = pd.DataFrame([c._asdict() for c in t.columns])
    models = f.models.assign(
        **{
            "log loss": f.models["log loss"].map("{:.4f}".format),
            "removed": f.models["removed"].map("{:.1%}".format),
            "more": [
                "" if not np.isfinite(e) else f"{m:.4f} ± {SURE * e:.4f}"
                for m, e in zip(f.models["more"], f.models["error"], strict=True)
            ],
            **{c: f.models[c].map(_or_empty) for c in ("area", "precision", "Brier")},
        }
    ).drop(columns="error")
    models.columns = [
        *("model", "log loss", "of the constant's removed", "more than the best"),
        *("area under ROC", "average precision", "Brier score"),
    ]
    weights = f.weights.assign(
        alpha=f.weights["alpha"].map("{:g}".format),
        lam=f.weights["lam"].map("{:.4f}".format),
        by=f.weights["by"].map({"weight": "trained with λ", "threshold": "plain, p > 1 − λ"}),
        recall=f.weights["recall"].map("{:.3f}".format),
        specificity=f.weights["specificity"].map("{:.3f}".format),
        alarms=f.weights["alarms"].map("{:.0f}".format),
        right=f.weights["right"].map(_or_empty),
        key=f.weights["key"].map(_or_empty),
    )
    weights.columns = [
        *("α", "λ", "network", "recall", "specificity", "alarms in 1,000"),
        *("precision", "α(1 − p̄₁)/p̄₀"),
    ]
    tables = [Shown("The rows", " ".join(notes), rows)]
    tables.append(
        Shown(
            "The models, on rows that they were not trained on",
            "± is 1.96 standard errors of the difference, row by row.",
            models,
        )
    )
    if f.trial is not None:
        parts = f.trial.parts.assign(
            threshold=f.trial.parts["threshold"].map(_small),
            recall=(f.trial.parts["found"] / f.trial.parts["minority"]).map(_or_empty),
        )
        parts = parts.astype(str)[
            ["part", "model", "threshold", "minority", "found", "recall", "majority", "accused"]
        ]
        about = (
            ""
            if t.times is not None
            else (
                " Over all parts together the recall is near the wish by construction, since each row "
                "is both chosen with and tried on; what can fail is seen between the parts."
            )
        )
        tables.append(
            Shown("The choice, tried", f"Each part is decided by what others chose.{about}", parts)
        )
    tables.append(
        Shown(
            "Weight or threshold",
            f"The network at three weights, and the plain {NETWORK} at the thresholds that match. "
            "The last column is 1 where the key equation holds on rows held out.",
            weights,
        )
    )
    tables.append(Shown("The columns", "What became of each.", columns))
    return tables


def _or_empty(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else ""


def _small(value: float) -> str:
    return f"{value:.3g}" if value < 0.999 else f"{value:.6g}"


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
