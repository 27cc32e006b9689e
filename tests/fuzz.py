"""Call every public function with bad and odd inputs, and report what it does not document.

    python tests/fuzz.py                           a thousand inputs for each function
    python tests/fuzz.py --inputs 100000           the long run
    python tests/fuzz.py --seed 7 --only choose_lam

An input is a good one in which one argument or more is spoilt: another kind, another shape, a value
at the end of a float's range, a number in the middle that is none. A function may answer, or raise
an error that its docstring lists and that names a parameter. It may not raise another, take longer
than five seconds of processor time, or return a nan without a warning; and what it returns has to
pass the check that stands beside it here.
"""

from __future__ import annotations

import argparse
import gzip
import inspect
import os
import re
import secrets
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse
import torch

import crcen
from crcen import auditing, choice, ranking, reading, slip
from crcen.key_equation import fresh_key_equation, mean_probabilities
from crcen.losses import CROSS_ENTROPY, SQUARED_ERROR
from crcen.own.table import read_table
from crcen.prevalence import prevalence
from crcen.row_costs import decide_rows
from crcen.theory import (
    bargains,
    deviations,
    expense,
    guarantees,
    laws,
    left_out,
    multiclass,
    price,
    simulations,
)
from crcen.undecided import triage

SECONDS = 5.0  # of processor time, for one call
Draw = Callable[[np.random.Generator], Any]
Rng = np.random.Generator


class Hang(BaseException):
    """A call that took too long; no handler of errors may swallow it."""


# Good inputs


def between(low: float, high: float) -> Draw:
    return lambda rng: float(rng.uniform(low, high))


def number(rng: Rng) -> float:
    return float(10 ** rng.uniform(-3, 3))


def of(*values: Any) -> Draw:
    return lambda rng: values[rng.integers(len(values))]


def whole(low: int, high: int) -> Draw:
    return lambda rng: int(rng.integers(low, high))


def vector(draw: Draw) -> Draw:
    return lambda rng: [draw(rng) for _ in range(N)]


def maybe(draw: Draw) -> Draw:
    return lambda rng: draw(rng) if rng.random() < 0.5 else None


def labels(rng: Rng) -> Any:
    y = (rng.random(N) < 0.3).astype(int)
    y[:2] = 1, 0
    return y


def matrix(rng: Rng) -> Any:
    return rng.normal(size=(N, 2))


def confusion(rng: Rng) -> Any:
    fp, fn = rng.integers(0, 20, 2)
    return expense.Confusion(int(20 - fp), int(fp), int(fn), int(20 - fn))


def several(k: int) -> Draw:
    return lambda rng: [[confusion(rng) for _ in range(3)] for _ in range(k)]


def softmax(rng: Rng) -> Any:
    return rng.dirichlet(np.ones(3), size=N)


def table(rng: Rng) -> str:
    """Write a table, of which some bytes may be spoilt; return its path."""
    rows = "".join(f"{rng.normal():.3g},{k % 5},{'yes' if k < 25 else 'no'}\n" for k in range(60))
    content = bytearray(b"a,b,y\n" + rows.encode())
    if spoilt := rng.random() < 0.5:
        for _ in range(rng.integers(1, 5)):
            content[rng.integers(len(content))] = rng.integers(256)
    ending = str(rng.choice([".csv", ".csv.gz", ".parquet"]))
    file = Path(tempfile.gettempdir(), f"fuzz-{os.getpid()}{ending}")
    if ending == ".parquet" and not spoilt:
        pd.DataFrame({"a": rng.normal(size=60), "y": ["yes"] * 25 + ["no"] * 35}).to_parquet(file)
        content = bytearray(file.read_bytes())
        if rng.random() < 0.5:
            content[rng.integers(len(content))] = rng.integers(256)
    if ending == ".csv.gz":
        content = bytearray(gzip.compress(bytes(content)))
        if rng.random() < 0.5:
            content[rng.integers(len(content))] = rng.integers(256)
    file.write_bytes(content)
    return str(file)


