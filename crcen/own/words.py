"""The findings in sentences and tables, of plain text: whoever shows them escapes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crcen.own.columns import APART
from crcen.own.findings import SURE, Findings
from crcen.own.models import NETWORK
from crcen.reading import few

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
            f"Nothing here tells {positive} from the rest: of rows held out, {_the(f.best)}, best "
            f"of the models, ranks one of {positive} above another in {f.area.value:.1%} of pairs "
            f"(95% interval for the best of {len(f.held.logits)}: {f.area.low:.1%} to "
            f"{f.area.high:.1%}); chance does so in half. So no threshold and no weight is given: "
            "nothing that is promised of them would hold.",
            "Collect more rows, or columns that know of the outcome.",
        ]
    now = f.slip.at(f.slip.prevalence)
    lam = f.slip.choice.lam
    cut = 1 - lam
    first = (
        f"Use {_the(f.best)} and call a row {positive} where its probability is above "
        f"{_small(cut)}: of rows held out, that finds {f.recall.value:.1%} of {positive} (95% "
        f"interval {f.recall.low:.1%} to {f.recall.high:.1%}), with {1000 * now.alarms:.0f} alarms "
        f"in 1,000 rows, of which {_percent(now.precision)} are right; the same trade at 1/2 is "
        f"that of a model trained with lambda = {_small(lam)}, a {positive} row counted "
        f"{_times(lam / (1 - lam))} times."
    )
    if now.alarms > 0.5:
        first += (
            " More than half of all rows would be called: this wish is dear with what the columns "
            "know."
        )
    return [first, *_apart(f), _trust(f), *_tried(f)]


def _apart(f: Findings) -> list[str]:
    """Ask for what may be the outcome in disguise."""
    names = [column.name for column in f.table.columns if APART in column.note]
    if not names:
        return []
    return [
        f"First ask of {few(names)} whether it is known before the outcome: it tells the classes "
        "apart all by itself. If it is not known, this answer is worth nothing: leave it out, "
        "--drop."
    ]


def _trust(f: Findings) -> str:
    found, line = f.audit, f.audit.line
    low, high = found.interval()
    sums = (
        f"they announce {found.announced:.0f} rows of {f.table.labels[1]!r}, and there are {f.ones}"
    )
    apart = np.isfinite(line.slope) and abs(line.slope - 1) > SURE * line.slope_error
    wrong = []
    if f.better.value <= 0:
        wrong.append(f"they say less than the share of {f.table.labels[1]!r} alone does")
    if not low <= 0.5 <= high and abs(found.announced - f.ones) >= 1:
        wrong.append(
            f"they are those of another share of {f.table.labels[1]!r} (an audit finds lambda = "
            f"{found.lam:.3f}, 95% interval {low:.3f} to {high:.3f})"
        )
    if apart:
        how = "too sure of themselves" if line.slope < 1 else "too timid"
        wrong.append(
            f"they are {how} (Platt's slope {line.slope:.2f} ± {SURE * line.slope_error:.2f})"
        )
    if not wrong:
        return f"Its probabilities can be taken as they are: {sums}."
    return f"Do not report its probabilities as they are: {'; and '.join(wrong)}; {sums}."


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
    return [f"{said}; chance alone makes parts as different as that."]


def shown(f: Findings) -> list[Shown]:
    """Lay the findings out in tables."""
    tables = [_rows(f), _models(f), _trial(f), _weights(f), _columns(f)]
    return [table for table in tables if table is not None]


def _rows(f: Findings) -> Shown:
    t = f.table
    n1, n0 = int(t.y.sum()), int((1 - t.y).sum())
    only = int((f.held.part < 0).sum())
    notes = {
        f"{t.without:,} rows without a label are left out.": t.without,
        f"{t.copies:,} rows are as others in all that is learnt from and in class; if they are "
        "copies, leave them out: a model that saw a row knows its copy.": t.copies,
        f"Rows of one group stay together; there are {_groups(t.groups):,}.": t.groups is not None,
        f"Models learn from the past; the first {only:,} rows only serve to learn from.": only,
        "Rows count in training as their weights say; counted are rows.": t.weights is not None,
        f"Models learn from a sample of {f.held.trained_on:,} rows that stands for all, and are "
        "asked about every row.": f.held.sampled,
    }
    cells = {
        "table": t.name,
        "rows": f"{len(t.y):,}",
        "columns used": t.X.shape[1],
        "class 1": t.labels[1],
        "N₁": f"{n1:,}",
        "class 0": t.labels[0],
        "N₀": f"{n0:,}",
        "IR": f"{n0 / n1:.2f}",
        "balancing λ": f"{n0 / (n0 + n1):.4f}",
    }
    return Shown("The rows", _said(notes), pd.DataFrame([cells]))


def _models(f: Findings) -> Shown:
    m = f.models
    more = [
        f"{more:.4f} ± {SURE * error:.4f}" if np.isfinite(error) else ""
        for more, error in zip(m["more"], m["error"], strict=True)
    ]
    cells = {
        "model": m["model"],
        "log loss": m["log loss"].map("{:.4f}".format),
        "of the constant's removed": m["removed"].map("{:.1%}".format),
        "more than the best": more,
        "area under ROC": m["area"].map(_or_empty),
        "average precision": m["precision"].map(_or_empty),
        "Brier score": m["Brier"].map(_or_empty),
    }
    note = "± is 1.96 standard errors of the difference, row by row."
    if NETWORK not in f.held.logits:
        note += " A network takes PyTorch: pip install 'crcen[networks]'."
    return Shown("The models, on rows held out", note, pd.DataFrame(cells))


def _trial(f: Findings) -> Shown | None:
    if f.trial is None:
        return None
    parts = f.trial.parts
    cells = {
        "part": parts["part"],
        "model": parts["model"],
        "threshold": parts["threshold"].map(_small),
        "class 1": parts["minority"],
        "found": parts["found"],
        "recall": (parts["found"] / parts["minority"]).map(_or_empty),
        "class 0": parts["majority"],
        "accused": parts["accused"],
    }
    notes = {
        "Each part is decided by what the others chose.": f.table.times is None,
        "Over all parts together the recall is near the wish by construction, since each row is "
        "both chosen with and tried on; what can fail is seen between the parts.": f.table.times
        is None,
        "Each part is decided by what earlier ones chose.": f.table.times is not None,
    }
    return Shown("The choice, tried", _said(notes), pd.DataFrame(cells))


def _weights(f: Findings) -> Shown | None:
    w = f.weights
    if w.empty:
        return None
    cells = {
        "α": w["alpha"].map("{:g}".format),
        "λ": w["lam"].map("{:.4f}".format),
        NETWORK: w["by"].map({"weight": "trained with λ", "threshold": "plain, p > 1 − λ"}),
        "recall": w["recall"].map("{:.3f}".format),
        "specificity": w["specificity"].map("{:.3f}".format),
        "alarms in 1,000": w["alarms"].map("{:.0f}".format),
        "precision": w["right"].map(_or_empty),
        "α(1 − p̄₁)/p̄₀": w["key"].map(_or_empty),
    }
    note = (
        f"The {NETWORK} at several weights, and without one at the thresholds that match. The last "
        "column is 1 where the key equation holds on rows held out."
    )
    return Shown("Weight or threshold", note, pd.DataFrame(cells))


def _columns(f: Findings) -> Shown:
    cells = pd.DataFrame([column._asdict() for column in f.table.columns])
    return Shown("The columns", "What became of each.", cells)


def _groups(groups: NDArray[np.int64] | None) -> int:
    return 0 if groups is None else np.unique(groups).size


def _said(notes: Mapping[str, object]) -> str:
    return " ".join(note for note, holds in notes.items() if holds)


def _the(model: str) -> str:
    return f"the {model}" if model == NETWORK else model


def _or_empty(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else ""


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.2%}"


def _small(value: float) -> str:
    return f"{value:.3g}" if value < 0.999 else f"{value:.6g}"


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
