"""Tests of the desk: each function beside its counterpart in Python, and the page in a browser."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import special, stats
from test_browser import browser, dark, new_context, phone, violations  # noqa: F401

import crcen
from crcen.auditing import audit
from crcen.choice import Share
from crcen.command import main
from crcen.ranking import area
from crcen.reading import read_frame, read_labels
from crcen.slip import ASSUMES, Slip, promise
from crcen.theory.laws import platt_line

STATIC = ROOT / "book/static"
SCRIPTS = ["logistic.js", "desk-numbers.js", "desk-table.js", "desk-scores.js"]
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
        assert call("Logistic.expit", o) == pytest.approx(special.expit(o), rel=1e-12)
    for p in [*rng.random(20), 1e-300, 1 - 1e-16, 0.5, 0.3, 0.65]:
        assert call("Logistic.logit", p) == pytest.approx(special.logit(p), rel=1e-12, abs=1e-15)
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
    ends = [(0, 0), (0, 1), (1, 1), (0, 10**6), (1, 10**6), (10**6, 10**6)]
    for part, total in ends + [sorted(rng.integers(1, 10**5, 2).tolist()) for _ in range(20)]:
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
    groups = of_rows(
        "DeskScores.reliability(rows, (p) => DeskScores.shiftBack(p, lam))", p, y, lam=lam
    )
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


@pytest.mark.parametrize("kind", ["probabilities", "logits", "huge logits"])
def test_choices_and_promises_are_those_of_the_module(of_rows, rows, kind):
    p, y = rows
    values = p
    if kind != "probabilities":
        values = special.logit(np.clip(p, 1e-12, 1 - 1e-12)) * (1e4 if "huge" in kind else 1)
        kind = "logits"
    asked = [(wish, (0.5, 0.83, "balanced")[k % 3]) for k, wish in enumerate(WISHES)]
    script = """others.asked.map(([wish, lam]) => {
      try {
        const slip = DeskScores.promise(DeskScores.asLogits(rows, kind), kind, wish, lam);
        const ahead = [0.001, 0.4].map((q) => DeskScores.outlook(slip, q));
        return {...slip, ahead, promised: DeskScores.promised(slip)};
      } catch (error) { return error.message; }
    })"""
    made = of_rows(script, values, y, kind=kind, asked=asked)
    for (wish, lam), found in zip(asked, made, strict=True):
        told = ""
        try:
            expected = promise(values, y, **wish, lam=lam, scores=kind)
        except ValueError as error:
            told = said(error)
        if told:
            assert found == told
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
        promised = [each.promised for each in kept if each]
        assert found["promised"] == pytest.approx(promised, abs=1e-9)
        for prevalence, ahead in zip((0.001, 0.4), found["ahead"], strict=True):
            for name, value in expected.at(prevalence)._asdict().items():
                assert ahead[name] == pytest.approx(value, **CLOSE, nan_ok=True), name


def test_the_curve_counts_what_each_weight_finds(of_rows, rows):
    p, y = rows
    made_with = 0.83
    script = "DeskScores.curve(DeskScores.asLogits(rows, kind), lam, -3, 5, 40)"
    points = of_rows(script, p, y, kind="probabilities", lam=made_with)
    o = special.logit(np.clip(p, np.finfo(float).tiny, 1 - np.finfo(float).epsneg))
    for point, x in zip(points, np.linspace(-3, 5, 41), strict=True):
        assert point["lam"] == pytest.approx(special.expit(x), rel=1e-9)
        assert point["cut"] == pytest.approx(special.logit(made_with) - x, abs=1e-9)
        found = o > point["cut"]
        assert point["recall"] == pytest.approx(found[y == 1].mean(), abs=1e-12)
        assert point["specificity"] == pytest.approx(1 - found[y == 0].mean(), abs=1e-12)
        assert point["alarms"] == found.sum()


def test_rows_and_wishes_that_will_not_do_are_told(of_rows):
    values, y = np.linspace(0.1, 0.9, 8), np.tile([0, 1], 4)
    made = "DeskScores.promise(DeskScores.asLogits(rows, kind), kind, wish, lam)"
    for wish, lam, part in [
        ({}, 0.5, "no wish: give one"),
        ({"recall": 1.5}, 0.5, "recall=1.5 must be strictly between 0 and 1"),
        ({"expense": 0}, 0.5, "expense=0 must be positive"),
        ({"expense": 2, "confidence": 0.9}, 0.5, "leave it out with expense"),
        ({"recall": 0.5}, 1, "lam=1 is not a weight: give a number"),
        ({"recall": 0.5}, None, "is not a weight: give a number"),
        ({"expense": 1e300}, 0.5, "rounds to 0 or 1: wish for less"),
    ]:
        assert part in of_rows(made, values, y, kind="probabilities", wish=wish, lam=lam)
    checked = "DeskScores.check(Float64Array.from(values), kind)"
    assert "1.5 is no probability: choose logits" in of_rows(
        checked, [0.5, 1.5], [0, 1], kind="probabilities"
    )


def test_counts_say_what_they_say(call, seed):
    rng = np.random.default_rng(seed)
    for tp, fn, fp, tn in rng.integers(1, 10**6, (20, 4)).tolist():
        found = call("DeskScores.confusion", tp, fn, fp, tn)
        choice = Share(tp, tp + fp)
        assert [found["recall"], found["specificity"], found["precision"]] == [
            [tp, tp + fn],
            [tn, tn + fp],
            [*choice],
        ]
        ends = [(1 - end) / end for end in reversed(choice.interval())]
        assert found["expense_interval"] == pytest.approx(ends, rel=1e-6)
        assert found["expense"] == pytest.approx((1 - choice.value) / choice.value, rel=1e-9)
        minority, rows = found["prevalence"]
        rates = tp / (tp + fn), tn / (tn + fp)
        at = call("DeskScores.atPrevalence", *rates, minority / rows)
        assert at["precision"] == pytest.approx(choice.value, rel=1e-9)


def test_right_probabilities_have_their_weight_where_the_counts_say(call, seed):
    rng = np.random.default_rng(seed)
    for lam in (0.2, 0.5, 0.9):
        q = special.expit(rng.normal(-1, 2, 10**5))  # right probabilities; counts are means
        alarm = crcen.prior_shift(q, lam) > 0.5
        tp, fp = q[alarm].sum(), (1 - q[alarm]).sum()
        fn, tn = q[~alarm].sum(), (1 - q[~alarm]).sum()
        low, high = call("DeskScores.confusion", tp, fn, fp, tn)["lams"]
        assert low <= lam <= high


# Tables

FRAME = pd.DataFrame(
    {
        "row": ["a, b", 'say "no"', "c;d", "two\nlines", "é", "x", "y"],
        "outcome": ["paid", "<b>bad</b>", "paid", "paid", " <b>bad</b>", "paid", "paid"],
        "p": [0.25, 0.75, 0.125, 1e-7, 0.5, 0.0, 1.0],
    }
)
WRITERS = {
    "comma": {},
    "semicolon": {"sep": ";"},
    "decimal comma": {"sep": ";", "decimal": ","},
    "tab": {"sep": "\t", "decimal": ","},
    "bar": {"sep": "|"},
    "marked": {"encoding": "utf-8-sig"},
    "old": {"encoding": "cp1252"},
    "utf-16": {"encoding": "utf-16"},
    "dos": {"lineterminator": "\r\n"},
    "quoted": {"quoting": 1},
}
TABLE = """([bytes, label, score, positive]) => {
  const table = DeskTable.read(DeskTable.decode(Uint8Array.from(bytes).buffer));
  const kinds = DeskTable.kinds(table, label);
  const {y, ...names} = DeskTable.labels(kinds, label, positive);
  const values = [...DeskTable.numbers(table, score)];
  return {...names, y: [...y], values, guess: DeskTable.guess(table)};
}"""


@pytest.mark.parametrize("how", WRITERS)
def test_a_table_is_read_as_the_module_reads_it(page, how, tmp_path):
    file = tmp_path / "t.csv"
    FRAME.to_csv(file, index=False, **WRITERS[how])
    found = page.evaluate(TABLE, [list(file.read_bytes()), "outcome", "p", ""])
    frame = read_frame(file, "outcome")
    y, (rest, positive) = read_labels(frame["outcome"], "outcome")
    assert found["values"] == frame["p"].tolist() == FRAME["p"].tolist()
    assert found["y"] == y.tolist()
    assert (found["rest"], found["positive"]) == (rest, positive) == ("paid", "<b>bad</b>")
    assert found["guess"] == {"label": "outcome", "score": "p"}


def test_labels_are_named_as_the_module_names_them(page):
    for labels, positive in [
        (["1", "0", "0.0", "0"], ""),
        (["1.5", "2", "2", "2"], ""),
        (["a", "b", "c", "c"], "c"),
        (["NA", "no", "no", "no"], ""),
        ([*"abcde"], "e"),
    ]:
        text = "y;p\n" + "".join(f"{label};0.5\n" for label in labels)
        found = page.evaluate(TABLE, [list(text.encode()), "y", "p", positive])
        y, names = read_labels(pd.Series(labels), "y", positive or None)
        assert found["y"] == y.tolist()
        assert (found["rest"], found["positive"]) == names


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no rows here: give a first line"),
        ("y,p\n", "no rows here: give a first line"),
        ("1,0.5\n0,0.2\n", "first line holds numbers: put a line with the names"),
        ("y,p,p\n1,0.5,0\n", "column 'p' is there more than once: rename"),
        ("y,p\n1,0.5\n0,0.2,0.3\n", "Row 2 has 3 fields where the first line names 2 columns: put"),
        ("y,p\n1,0.5\n0,0\n0,\n", "score 'p' holds '' in row 3, which is no number: leave out"),
        (
            "y,p\n1,0.5\n0,0\n0,inf\n",
            "score 'p' holds 'inf' in row 3, which is no number: leave out",
        ),
        ("y,p\n1,0.5\n ,0.1\n", "label 'y' is missing in 1 row: leave them out"),
        ("y,p\n1,0.5\n1,0.1\n", "label 'y' is '1' (2 rows) throughout: add rows of another"),
        ("y,p\na,0.5\nb,0.1\n", "has 'a' (1 row), 'b' (1 row): choose which"),
        ("y,p\na,0.5\nb,0.1\nc,0.1\n", "'c' (1 row): choose which of them is to be found"),
        ("y,p\na,0.5\0\n", "no text but a file of another kind: save the table as CSV"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_in_one_sentence(page, text, told):
    with pytest.raises(Exception, match=re.escape(told)):
        page.evaluate(TABLE, [list(text.encode()), "y", "p", ""])


# The page, from a file


@pytest.fixture
def desk(browser, tmp_path):  # noqa: F811
    """The desk on a page of its own, opened from a file, and what it asks for."""
    scripts = [*SCRIPTS, "desk.js"]
    tag = '<script defer data-version="0" src="{}"></script>'
    tags = [tag.format((STATIC / script).as_uri()) for script in scripts]
    file = tmp_path / "desk.html"
    file.write_text(f'<!DOCTYPE html><meta charset="utf-8"><div id="desk"></div>{"".join(tags)}')
    context = new_context(browser)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(str(error)))
    page.goto(file.as_uri())
    yield page
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []
    context.close()


def answer(desk):
    """Return the sentence, with plain quotes."""
    curly = {0x2018: "'", 0x2019: "'"}
    return desk.locator(".desk-answer").inner_text().translate(curly)


def load(desk, file):
    """Choose a file, and wait until it has been read, which takes as long as it takes."""
    desk.set_input_files("#desk-file", file)
    desk.locator(".desk-read", has_text=Path(file).name).wait_for()


def scores(rng, n=3000, falls=0.0):
    """Rows of a model that was balanced, with labels that are hostile to a page."""
    y = rng.random(n) < 0.1
    o = 2 * rng.normal(2.0 * y) - 2 - falls * y
    label = np.where(y, "it's <img src=x onerror=alert(1)>", "paid, late")
    return pd.DataFrame({"the outcome": label, "o": o.round(4), "p": special.expit(o).round(6)})


@pytest.mark.parametrize(
    ("kind", "wish"),
    [
        ("p", {"recall": 0.8, "confidence": 0.9}),
        ("o", {"recall": 0.7, "capacity": 0.3, "expense": 40}),
        ("p", {"cost_ratio": 5}),
    ],
)
def test_the_slip_is_the_one_that_the_command_writes_and_accepts(
    desk, kind, wish, tmp_path, monkeypatch, seed, capsys
):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    for name, falls in (("now", 0), ("later", 0), ("fallen", 8)):
        scores(rng, falls=falls).to_csv(f"{name}.csv", index=False)
    load(desk, "now.csv")
    desk.select_option("#desk-label", "the outcome")
    desk.select_option("#desk-score", kind)
    for name in ("recall", *wish):
        desk.fill(f"#desk-{name}", str(wish.get(name, "")))
    with desk.expect_download() as waiting:
        desk.get_by_role("button", name="Download the promise slip").click()
    waiting.value.save_as("slip.json")
    found = Slip.read("slip.json")

    # The page names the commands, which a shell reads as they stand.
    choose, check = desk.locator(".desk-results pre").inner_text().splitlines()
    assert main(shlex.split(choose)[1:]) == 0
    expected = Slip.read("promise.json")
    raw = json.loads(Path("slip.json").read_text())
    assert list(raw) == list(json.loads(Path("promise.json").read_text()))
    assert raw["assumes"] == list(ASSUMES)
    assert found.version == "0"
    assert found._replace(choice=None, threshold=0, version="", made="") == expected._replace(
        choice=None, threshold=0, version="", made=""
    )
    assert found.threshold == pytest.approx(expected.threshold, **CLOSE)
    assert found.choice[2:] == expected.choice[2:]
    assert found.choice[:2] == pytest.approx(expected.choice[:2], rel=1e-9)
    assert abs(pd.Timestamp(found.made) - pd.Timestamp(expected.made)) <= pd.Timedelta("1D")
    assert f"above {expected.threshold:.10g}" in answer(desk)

    capsys.readouterr()
    level = ["--level", "0.999999"]
    told = [*shlex.split(check.replace("promise.json", "slip.json"))[1:], *level]
    assert main(told) == 0
    assert "stands" in capsys.readouterr().out
    assert main([part.replace("later", "fallen") for part in told]) == 1


def test_what_a_file_holds_is_shown_as_text(desk, tmp_path, seed):
    scores(np.random.default_rng(seed)).to_csv(tmp_path / "a&b<i>.csv", index=False)
    load(desk, tmp_path / "a&b<i>.csv")
    assert "<img src=x onerror=alert(1)>" in answer(desk)
    assert "a&b<i>.csv" in desk.locator(".desk-read").inner_text()
    assert desk.locator("#desk img, #desk i").count() == 0


def test_rows_are_pasted_and_what_is_wrong_is_told(desk):
    assert "the answer stands here" in answer(desk)
    desk.fill("#desk-paste", "0.5\n0.7")
    desk.fill("#desk-recall", "0.6")
    assert "first line holds numbers" in answer(desk)
    desk.fill("#desk-paste", "y\tp\na\t0.2\nb\t0.7\nb\tmuch\n")
    assert "'much' in row 3" in answer(desk)
    assert desk.locator(".desk-results > *").count() == 0
    desk.fill("#desk-recall", "0.5")
    assert "'much' in row 3" in answer(desk)  # still
    desk.fill("#desk-paste", "y\tp\na\t0.2\nb\t0.7\nb\t0.6\nb\t0.1\na\t0.3\n")
    assert "Decide for 'a' where p is above" in answer(desk)
    assert "no better than chance" in desk.locator(".desk-warning").inner_text()
    desk.select_option("#desk-positive", "b")
    assert "Decide for 'b'" in answer(desk)
    desk.fill("#desk-recall", "5")
    assert answer(desk) == "recall=5 must be strictly between 0 and 1."
    desk.fill("#desk-recall", "")
    assert answer(desk).startswith("A weight of λ = ")
    desk.fill("#desk-expense", "3")
    desk.fill("#desk-lam", "much")
    assert "is not a weight" in answer(desk)
    desk.fill("#desk-lam", "balanced")
    assert "Decide for 'b'" in answer(desk)


def test_the_sentence_is_that_of_the_module(desk, tmp_path, seed):
    frame = scores(np.random.default_rng(seed))
    frame.to_csv(tmp_path / "t.csv", index=False)
    load(desk, tmp_path / "t.csv")
    desk.select_option("#desk-score", "p")
    desk.fill("#desk-prevalence", "0.02")
    y = (frame["the outcome"] != "paid, late").to_numpy(int)
    slip = promise(frame["p"], y, recall=0.9, lam=audit(y, frame["p"]).lam, scores="probabilities")
    now, then = slip.at(slip.prevalence), slip.at(0.02)
    said = re.findall(r"[\d.,]+\d", answer(desk).split("above")[1])
    kept = slip.check(frame["p"], y).recall.promised
    shown = [slip.threshold, 100 * slip.choice.recall.value, 100 * kept, 1000 * now.alarms]
    found = [float(number.replace(",", "")) for number in said]
    assert found == pytest.approx(
        [*shown[:1], *shown[1:], 1000, 100 * now.precision], rel=1e-9, abs=0.51
    )
    ahead = desk.locator("section", has=desk.get_by_role("heading", name="At another prevalence"))
    assert f"{100 * then.precision:.1f}%" in ahead.inner_text()
    groups = desk.locator("figure details table tbody tr")
    assert groups.count() == 10
    with desk.expect_download() as waiting:
        desk.get_by_role("button", name="Data (CSV)").last.click()
    table = pd.read_csv(waiting.value.path())
    assert list(table)[:4] == ["threshold", "lam", "recall", "specificity"]
    for row in table.iloc[::50].itertuples():
        assert row.recall == pytest.approx((frame["p"][y == 1] > row.threshold).mean(), abs=0.01)


def test_four_counts_have_an_answer(desk):
    desk.get_by_label("A confusion table").check()
    for name, count in {"tp": 80, "fn": 20, "fp": 200}.items():
        desk.fill(f"#desk-{name}", str(count))
    assert "the answer stands here" in answer(desk)
    desk.fill("#desk-tn", "1800")
    low, high = Share(80, 100).interval()
    assert f"80.0% are found (95% interval {low:.1%} to {high:.1%})" in answer(desk)
    assert "2.5 false alarms for each row found" in answer(desk)
    text = desk.locator(".desk-results").inner_text()
    assert "between 2.5 and 90 false alarms" in text
    assert "between 0.714 and 0.989: balanced" in text
    desk.fill("#desk-prevalence", "0.5")
    assert f"{0.8 / 0.9:.1%}" in desk.locator(".desk-results").inner_text()
    desk.fill("#desk-fp", "2.5")
    assert "FP=2.5 is no count: type a whole number" in answer(desk)
    desk.fill("#desk-fp", "0")
    desk.fill("#desk-tp", "0")
    assert "there are no alarms" in answer(desk)
    desk.fill("#desk-fn", "0")
    assert "TP and FN are 0" in answer(desk)


def test_the_example_fills_the_desk_by_the_keyboard(desk):
    button = desk.get_by_role("button", name="Fill in an example")
    button.press("Enter")
    assert "Decide for 'late'" in answer(desk)
    weight = desk.locator(".desk-readings dd").first.inner_text()
    assert weight.endswith(": balanced")
    assert desk.locator("figure svg[role=img]").count() == 2
    desk.get_by_label("A confusion table").press("Space")
    button.press("Enter")
    assert "are found" in answer(desk)


@pytest.fixture(scope="module")
def built(html):
    return html / "book/desk.html"


@pytest.mark.parametrize("have", ["Labels and scores", "A confusion table"])
def test_a_filled_desk_shuts_nobody_out(browser, built, have):  # noqa: F811
    context = new_context(browser, viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = context.new_page()
    page.goto(built.as_uri())
    page.get_by_label(have).check()
    page.get_by_role("button", name="Fill in an example").click()
    page.fill("#desk-prevalence", "0.02")
    for summary in page.locator("#desk summary").all():
        summary.click()
    assert violations(page) == []
    dark(page)
    assert violations(page, "color-contrast") == []
    phone(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert violations(page, "scrollable-region-focusable") == []
    page.fill("#desk-prevalence", "2")
    assert "must be strictly between" in page.locator(".desk-answer").inner_text()
    assert violations(page, "color-contrast") == []
    context.close()


def test_without_scripts_the_desk_names_the_commands(browser, built):  # noqa: F811
    context = new_context(browser, java_script_enabled=False)
    page = context.new_page()
    page.goto(built.as_uri())
    assert "commands below do the same" in page.locator("#desk").inner_text()
    text = page.locator("article").inner_text()
    assert "crcen audit" in text
    assert "crcen choose" in text
    assert page.locator("#desk input").count() == 0
    context.close()


def test_only_the_desk_carries_its_scripts(html):
    users = [path.name for path in html.rglob("*.html") if "desk-scores.js" in path.read_text()]
    assert users == ["desk.html"]
    page = (html / "book/desk.html").read_text()
    assert f'data-version="{crcen.__version__}"' in page
    assert sum(path.stat().st_size for path in STATIC.glob("desk*")) < 80_000