N = 12
LAM, POSITIVE = between(0.01, 0.99), number
ALPHAS = vector(number)
GENERATOR: Draw = lambda rng: np.random.default_rng(int(rng.integers(100)))  # noqa: E731
TENSOR: Draw = lambda rng: torch.tensor(rng.normal(size=N))  # noqa: E731
TARGETS: Draw = lambda rng: torch.tensor(labels(rng))  # noqa: E731

# Bad and odd ones

NUMBERS = [
    0, 1, -1, 2, True, False, 0.5, -0.5, 1 - 1e-16, 1 + 1e-15, 1e-16, 5e-324, 1e-320, 1e-308,
    1e-300,
    1e300, 1.7e308, -1.7e308, float("inf"), float("-inf"), float("nan"), 2**53 + 1, 2**63, 10**10,
    10**400, np.float16(0.1), np.int8(-128), np.uint64(2**64 - 1), np.longdouble("1e4000"),
    np.bool_(True), Fraction(1, 3), Decimal("0.5"), 1j, np.float32(0.5), -0.0,
]  # fmt: skip
OBJECTS: list[Any] = [
    None, "", "0.9", "balanced", "nan", b"1", (), [], {}, set(), [[]], [None], [[1], [1, 2]],
    object(), len, int, range(3), iter([1]), slice(2), datetime(2026, 1, 1), pd.NA, pd.NaT, ...,
    NotImplemented,
    np.array(3), np.array("x"), np.zeros((0,)), np.zeros((2, 0)), np.zeros((2, 2, 2)),
    np.array([1, 2], dtype="datetime64[s]"), np.array([(1, 2.0)], dtype="i4,f8"),
    np.array([object()]), np.ma.masked_array([1.0, 2], mask=[0, 1]), scipy.sparse.eye(3),
    pd.Series([1, None], dtype="Int64"), pd.DataFrame({"a": [1]}), pd.Categorical(["a", "b"]),
    torch.tensor(1.0), torch.ones(3, requires_grad=True), torch.ones(2, dtype=torch.bfloat16),
    torch.ones(2, dtype=torch.complex64), memoryview(b"ab"), "ä\x00\ud800", ValueError("x"),
]  # fmt: skip
TYPES: list[Any] = [
    np.float16, np.float32, np.longdouble, np.int8, np.uint8, np.uint64, bool, complex, object, str,
]  # fmt: skip


def spoil(value: Any, rng: Rng) -> Any:
    """Make a good value odd."""
    kind = rng.integers(6)
    if kind == 0:
        return OBJECTS[rng.integers(len(OBJECTS))]
    if kind == 1 or np.ndim(_array(value)) == 0:
        return NUMBERS[rng.integers(len(NUMBERS))]
    array = _array(value)
    if kind == 2 and array.size:  # numbers that are odd in it, perhaps all of them
        spoilt = array.astype(object)
        share = rng.choice([1 / array.size, 0.5, 1.0])
        odd = NUMBERS if rng.random() < 0.9 else OBJECTS
        for place in np.flatnonzero(rng.random(array.size) < share):
            spoilt.flat[int(place)] = odd[rng.integers(len(odd))]
        return _quietly(lambda: np.array(spoilt.tolist())) if rng.random() < 0.5 else spoilt
    if kind == 3:
        return _quietly(lambda: array.astype(TYPES[rng.integers(len(TYPES))]))
    if kind == 4:
        shapes = array[:-1], array[..., None], array[None], array.ravel(), array[::-1], array.T
        return shapes[rng.integers(len(shapes))]
    scale = 10.0 ** rng.integers(-320, 309)
    return _quietly(lambda: array * scale) if array.dtype.kind in "fi" else array


def _array(value: Any) -> Any:
    try:
        return np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)
    except Exception:
        return np.asarray(0)


def _quietly(make: Callable[[], Any]) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return make()
        except Exception:  # an odd thing may fail in any way
            return None


# What is called, with which arguments, and what has to hold of the answer


