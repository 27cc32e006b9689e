"""Tests of the mutants: each breaks what it says and nothing else; and of what is made of them."""

import ast
import dataclasses
import json
import subprocess
import sys

import jupytext
import mutants
import nbformat
import papermill
import pytest
import run
from conftest import ROOT
from driver import controls, execution, plan
from driver.pages import glued
from driver.parameters import RunError
from report import CLAIMS

# What each mutant changes of what `observe`, below, sees.
CHANGES = {
    "exchanged": {"trained", "torch loss", "softmax"},
    "penalised bias": {"trained", "softmax"},
    "a tenth of the steps": {"trained", "flow", "softmax"},
    "heavy penalty": {"trained"},
    "steep loss": {"torch loss"},
    "leaking scaler": {"scaler"},
    "a class without stratum": {"split"},
    "permuted labels": {"means", "counts", "sample law", "recorded"},
    "permuted training labels": {"key equation", "balance", "flows"},
    "shifted logits": {"logits", "recorded", "left out"},
    "doubled logits": {"logits", "recorded", "left out"},
    "rotated methods": {"cells", "compared", "many sets"},
    "rotated alphas": {"figure 1", "steps"},
    "promises from seen rows": {"held out"},
    "promises of the population": {"fresh"},
    "shift the wrong way": {"log ratio"},
    "independent splits": {"test"},
    "another line of the paper": {"table 1", "table 2", "table 3"},
    "band without ir": {"band"},
    "loose bounds": {"bounds"},
    "forgotten root": {"spread"},
    "alpha squared": {"law", "sample law", "spread"},  # the spread is told of a point of the law
    "no batches": {"effective weight", "batches"},
    "nothing left out": {"left out"},
    "inverted price": {"price"},
    "exchanged factors": {"factors"},
    "limit one": {"limit"},
    "one balance for all": {"balance"},
    "flows without weights": {"flows"},
}

