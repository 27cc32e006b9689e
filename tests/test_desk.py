"""Tests of the desk: each function beside its counterpart in Python, and the page in a browser."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import special, stats
from test_browser import browser, dark, new_context, phone, violations  # noqa: F401

import crcen
from crcen.auditing import audit
from crcen.choice import Share, choose_lam
from crcen.command import main
from crcen.ranking import area
from crcen.reading import read_frame, read_labels
from crcen.slip import ASSUMES, Slip, promise
from crcen.theory.laws import platt_line

STATIC = ROOT / "book/static"
SCRIPTS = ["desk-numbers.js", "desk-table.js", "desk-scores.js"]
# What two ways of adding a hundred thousand numbers, and of computing logarithms, may differ by.
CLOSE = {"rel": 1e-9, "abs": 1e-9}


@pytest.fixture(scope="module")
def page(browser):  # noqa: F811
    """A blank page with the functions of the desk."""
    context = new_context(browser)
    page = context.new_page()
    for script in SCRIPTS:
        page.add_script_tag(path=STATIC / script)
    yield page
    context.close()


@pytest.fixture
def call(page):
    """Call a function of the desk by its name; an error is a text that begins with 'Error'."""

    def called(name, *arguments):
        code = f"(a) => {{ try {{ return {name}(...a); }} catch (e) {{ return String(e); }} }}"
        return page.evaluate(code, list(arguments))

    return called


@pytest.fixture
def of_rows(page):
    """Evaluate an expression with `values` and `y`, `rows` of them, and `kind`; errors as above."""

    def evaluated(expression, values, y, **others):
        code = f"""([values, y, others]) => {{
          const rows = DeskScores.classes(Float64Array.from(values), y);
          const {{kind, wish, lam}} = others;
          try {{ return {expression}; }} catch (e) {{ return String(e); }}
        }}"""
        return page.evaluate(code, [list(map(float, values)), list(map(int, y)), others])

    return evaluated


def drawn(rng):
    """Scores of many kinds, as probabilities, with labels: ties, extremes, few rows."""
    n1, n0 = (200, 2003)
    y = np.repeat([1, 0], [n1, n0])
    o = rng.normal(2.0 * y - 3, 1.5)
    few = np.repeat([1, 0], [2, 31])
    certain = special.expit(o)
    certain[rng.random(y.size) < 0.1] = 0
    certain[-7:] = 1
    certain[:9] = 1
    return {
        "smooth": (special.expit(o), y),
        "ties": (np.round(special.expit(o), 1), y),
        "few minority rows": (special.expit(rng.normal(few)), few),
        "certain rows": (certain, y),
        "steep": (special.expit(20 * o), y),
        "tiny": (special.expit(o / 1e6), y),
        "against": (special.expit(-o), y),
        "one of each": (np.array([0.7, 0.2]), np.array([1, 0])),
        "equal scores": (np.full(y.size, 0.25), y),
    }


KINDS = list(drawn(np.random.default_rng(0)))


@pytest.fixture(params=KINDS)
def rows(request, seed):
    return drawn(np.random.default_rng(seed))[request.param]


# Functions


def test_special_functions_are_those_of_scipy(call, seed):
    rng = np.random.default_rng(seed)
    for o in [*rng.normal(0, 30, 20), 0, 800, -800, -740]:
        assert call("DeskNumbers.expit", o) == pytest.approx(special.expit(o), rel=1e-12)
    for p in [*rng.random(20), 1e-300, 1 - 1e-16, 0.5, 0.3, 0.65]:
        assert call("DeskNumbers.logit", p) == pytest.approx(special.logit(p), rel=1e-12, abs=1e-15)
    for _ in range(60):
        a, b = (10 ** rng.uniform(0, 6, 2)).round()
        x = np.clip(rng.normal(a / (a + b), 3 * np.sqrt(a * b / (a + b) ** 3)), 1e-9, 1 - 1e-9)
        assert call("DeskNumbers.betainc", a, b, x) == pytest.approx(
            special.betainc(a, b, x), **CLOSE
        )
        q = 10 ** rng.uniform(-6, 0)
        assert call("DeskNumbers.betaincinv", a, b, q) == pytest.approx(
            special.betaincinv(a, b, q), rel=1e-9
        )
        n, k = int(a + b), int(a)
        assert call("DeskNumbers.binomialAbove", k, n, x) == pytest.approx(
            stats.binom.sf(k, n, x), **CLOSE
        )


def test_intervals_of_shares_are_exact(call, seed):
    rng = np.random.default_rng(seed)
    drawn_ = [(int(k), int(n)) for n in rng.integers(1, 10**5, 20) for k in [rng.integers(0, n + 1)]]
    for part, total in [(0, 0), (0, 1), (1, 1), (0, 10**6), (1, 10**6), (10**6, 10**6), *drawn_]:
        for level in (0.95, 0.975):
            found = call("DeskNumbers.interval", [part, total], level)
            assert found == pytest.approx(Share(part, total).interval(level), abs=1e-9)


def test_numbers_are_written_as_python_writes_them(call, seed):
    rng = np.random.default_rng(seed)
    for x in [*10 ** rng.uniform(-8, 8, 50), 1, 0.5, 1000, 999.9, 1e-4, 1e-5]:
        assert call("DeskNumbers.general", float(x), 3) == f"{x:.3g}"


def test_an_audit_is_that_of_the_module(of_rows, rows):
    p, y = rows
    found, expected = of_rows("DeskScores.audit(rows)", p, y), audit(y, p)
    for name in ("lam", "alpha", "announced", "spread"):
        assert found[name] == pytest.approx(getattr(expected, name), **CLOSE), name
    assert found["ratio"] == pytest.approx(expected.imbalance_ratio, rel=1e-12)
    assert found["certain"] == expected.certain
    assert [found["recall"], found["specificity"]] == [
        [*expected.recall],
        [*expected.specificity],
    ]
    ends = of_rows("DeskScores.weightInterval(DeskScores.audit(rows))", p, y)
    assert ends == pytest.approx(expected.interval(), **CLOSE)
    names = of_rows("DeskScores.names(DeskScores.audit(rows))", p, y)
    assert tuple(names) == expected.names()


def test_an_audit_of_one_certain_class_finds_the_end(of_rows):
    for p, y in (([1, 0.4, 0.1], [1, 0, 0]), ([0.9, 0, 0], [1, 0, 0])):
        found, expected = of_rows("DeskScores.audit(rows)", p, y), audit(y, p)
        assert (found["lam"], found["alpha"]) == (expected.lam, expected.alpha)
        ends = of_rows("DeskScores.weightInterval(DeskScores.audit(rows))", p, y)
        assert tuple(ends) == expected.interval()
    assert "any weight brings about: take rows" in of_rows(
        "DeskScores.audit(rows)", [1, 0, 0], [1, 0, 0]
    )


def test_platts_line_is_the_most_likely(of_rows, rows):
    p, y = rows
    line = of_rows("DeskScores.line(rows)", p, y)
    keep = (p > 0) & (p < 1)
    o, y = special.logit(p[keep]), y[keep]
    if line is None:  # no line is the most likely
        apart = o[y == 1].min() >= o[y == 0].max() or o[y == 1].max() <= o[y == 0].min()
        assert apart
        return
    X = np.column_stack([np.ones_like(o), o])
    q = special.expit(X @ [line["intercept"], line["slope"]])
    slack = 1e-9 * np.abs(X).sum(axis=0)
    assert (np.abs(X.T @ (y - q)) <= slack).all()  # the gradient vanishes
    errors = np.sqrt(np.diag(np.linalg.inv(X.T * (q * (1 - q)) @ X)))
    assert [line["intercept_error"], line["slope_error"]] == pytest.approx(errors, rel=1e-6)
    if o.std() > 0.1:  # scikit-learn stops early where the slope hardly matters
        fitted = platt_line(o, y)
        assert np.abs(np.subtract([line["intercept"], line["slope"]], fitted)) == pytest.approx(
            0, abs=0.05 * errors.max()
        )


def test_the_weight_is_taken_out(call, seed):
    rng = np.random.default_rng(seed)
    for p, lam in [*rng.random((20, 2)), (0, 0.3), (1, 0.3)]:
        expected = float(crcen.prior_shift(p, 1 - lam))
        assert call("DeskScores.shiftBack", p, lam) == pytest.approx(expected, **CLOSE)


def test_the_area_is_that_of_the_module(of_rows, rows):
    p, y = rows
    found = of_rows("DeskScores.area(rows)", p, y)
    assert [found[name] for name in ("value", "low", "high")] == pytest.approx(
        list(area(p, y)), **CLOSE
    )


def test_groups_announce_alike_and_keep_their_rows(of_rows, rows):
    p, y = rows
    lam = audit(y, p).lam
    groups = of_rows("DeskScores.reliability(rows, (p) => DeskScores.shiftBack(p, lam))", p, y, lam=lam)
    back = crcen.prior_shift(p, 1 - lam)
    order = np.argsort(p)
    ends = np.cumsum([group["rows"] for group in groups])
    assert ends[-1] == p.size
    assert len(groups) <= 10
    for group, part in zip(groups, np.split(order, ends[:-1]), strict=True):
        low, high = Share(int(y[part].sum()), part.size).interval()
        assert group["minority"] == y[part].sum()
        expected = [p[part].mean(), back[part].mean(), low, high]
        assert [group[k] for k in ("before", "after", "low", "high")] == pytest.approx(
            expected, **CLOSE
        )
        # No group goes on after it has announced its part, but for ties.
        assert back[part][p[part] > p[part].min()].sum() < back.sum() / 10 * (1 + 1e-9) + 1e-12
    tops = [p[part].min() for part in np.split(order, ends[:-1])]
    assert (np.diff(tops) > 0).all()  # equal scores are not divided


WISHES = [
    {"recall": 0.9},
    {"recall": 0.5},
    {"recall": 0.9, "confidence": 0.95},
    {"recall": 0.999},
    {"recall": 0.99, "confidence": 0.99},
    {"precision": 0.3},
    {"precision": 0.9},
    {"precision": 0.2, "confidence": 0.93},
    {"precision": 0.97, "confidence": 0.93},
    {"cost_ratio": 7.3},
    {"expense": 4.7},
    {"capacity": 0.1},
    {"capacity": 0.0001},
    {"recall": 0.8, "capacity": 0.05},
    {"recall": 0.8, "capacity": 0.6},
    {"recall": 0.8, "expense": 0.37},
    {"recall": 0.8, "expense": 0.37, "confidence": 0.95},
    {"recall": 0.6, "precision": 0.43},
    {"recall": 0.9, "precision": 0.8},
    {"precision": 0.3, "capacity": 0.07},
    {"precision": 0.8, "capacity": 0.93, "recall": 0.4},
    {"cost_ratio": 7.3, "recall": 0.8, "precision": 0.11, "capacity": 0.57},
]


def said(error):
    """What an error of the module says, with numbers as JavaScript writes them and no None."""
    text = str(error).replace(", confidence=None", "")
    return re.sub(r"(=\d+)\.0(?=\D)", r"\1", text)


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_choices_and_promises_are_those_of_the_module(of_rows, rows, kind):
    p, y = rows
    values = p if kind == "probabilities" else special.logit(np.clip(p, 1e-12, 1 - 1e-12))
    asked = [(wish, (0.5, 0.83, "balanced")[k % 3]) for k, wish in enumerate(WISHES)]
    script = """others.asked.map(([wish, lam]) => {
      try {
        const slip = DeskScores.promise(DeskScores.asLogits(rows, kind), kind, wish, lam);
        const ahead = [0.001, 0.4].map((q) => DeskScores.outlook(slip, q));
        return {...slip, ahead, promised: DeskScores.promised(slip)};
      } catch (error) { return error.message; }
    })"""
    for (wish, lam), found in zip(asked, of_rows(script, values, y, kind=kind, asked=asked), strict=True):
        try:
            expected = promise(values, y, **wish, lam=lam, scores=kind)
        except ValueError as error:
            assert found == said(error)
            continue
        assert isinstance(found, dict), (wish, found)
        choice = expected.choice
        for name in ("recall", "specificity", "gained"):
            assert found["choice"][name] == [*getattr(choice, name)], (wish, name)
        assert found["choice"]["alpha"] == pytest.approx(choice.alpha, rel=1e-9)
        assert found["choice"]["lam"] == pytest.approx(choice.lam, rel=1e-9)
        assert found["threshold"] == pytest.approx(expected.threshold, **CLOSE)
        assert found["wish"] == expected.wish
        assert found["prevalence"] == pytest.approx(expected.prevalence, rel=1e-12)
        kept = expected.check(values, y)
        promised = [kept.recall.promised, kept.specificity.promised]
        assert found["promised"] == pytest.approx(promised, abs=1e-9)
        for prevalence, ahead in zip((0.001, 0.4), found["ahead"], strict=True):
            for name, value in expected.at(prevalence)._asdict().items():
                assert ahead[name] == pytest.approx(value, **CLOSE, nan_ok=True), name