class Case(NamedTuple):
    """A function, how to draw its arguments, and a check that returns what is wrong or ''."""

    call: Callable[..., Any]
    arguments: dict[str, Draw]
    check: Callable[[dict[str, Any], Any], str] = lambda given, found: ""
    documents: Any = None  # whose docstring lists the errors, if not that of `call`
    clean: tuple[str, ...] = ()  # arguments that are not spoilt


def holds(condition: Any, what: str) -> str:
    return "" if condition else what


def is_probability(given: dict[str, Any], p: Any) -> str:
    return holds(((p >= 0) & (p <= 1)).all(), "no probability")


def step_price(given: dict[str, Any], found: float) -> str:
    before, after = (np.asarray(given[k], dtype=float) for k in ("before", "after"))
    without = after[1] <= before[1] and after[2] >= before[2]
    return holds(np.isnan(found) == without, "nan is for steps that add and gain nothing")


def step_prices(given: dict[str, Any], found: Any) -> str:
    counts = np.asarray(given["counts"], dtype=float)
    without = (np.diff(counts[:, 1]) <= 0) & (np.diff(counts[:, 2]) >= 0)
    return holds((np.isnan(found) == without).all(), "nan is for steps that add and gain nothing")


def audit_is_whole(given: dict[str, Any], found: auditing.Audit) -> str:
    (y, p), (low, high) = (np.asarray(given[k], dtype=float) for k in "yp"), found.interval()
    between = (p > 0) & (p < 1)
    lined = np.unique(y[between]).size == 2 and np.ptp(p[between]) > 0  # as documented
    line = lined != np.isnan(found.line).all()
    ends = 0 <= low <= found.lam <= high + np.finfo(float).tiny <= 2  # of subnormal lambda
    whole = ends and found.announced == p.sum()
    return holds(line and whole, "lambda outside its interval, or a line without need of one")


def choice_is_whole(given: dict[str, Any], found: choice.Choice) -> str:
    y = np.asarray(given["y"], dtype=float)
    counts = found.recall.total == (y == 1).sum() and found.specificity.total == (y == 0).sum()
    wish = given["recall"] if given["confidence"] is None else None
    promised = wish is None or found.recall.value >= float(wish)
    share = given["precision"] if given["confidence"] is None else None
    right = share is None or found.precision.value >= float(share)
    whole = 0 < found.lam < 1 and counts and promised and right
    return holds(whole, "no weight, or a broken promise")


def use_decide_rows(y: Any, **given: Any) -> Any:
    found = decide_rows(**given)
    return found.expected, found.cost(y)


def use_promise(values: Any, y: Any, later: Any, level: Any, prevalence: Any, **wish: Any) -> Any:
    made = slip.promise(values, y, **wish)
    check, at = made.check(later, y, level), made.at(prevalence)
    counts = check.recall.found.total == made.choice.recall.total
    return counts, [kept.evidence for kept in check if kept], at.alarms


def slip_is_whole(given: dict[str, Any], found: Any) -> str:
    counts, evidence, alarms = found
    return holds(counts and min(evidence) >= 1 and 0 <= alarms <= 1, "no promise")


def use_frame(path: Any, target: Any) -> Any:
    return reading.read_frame(path, target).shape


def use_labels(column: Any, target: Any, positive: Any) -> Any:
    return reading.read_labels(pd.Series(column), target, positive)[0].tolist()


def use_share(part: Any, total: Any, rows: Any, level: Any) -> Any:
    share = choice.Share(part, total)
    return share, share.interval(level), share.fresh(rows, level)


def share_bounds(given: dict[str, Any], found: Any) -> str:
    share, *bounds = found
    inside = all(0 <= low <= high <= 1 for low, high in bounds)
    low, high = bounds[0]
    return holds(inside and (not share.total or low <= share.value <= high), "not bounds")


def use_loss(lam: Any, reduction: Any, logits: Any, target: Any) -> Any:
    found = crcen.CRCENLoss(lam, reduction)(logits, target)
    return torch.nan_to_num(found) if torch.isnan(logits).any() else found  # documented


def use_expected_cost(theta: Any) -> Any:
    limit = price.Limit(np.eye(3), np.ones(3))
    return price.expected_cost(lambda t: float(np.tanh(t @ t)), theta, limit)