# Runs in a process of its own: each mutant in a fork of it, so that what takes long is loaded once.
OBSERVE = '''
import json, os, sys
import numpy as np, pandas as pd, scipy.integrate, torch
from tempfile import TemporaryDirectory
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch
import mutants, report
from crcen import CRCENClassifier, CRCENLoss, choice
from crcen.key_equation import mean_probabilities
from crcen.study import comparison, datasets, hundred, splits, statistics, tables
from crcen.study.methods import TABLE_3
from crcen.study.record import Record
from crcen.study.scores import Predictions
from crcen.losses import SQUARED_ERROR
from crcen.theory import bargains, deviations, expense, guarantees, laws, left_out, multiclass
from crcen.theory import price
from crcen.theory.simulations import sim2

torch.set_num_threads(1)
rng = np.random.default_rng(int(sys.argv[1]))
X, y = sim2(20, 200, rng)
three = X, np.arange(len(X)) % 3
o, p = rng.normal(size=len(y)), rng.uniform(0.05, 0.95, len(y))
P = rng.dirichlet([1, 1, 1], len(y))
apart = X + 9 * y[:, None]
folder = TemporaryDirectory()
record = Record(folder.name)
row = {"method": "MLP", "params": "{}", "split": 0, "rows": "test", "seed": 0, "failed": ""}
logits = [*range(-3000, 3000, 50)]
record.add("fits", "abalone", [row | {"positives": logits[-20:], "negatives": logits[:-20]}])
record.read()
fitted = CRCENClassifier((), lam=0.9, l2=1e-2, random_state=0).fit(X, y)
whole = Bunch(data=np.arange(60.0).reshape(20, 3))
both = {"MLP": 1.0, "CRCEN": 2.0}
test = {f"{m}, F1": Predictions(np.full(2, k), np.zeros(3)) for m, k in both.items()}
fold = {"MLP, log loss": [Predictions(np.ones(2), np.ones(4))]}
seen = Predictions(np.zeros(2), np.zeros(6))
stub = comparison.Compared("abalone", 0, test, fold, seen, {})
alphas = ["plain", "0.5", "1", "1.5", "2"]
datasets.load_dataset = lambda name: whole
tables.score_cells = hundred.score_sets = lambda *_: pd.DataFrame({"method": TABLE_3})
tables.figure_1 = lambda *_: pd.DataFrame({"alpha": alphas})
tables.figure_1_steps = lambda *_: pd.DataFrame({"step": alphas[1:]})
comparison.compared = lambda *_: [stub]


def flow():
    path = scipy.integrate.solve_ivp(
        lambda t, v: -v, (0, 4.0), [1.0], "LSODA", np.array([1.0, 4.0]), rtol=1e-8
    )
    return path.y


def trained():
    clf = CRCENClassifier((2,), lam=0.9, l2=1e-3, tol=1e-6, random_state=0).fit(X, y)
    return [clf.intercepts_[-1], clf.coefs_[-1]]


def observe():
    from crcen import key_equation

    given = CRCENClassifier((), random_state=0)
    given.classes_, given.n_features_in_, given.activation_ = np.arange(2), 3, "logistic"
    given.coefs_, given.intercepts_ = [np.ones((3, 1))], [np.ones(1)]
    datasets.load_dataset("abalone")
    softmax = LogisticRegression(C=1.0, class_weight={0: 1.0, 1: 2.0, 2: 4.0}, max_iter=500)
    point = laws.gaussian_point(2.0, 0.5)
    batches = X[:, :1], y, np.full(len(y), 0.5), 0.9, 0.1, 20
    return {
        "trained": trained(),
        "torch loss": CRCENLoss(0.9)(torch.from_numpy(o), torch.from_numpy(y)).numpy(),
        "softmax": softmax.fit(*three).predict_proba(X[:3]),
        "flow": flow(),
        "scaler": StandardScaler().fit(whole.data[:5]).mean_,
        "split": [y[part].sum() for part in next(splits.splits(y, 1, 0))],
        "means": mean_probabilities(y, p),
        "counts": expense.confusion_counts(y, y == 1),  # which no permutation keeps
        "sample law": laws.sample_point(np.arange(1.0, 30), -np.arange(1.0, 30), 0.5)[:2],
        "law": point[:2],
        "recorded": record.predictions(0).positives,
        "key equation": key_equation(y, p, 0.9),
        "balance": deviations.balance(y, o, 0.9, SQUARED_ERROR),
        "flows": multiclass.class_balance(three[1], P, [1.0, 2.0, 4.0]).out,
        "logits": given.decision_function(X),
        "cells": tables.score_cells()["method"],
        "many sets": hundred.score_sets()["method"],
        "compared": comparison.compared()[0].test["MLP, F1"].positives,
        "figure 1": tables.figure_1()["alpha"],
        "steps": tables.figure_1_steps()["step"],
        "left out": left_out.left_out_logits(fitted, X, y) - fitted.decision_function(X),
        "price": price.gaussian_price(2.0, 3, 10.0)[:1],
        "factors": bargains.factors(bargains.Step(10.0, 5.0, 2.0), 1.0, 8.0),
        "held out": stub.held_out.negatives,
        "log ratio": stub.log_ratio,
        "fresh": choice.Share(9, 10).fresh(5),
        "test": statistics.corrected_t(pd.Series(o[:8])).half,
        **{f"table {n}": report.paper_table(n).to_numpy() for n in (1, 2, 3)},
        "band": laws.expense_band(0.5, 1.0, 10.0),
        "bounds": guarantees.share_above([0.1, 0.2]).high,
        "spread": laws.fresh_ratio_spread(point, (100, 1000), (100, 100)),
        "effective weight": deviations.effective_lam(0.9, 10.0, batch_odds=1.0),
        "batches": deviations.sgd_spread(*batches),
        "limit": deviations.separable_limit(apart, y),
    }


def told(name):
    """What a fork sees in which a mutant was applied."""
    read, write = os.pipe()
    if not (child := os.fork()):
        os.close(read)
        try:
            if name:
                mutants.apply(name)
            text = json.dumps({key: repr(np.asarray(v, object)) for key, v in observe().items()})
        except BaseException as error:
            text = json.dumps({"failed": repr(error)})
        with os.fdopen(write, "w") as out:
            out.write(text)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as given:
        found = json.load(given)
    os.waitpid(child, 0)
    return found


print(json.dumps({name: told(name) for name in ("", *mutants.MUTANTS)}))
'''