def use_left_out(X: Any, y: Any) -> Any:
    rows = np.random.default_rng(0).normal(size=(N, 2))
    clf = crcen.CRCENClassifier((2,), l2=0.01, random_state=0).fit(rows, np.arange(N) % 2)
    return left_out.left_out_logits(clf, X, y)


def use_focal(gamma: Any) -> Any:
    loss = deviations.focal(gamma)
    o, y = torch.linspace(-800, 800, 33, dtype=torch.float64), torch.arange(33) % 2
    return loss.value(o, y).numpy(), loss.slope(o.numpy(), y.numpy())


def use_matching(link: Any) -> Any:
    loss = deviations.matching_loss(link)
    o, y = torch.linspace(-800, 800, 33, dtype=torch.float64), torch.arange(33) % 2
    return loss.value(o, y).numpy(), loss.slope(o.numpy(), y.numpy())


def fit(classifier: Any) -> Callable[..., Any]:
    def fitted(X: Any, y: Any, sample_weight: Any, X2: Any, **parameters: Any) -> Any:
        clf = classifier(**parameters)
        before = dict(vars(clf))
        try:
            clf.fit(X, y, sample_weight)
        except BaseException:
            if vars(clf) != before:
                raise RuntimeError("a fit that failed has left something behind") from None
            raise
        p = clf.predict_proba(X2)
        if not set(clf.predict(X2)) <= set(clf.classes_):
            raise RuntimeError("predicted a label that there is not")
        return p

    return fitted


def sum_to_one(given: dict[str, Any], p: Any) -> str:
    inside = ((p >= 0) & (p <= 1)).all() and np.abs(p.sum(axis=1) - 1).max(initial=0) < 1e-12
    return holds(inside, "probabilities that do not sum to one")


def use_table(path: Any, target: Any, positive: Any, **options: Any) -> Any:
    return read_table(path, target, positive, **options).y


FIT: dict[str, Draw] = {
    "X": matrix,
    "y": labels,
    "sample_weight": maybe(vector(number)),
    "hidden_layer_sizes": of((), (2,), (2, 2)),
    "lam": of("balanced", 0.5, 0.9),
    "l2": of(0, 1e-3, 0.1),
    "activation": of("logistic", "tanh", "relu", "identity"),
    "tol": of(1e-2, 1e-4),
    "max_iter": whole(1, 40),
    "random_state": of(0, 1, None),
    "positive": of(None, None, 0, 1),
    "X2": matrix,
}

CASES: dict[str, Case] = {
    "imbalance_ratio": Case(
        crcen.imbalance_ratio,
        {"y": labels, "sample_weight": maybe(vector(number))},
        lambda given, ratio: holds(0 < ratio < float("inf"), "no ratio"),
    ),
    "lam_from_alpha": Case(
        crcen.lam_from_alpha,
        {"alpha": POSITIVE, "imbalance_ratio": POSITIVE},
        lambda given, lam: holds(0 < lam < 1, "no weight"),
    ),
    "alpha_from_lam": Case(
        crcen.alpha_from_lam,
        {"lam": LAM, "imbalance_ratio": POSITIVE},
        lambda given, alpha: holds(0 < alpha < float("inf"), "no multiplier"),
    ),
    "prior_shift": Case(crcen.prior_shift, {"p": vector(LAM), "lam": LAM}, is_probability),
    "key_equation": Case(
        crcen.key_equation,
        {"y": labels, "p": vector(LAM), "lam": LAM, "sample_weight": maybe(vector(number))},
    ),
    "fresh_key_equation": Case(
        fresh_key_equation,
        {"y": labels, "p": vector(LAM), "lam": LAM, "imbalance_ratio": POSITIVE},
    ),
    "mean_probabilities": Case(
        mean_probabilities,
        {"y": labels, "p": vector(LAM)},
        lambda given, means: holds(0 <= min(means) <= max(means) <= 1, "no probability"),
    ),
    "CRCENClassifier": Case(
        fit(crcen.CRCENClassifier), FIT, sum_to_one, crcen.CRCENClassifier.fit, ("X2",)
    ),
    "CSMLPClassifier": Case(
        fit(crcen.CSMLPClassifier), FIT, sum_to_one, crcen.CSMLPClassifier.fit, ("X2",)
    ),
    "CRCENLoss": Case(
        use_loss,
        {"lam": LAM, "reduction": of("mean", "sum", "none"), "logits": TENSOR, "target": TARGETS},
        documents=crcen.CRCENLoss,
    ),
    "gaussian_point": Case(
        laws.gaussian_point,
        {"distance": between(0.1, 5), "alpha": ALPHAS},
        lambda given, found: is_probability(given, np.array(found)),
    ),
    "sample_point": Case(
        laws.sample_point,
        {"r1": vector(between(-9, 9)), "r0": vector(between(-9, 9)), "alpha": ALPHAS},
        lambda given, found: is_probability(given, np.array(found)),
    ),
    "fresh_ratio_spread": Case(
        laws.fresh_ratio_spread,
        {
            "point": lambda rng: laws.OperatingPoint(*rng.random((6, 3))),
            "train": lambda rng: tuple(rng.integers(1, 99, 2)),
            "fresh": lambda rng: tuple(rng.integers(1, 99, 2)),
        },
    ),
    "expense_band": Case(
        laws.expense_band,
        {
            "before": vector(between(0.1, 1)),
            "after": vector(between(1, 9)),
            "imbalance_ratio": POSITIVE,
        },
        lambda given, found: holds((found[0] <= found[1]).all(), "no band"),
    ),
    "platt_line": Case(
        laws.platt_line,
        {
            "logits": vector(between(-9, 9)),
            "y": labels,
            "sample_weight": maybe(vector(number)),
        },
    ),
    "choose_lam": Case(
        crcen.choose_lam,
        {
            "logits": vector(between(-9, 9)),
            "y": labels,
            "recall": maybe(between(0.05, 0.6)),
            "precision": of(None, None, None, 0.2, 0.4),
            "cost_ratio": of(None, None, None, 5.0),
            "expense": of(None, None, None, 5.0),
            "capacity": of(None, None, None, 0.5),
            "confidence": of(None, None, 0.1),
            "lam": of("balanced", 0.5, 0.9),
            "scores": of(None, None, "logits"),
        },
        choice_is_whole,
    ),
    "decide_rows": Case(
        use_decide_rows,
        {
            "values": vector(between(-9, 9)),
            "cost_ratio": vector(number),
            "lam": between(0.1, 0.9),
            "scores": of(None, None, "logits"),
            "y": labels,
        },
        lambda given, found: holds((found[0] >= 0).all() and found[1] >= 0, "negative costs"),
        decide_rows,
    ),
    "triage": Case(
        triage,
        {
            "logits": vector(between(-9, 9)),
            "y": labels,
            "recall": between(0.05, 0.6),
            "precision": of(None, 0.2, 0.4),
            "expense": of(None, None, 5.0),
            "capacity": of(None, None, 0.5),
            "confidence": of(None, None, 0.1),
            "lam": of("balanced", 0.5, 0.9),
            "scores": of(None, None, "logits"),
        },
        lambda given, found: holds(found.undecided.part + found.cleared.total >= 0, "no shares"),
    ),
    "audit": Case(
        crcen.audit,
        {
            "y": labels,
            "p": vector(of(0.0, 1.0, 0.3, 0.8, 1e-300)),
            "train": maybe(lambda rng: tuple(rng.integers(1, 500, 2).tolist())),
        },
        audit_is_whole,
    ),
    "promise": Case(
        use_promise,
        {
            "values": vector(between(-9, 9)),
            "y": labels,
            "recall": maybe(between(0.05, 0.6)),
            "expense": of(None, None, None, 5.0),
            "lam": of("balanced", 0.5, 0.9),
            "later": vector(between(-9, 9)),
            "level": between(0.5, 0.999),
            "prevalence": between(0.01, 0.99),
        },
        slip_is_whole,
        slip.promise,
    ),
    "prevalence": Case(
        prevalence,
        {"p": vector(of(0.0, 1.0, 0.3, 0.8, 1e-300)), "prior": between(0.01, 0.99)},
        lambda given, found: holds(0 <= found.value <= 1 and found.error > 0, "no share"),
    ),
    "area": Case(
        ranking.area,
        {
            "scores": vector(number),
            "y": labels,
            "groups": maybe(vector(whole(0, 9))),
            "level": between(0.01, 0.99),
        },
        lambda given, found: holds(0 <= found.value <= 1 and found.low <= found.high, "no area"),
    ),
    "read_frame": Case(
        use_frame,
        {"path": table, "target": of("y", "y", "a", "lost")},
        lambda given, shape: holds(shape[1] > 0, "no column"),
        reading.read_frame,
    ),
    "read_labels": Case(
        use_labels,
        {
            "column": vector(of("yes", "no", "yes", "NA")),
            "target": of("y"),
            "positive": of(None, "yes", "no"),
        },
        lambda given, found: holds(0 < sum(found) < len(found), "one label"),
        reading.read_labels,
        ("column",),
    ),
    "Share": Case(
        use_share,
        {
            "part": whole(0, 5),
            "total": whole(5, 30),
            "rows": whole(0, 50),
            "level": between(0.1, 0.99),
        },
        share_bounds,
        choice.Share,
    ),
    "effective_lam": Case(
        deviations.effective_lam,
        {
            "lam": LAM,
            "imbalance_ratio": POSITIVE,
            "batch_odds": maybe(POSITIVE),
            "batch_size": maybe(whole(1, 99)),
        },
        lambda given, lam: holds(0 < lam < 1, "no weight"),
    ),
    "sgd_spread": Case(
        deviations.sgd_spread,
        {
            "X": matrix,
            "y": labels,
            "p": vector(LAM),
            "lam": LAM,
            "step": between(0.01, 0.2),
            "batch_size": whole(1, 20),
        },
    ),
    "separable_limit": Case(
        deviations.separable_limit,
        {"X": matrix, "y": labels, "bias_scale": POSITIVE, "delta": POSITIVE},
        lambda given, limit: holds(limit >= 0, "no quotient"),
    ),
    "balance": Case(
        deviations.balance,
        {
            "y": labels,
            "o": vector(between(-9, 9)),
            "lam": LAM,
            "loss": of(CROSS_ENTROPY, SQUARED_ERROR),
        },
    ),
    "focal": Case(use_focal, {"gamma": between(0, 5)}, documents=deviations.focal),
    "matching_loss": Case(
        use_matching,
        {"link": of(torch.sigmoid, torch.special.ndtr)},
        documents=deviations.matching_loss,
    ),
    "class_balance": Case(
        multiclass.class_balance,
        {
            "y": lambda rng: rng.integers(0, 3, N),
            "P": softmax,
            "class_weight": lambda rng: rng.random(3) + 0.1,
        },
    ),
    "circulation": Case(
        multiclass.circulation,
        {"flow": lambda rng: rng.random((3, 3))},
        lambda given, found: is_probability(given, np.array(found)),
    ),
    "share_above": Case(
        guarantees.share_above,
        {"mean": vector(LAM), "variance": maybe(between(0, 0.009)), "threshold": LAM},
        lambda given, found: is_probability(given, np.array(found)),
    ),
    "left_out_logits": Case(
        use_left_out, {"X": matrix, "y": labels}, documents=left_out.left_out_logits
    ),
    "leverage": Case(
        left_out.leverage,
        {
            "Z": matrix,
            "curvature": vector(LAM),
            "penalty": lambda rng: rng.random(2),
        },
        lambda given, found: holds(
            ((found > -1e-6) & (found < 1 + 1e-6)).all(), "no share of a row"
        ),
    ),
    "fresh_ratio": Case(
        left_out.fresh_ratio,
        {
            "y": labels,
            "left_out": vector(between(-9, 9)),
            "lam": LAM,
            "fresh": lambda rng: (int(rng.integers(1, 99)), int(rng.integers(1, 99))),
        },
    ),
    "confusion_counts": Case(
        expense.confusion_counts,
        {"y": labels, "predicted": labels},
        lambda given, found: holds(sum(found) == len(given["y"]), "not all are counted"),
    ),
    "expense": Case(expense.expense, {"before": confusion, "after": confusion}, step_price),
    "expenses": Case(expense.expenses, {"counts": lambda rng: several(1)(rng)[0]}, step_prices),
    "expense_interval": Case(
        expense.expense_interval,
        {"counts": several(3), "level": between(0.5, 0.99), "test_size": between(0.1, 0.5)},
        lambda given, found: holds((found[0] <= found[1]).all(), "no interval"),
    ),
    "sim1": Case(
        simulations.sim1,
        {
            "n1": whole(1, 9),
            "n0": whole(1, 9),
            "rng": GENERATOR,
            "plus": of("sum", "mixture"),
        },
    ),
    "ratio_interval": Case(
        expense.ratio_interval,
        {
            "above": vector(between(-9, 9)),
            "below": vector(between(-9, 9)),
            "level": between(0.5, 0.99),
            "test_size": between(0.1, 0.5),
        },
        lambda given, found: holds(found[0] <= found[1], "no interval"),
    ),
    "gaussian_price": Case(
        price.gaussian_price,
        {
            "distance": between(0.2, 6),
            "n_features": whole(1, 30),
            "imbalance_ratio": POSITIVE,
            "alpha": POSITIVE,
        },
        lambda given, found: holds(found.factor > 1 - 1e-6, "a weight that costs nothing"),
    ),
    "sandwich": Case(
        price.sandwich,
        {
            "X": matrix,
            "y": labels,
            "theta": lambda rng: rng.normal(size=3),
            "lam": LAM,
            "penalty": of(0.0, 1.0),
        },
    ),
    "expected_cost": Case(
        use_expected_cost,
        {"theta": lambda rng: rng.normal(size=3)},
        documents=price.expected_cost,
    ),
    "misspecification": Case(
        price.misspecification,
        {
            "X": matrix,
            "y": labels,
            "plain": lambda rng: rng.normal(size=3),
            "weighted": lambda rng: rng.normal(size=3),
            "lam": LAM,
        },
        lambda given, found: holds(0 <= found.p <= 1, "no probability"),
    ),
    "price_of_fit": Case(
        price.price_of_fit,
        {"X": matrix, "y": labels, "plain": lambda rng: rng.normal(size=3)},
    ),
    "step_between": Case(
        bargains.step_between,
        {"y": labels, "before": vector(between(-9, 9)), "after": vector(between(-9, 9))},
        lambda given, found: holds(abs(found.along) <= len(given["y"]), "too many rows"),
    ),
    "factors": Case(
        bargains.factors,
        {
            "step": lambda rng: bargains.Step(*rng.integers(-5, 30, 3).tolist()),
            "alpha": POSITIVE,
            "imbalance_ratio": POSITIVE,
        },
    ),
    "sim2": Case(
        simulations.sim2,
        {
            "n1": whole(1, 9),
            "n0": whole(1, 9),
            "rng": GENERATOR,
            "sigma1": of("covariance", "deviation"),
        },
    ),
    "load_dataset": Case(
        lambda name, data_home: crcen.load_dataset(name, data_home).data,
        {
            "name": of("abalon", "scene ", "", "ABALONE", "x" * 200),
            "data_home": of(None, "/nonexistent", "."),
        },
        documents=crcen.load_dataset,
    ),
    "read_table": Case(
        use_table,
        {
            "path": table,
            "target": of("y", "y", "y", "a"),
            "positive": of("yes", "yes", "no", 1),
            "drop": of((), ("b",), "b"),
            "above": maybe(number),
            "groups": of(None, None, "b", "y"),
            "time": of(None, None, "b"),
            "weights": of(None, None, "a"),
            "fewest": whole(1, 30),
        },
        documents=read_table,
    ),
}
# A nan that the docstring promises, and that the check beside the function compares.
PROMISED = {"audit", "expense", "expenses", "factors"}