@pytest.fixture(scope="module")
def seen(seed):
    """What is seen under each mutant, and without one."""
    told = subprocess.run(
        [sys.executable, "-c", OBSERVE, str(seed)],
        cwd=ROOT / "notebooks",
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(told.stdout.splitlines()[-1])


def test_there_is_a_test_of_each_mutant():
    assert mutants.MUTANTS.keys() == CHANGES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_mutant_breaks_what_it_says_and_nothing_else(seen, name):
    before, after = seen[""], seen[name]
    assert "failed" not in after, after
    assert {key for key in before if after[key] != before[key]} == CHANGES[name]


def test_the_core_and_the_chapters_know_of_no_mutant():
    sources = [*ROOT.glob("crcen/**/*.py"), *ROOT.glob("notebooks/*.md")]
    assert not [path.name for path in sources if "import mutants" in path.read_text("utf8")]


def test_each_says_in_a_sentence_what_it_does():
    for name, each in mutants.MUTANTS.items():
        assert each.what.endswith("."), name
        assert name == name.lower()


# The runs


@pytest.fixture(scope="module")
def runs():
    return controls.runs(ROOT)


def test_each_mutant_reaches_a_chapter_and_each_chapter_with_claims_is_run_as_it_is(runs):
    assert {each.mutant for each in runs} == {"", *mutants.MUTANTS}
    asked = {each.chapter for each in runs if not each.mutant}
    assert {"key-equation", "simulations", "benchmark", "separable-data"} <= asked
    assert not asked & {*plan.AFTER, "engine", "your-data"}
    assert {each.chapter for each in runs} == asked
    assert len({each.kept for each in runs}) == len(runs) == len({each.job.key for each in runs})


def test_a_run_begins_with_its_mutant_and_has_the_settings_of_the_controls(runs):
    for each in runs:
        assert each.job.profile == controls.PROFILE
        ast.parse(each.job.prelude)
        assert (f"mutants.apply({each.mutant!r})" in each.job.prelude) == bool(each.mutant)


def test_a_run_is_known_by_the_code_of_its_mutant_and_of_no_other():
    shared = "def replace(owner"
    for name in ("exchanged", "limit one"):
        code = controls.code(name)
        assert shared in code
        assert ("Objective" in code, "separable_limit" in code)[name == "limit one"]
        assert ("majority / minority" in code) == (name == "exchanged")


# The matrix, of chapters that are not really executed


def chapter(path, verdicts):
    """Write a notebook that leaves verdicts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [nbformat.v4.new_code_cell("claim()")]
    cells[0].outputs = [
        nbformat.v4.new_output(
            "display_data", metadata={"crcen_claim": {"number": n, "verdict": v, "ours": ""}}
        )
        for n, v in verdicts.items()
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(notebook, path)


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two chapters, of which the first stops under one mutant, in a folder of their own."""
    root = tmp_path / "project"
    (root / "notebooks/paper").mkdir(parents=True)
    for name, text in {
        "notebooks/one.md": "claim('1')\nclaim('2')\nlimit_one(\nCRCENLoss(\n",
        "notebooks/two.md": "claim('L1')\nseparable_limit(\n",
        "notebooks/parameters.yml": "mutants: {}\n",
        "notebooks/claims.yml": "'1': {margin: 1}\n",
    }.items():
        (root / name).write_text(text)
    executed = []

    def execute_all(jobs, root, workers, report):
        failures = {}
        for job in jobs:
            executed.append(job.target.stem)
            steep = "steep loss" in job.prelude
            verdicts = {"1": "partly" if steep else "reproduced"}
            verdicts |= {} if steep else {"2": "not"}
            if job.source.stem == "two":
                verdicts = {"L1": "not" if job.prelude else "reproduced"}
            chapter(
                root / f"runs/{job.target.stem}-failed.ipynb" if steep else job.target, verdicts
            )
            if steep:
                failures[job.key] = f"{job.source.stem}: cell [2] raised ValueError: no\n  see it"
        return failures

    some = {name: mutants.MUTANTS[name] for name in ("steep loss", "limit one")}
    monkeypatch.setattr(mutants, "MUTANTS", some)
    monkeypatch.setattr(controls, "execute_all", execute_all)
    monkeypatch.setattr(controls, "fetch_data", lambda jobs, report: None)
    return root, executed


def test_the_matrix_has_the_verdicts_that_turn_and_says_where_a_chapter_stops(two):
    root, executed = two
    (root / "runs").mkdir()
    found = json.loads(controls.matrix(root, 1, lambda line: None).read_text("utf8"))
    assert found["claims"] == {
        "1": {
            "chapter": "one",
            "verdict": "reproduced",
            "tried": ["steep loss"],
            "turned": {"steep loss": "partly"},
        },
        "2": {
            "chapter": "one",
            "verdict": "not",
            "tried": ["steep loss"],
            "turned": {"steep loss": controls.STOPS},
        },
        "L1": {
            "chapter": "two",
            "verdict": "reproduced",
            "tried": ["limit one"],
            "turned": {"limit one": "not"},
        },
    }
    assert found["stopped"] == {"one, steep loss": "ValueError"}
    assert found["chapters"] == {n: plan.standing(root, "mutants")[n] for n in ("one", "two")}
    assert sorted(executed) == [
        "one--as-it-is", "one--steep-loss", "two--as-it-is", "two--limit-one",
    ]  # fmt: skip
    assert not list((root / "runs").rglob("*.ipynb"))


def test_what_has_been_run_is_not_run_again_unless_it_rests_on_something_else(two):
    root, executed = two
    (root / "runs").mkdir()
    first = controls.matrix(root, 1, lambda line: None).read_text("utf8")
    del executed[:]
    assert controls.matrix(root, 1, lambda line: None).read_text("utf8") == first
    assert executed == []
    with (root / "notebooks/two.md").open("a") as file:
        file.write("Another word.\n")
    controls.matrix(root, 1, lambda line: None)
    assert executed == []
    with (root / "notebooks/two.md").open("a") as file:
        file.write("```{code-cell} python\nanother = 'line'\n```\n")
    controls.matrix(root, 1, lambda line: None)
    assert sorted(executed) == ["two--as-it-is", "two--limit-one"]


def test_a_kernel_that_dies_is_no_verdict(two, monkeypatch):
    root, _ = two
    (root / "runs").mkdir()
    monkeypatch.setattr(
        controls, "execute_all", lambda jobs, *_: {job.key: "one: its kernel died" for job in jobs}
    )
    with pytest.raises(RunError, match="kernel died"):
        controls.matrix(root, 1, lambda line: None)
    assert not (root / controls.RECORD).exists()


def test_a_chapter_that_stops_as_it_is_is_an_error(two, monkeypatch):
    root, _ = two
    (root / "runs").mkdir()

    def execute_all(jobs, root, *_):
        for job in jobs:
            chapter(root / f"runs/{job.target.stem}-failed.ipynb", {})
        return {job.key: "one: cell [1] raised KeyError: 1" for job in jobs}

    monkeypatch.setattr(controls, "execute_all", execute_all)
    with pytest.raises(RunError, match="stops though nothing was done to it: KeyError"):
        controls.matrix(root, 1, lambda line: None)


def test_one_command_writes_it(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        controls, "matrix", lambda root, workers: asked.append((root, workers)) or "written"
    )
    assert run.main(["--mutants", "--jobs", "2"], root=ROOT) == 0
    assert asked == [(ROOT, 2)]
    assert capsys.readouterr().out == "written\n"


def test_a_margin_counts_for_the_chapter_that_asks_for_it(two):
    root, _ = two
    with (root / "notebooks/one.md").open("a") as file:
        file.write('margin("1")\n')
    before = plan.standing(root, "mutants")
    (root / "notebooks/claims.yml").write_text("'1': {margin: 2}\n")
    after = plan.standing(root, "mutants")
    assert (before["one"] == after["one"], before["two"] == after["two"]) == (False, True)


def test_a_prelude_runs_before_the_notebook(project):
    job = next(job for job in plan.plan(project, "smoke") if job.source.stem == "other")
    job = dataclasses.replace(job, prelude="print('first')")
    assert execution.execute_all([job], project, 1, lambda line: None) == {}
    cells = nbformat.read(job.target, as_version=4).cells
    printed = [output["text"] for cell in cells for output in cell.get("outputs", [])]
    assert printed == ["first\n", "other\n"]


# What is recorded


def test_the_controls_cover_every_claim_and_every_mutant():
    recorded = json.loads((ROOT / controls.RECORD).read_text("utf8"))
    assert recorded["claims"].keys() == CLAIMS.keys()
    assert recorded["mutants"] == {name: each.what for name, each in mutants.MUTANTS.items()}


def test_the_controls_are_of_the_chapters_as_they_stand():
    recorded = json.loads((ROOT / controls.RECORD).read_text("utf8"))
    stands = plan.standing(ROOT, controls.PROFILE)
    assert recorded["chapters"] == {name: stands[name] for name in recorded["chapters"]}


SMALL = {
    "chapters": {"key-equation": "of old"},
    "mutants": {"exchanged": "Weights change places.", "steep loss": "Twice."},
    "stopped": {"key-equation, steep loss": "ValueError"},
    "claims": {
        "1": {
            "chapter": "key-equation",
            "verdict": "reproduced",
            "tried": ["exchanged", "steep loss"],
            "turned": {"steep loss": controls.STOPS},
        },
        "2": {
            "chapter": "key-equation",
            "verdict": "reproduced",
            "tried": ["exchanged", "steep loss"],
            "turned": {},
        },
        "L1": {
            "chapter": "one-curve",
            "verdict": "not",
            "tried": ["exchanged"],
            "turned": {"exchanged": "undecided"},
        },
    },
}


def executed(tmp_path, recorded):
    """Execute the page."""
    (tmp_path / "small.json").write_text(json.dumps(recorded))
    return papermill.execute_notebook(
        jupytext.read(ROOT / "notebooks/controls.md"),
        tmp_path / "controls.ipynb",
        {"mutants": str(tmp_path / "small.json")},
        kernel_name="python3",
        cwd=ROOT / "notebooks",
        progress_bar=False,
    )


@pytest.mark.slow
def test_the_page_says_that_nothing_was_tried(tmp_path):
    said = glued(executed(tmp_path, SMALL | {"claims": {}, "chapters": {}, "stopped": {}}))
    assert (said["control_turned"], said["control_runs"]) == ("0 of 0", "0")


@pytest.mark.slow
def test_the_page_shows_what_turns_and_marks_what_does_not(tmp_path):
    page = executed(tmp_path, SMALL)
    outputs = [output for cell in page.cells for output in cell.get("outputs", [])]
    said = glued(page)
    assert said["control_earned"] == "1 of 2"
    assert said["control_turned"] == "2 of 3"
    assert said["control_open"] == "claim 2"
    assert said["control_outdated"] == "key-equation"
    assert said["control_missing"].startswith("claim 3, claim 4, ")
    html = "".join(output["data"].get("text/html", "") for output in outputs if "data" in output)
    assert 'title="stops under: steep loss">S</abbr>' in html
    assert 'title="undecided under: exchanged">U</abbr>' in html
    assert "no mutant" in html
    assert 'id="control-L1" href="one-curve.html#claim-L1"' in html