def documented(of: Any) -> set[str]:
    """Read in a docstring which errors it lists."""
    text = inspect.getdoc(of) or ""
    section = re.search(r"^Raises\n-+\n(.*?)(?=^\w[^\n]*\n-{3,}$|\Z)", text, re.M | re.S)
    return set(re.findall(r"^(\w+)$", section[1], re.M)) if section else set()


def nans(found: Any) -> int:
    """Count them, wherever they are in an answer."""
    if isinstance(found, tuple | list):
        return sum(map(nans, found))
    if isinstance(found, torch.Tensor):
        return int(torch.isnan(found).sum())
    return int(np.isnan(np.asarray(found, dtype=float)).sum())


def one(name: str, case: Case, seed: int, number: int) -> str:
    """Make the input of this number and try it; return what is wrong with the outcome, or ''."""
    rng = np.random.default_rng([seed, number])
    given = {argument: draw(rng) for argument, draw in case.arguments.items()}
    able = [argument for argument in given if argument not in case.clean]
    for argument in rng.permutation(able)[: rng.choice([1, 1, 1, 2, len(able)])]:
        given[argument] = spoil(given[argument], rng)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            found = case.call(**given)
        except Hang:
            return f"more than {SECONDS:g} s"
        except MemoryError:
            large = any(isinstance(v, int) and v > 10**7 for v in given.values())
            return holds(large, "no memory, though nothing large was asked for")
        except Exception as error:
            kind = type(error).__name__
            if kind not in documented(case.documents or case.call):
                last = traceback.extract_tb(error.__traceback__)[-1]
                return f"{kind}, not documented: {error} ({Path(last.filename).name}:{last.lineno})"
            names = [*case.arguments, *(["the table"] if "path" in case.arguments else [])]
            named = any(name in str(error) for name in names) or any(
                "sklearn" in Path(frame.filename).parts  # its checks of X and y have their words
                for frame in traceback.extract_tb(error.__traceback__)
            )
            return holds(named, f"{kind} that names no parameter: {error}")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    if nans(found) and not heard and name not in PROMISED:
        return "nan without a warning"
    return case.check(given, found)


def hang(*_: object) -> None:
    raise Hang


def fuzz(name: str, seed: int, inputs: int) -> list[tuple[int, str]]:
    """Try one function; return the number of each input that shows a fault, and the fault."""
    signal.signal(signal.SIGPROF, hang)
    torch.set_num_threads(1)
    case, findings = CASES[name], []
    for k in range(inputs):
        if wrong := one(name, case, seed, k):
            findings.append((k, " ".join(wrong.split())[:200]))
    return findings


def run(names: list[str], seed: int, inputs: int) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Try functions, in as many processes as there are cores."""
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CRCEN_DOWNLOAD": "0"}
    before = {key: os.environ.get(key) for key in environment}
    os.environ.update(environment)
    try:
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            tried = {name: pool.submit(fuzz, name, seed, inputs) for name in names}
            for name, future in tried.items():
                yield name, future.result()
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})


def compile_kernels() -> None:
    """Let Numba compile and keep what it made: ten seconds that no call is to answer for."""
    X, y = simulations.sim2(200, 1000, np.random.default_rng(0))
    crcen.CRCENClassifier((2,), tol=1e-2, random_state=0).fit(X, y)
    crcen.CRCENClassifier((2,), tol=1e-2, random_state=0).fit(X[::10], y[::10])


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=1000, help="for each; default: %(default)s")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="default: new")
    parser.add_argument("--only", nargs="+", choices=[*CASES], default=[*CASES], metavar="NAME")
    asked = parser.parse_args()
    print(f"seed {asked.seed}, {asked.inputs} inputs for each of {len(asked.only)} functions")
    compile_kernels()
    count = 0
    for name, findings in run(asked.only, asked.seed, asked.inputs):
        count += len(findings)
        print(f"{name:<20} {len(findings)} findings", flush=True)
        for fault, times in Counter(fault for _, fault in findings).most_common(8):
            first = next(k for k, found in findings if found == fault)
            print(f"    {times} times, first at input {first}: {fault}", flush=True)
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
