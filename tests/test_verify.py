"""Tests of what `make verify` calls the same, the processor's doing, or neither."""

import ast
import doctest
import json
import math
import os
import re
import shutil
from concurrent.futures import Future

import numpy as np
import pytest
import run
import verify
import yaml
from conftest import ROOT
from driver import agreement, plan
from hypothesis import given
from hypothesis import strategies as st
from report import CLAIMS
from tiny import edit

from crcen.study import record as record_module
from crcen.study.methods import COMPARED, STOPPED
from crcen.study.protocol import Protocol, cells
from crcen.study.record import Record, thousandths
from crcen.study.run import fill

COUNTS = {"tn": 900, "fp": 100, "fn": 20, "tp": 80}
FIT = {"failed": "", "data": "a", "lam": math.nan} | COUNTS


def moved(rows, fit=FIT):
    """The fit with so many majority rows decided otherwise."""
    return fit | {"tn": fit["tn"] - rows, "fp": fit["fp"] + rows}


def test_the_examples_of_the_docstrings_come_out():
    assert doctest.testmod(agreement) == (0, 2)


# Numbers


@given(st.integers(1, 14), st.floats(1e-100, 1e100), st.sampled_from([-1, 1]))
def test_numbers_agree_to_as_many_digits_as_their_difference_leaves(k, x, sign):
    assert agreement.digits(sign * x, sign * x * (1 + 0.5 * 10**-k)) == k


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [(0, 0, 16), (0, 1e-9, 0), (math.nan, math.nan, 16), (math.nan, 1, 0), (math.inf, 1, 0)],
)
def test_zero_and_what_is_no_number_agree_with_themselves_alone(a, b, same):
    assert agreement.digits(a, b) == agreement.digits(b, a) == same


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0.92 (0.01)", [0.92, 0.01]),
        ("\N{MINUS SIGN}3 of 1,234,567", [-3, 1234567]),
        ("2×10⁻⁸, 10⁻⁸", [2e-8, 10, -8]),
        ("1,2 and 3", [1, 2, 3]),
        ("none", []),
        ("5.5, 1e-3.", [5.5, 0.001]),
    ],
)
def test_a_text_is_words_and_numbers(text, numbers):
    found = agreement.values({"name": text})
    words = found.pop(("name", "words"))
    assert [*found.values()] == numbers
    assert words.count("#") == len(numbers)


# Fits


def test_a_fit_that_comes_out_again_is_the_same():
    assert agreement.settle_fit(FIT, moved(0), {}).kind == "same"


@pytest.mark.parametrize("count", agreement.COUNTS)
def test_a_wrong_count_in_the_record_is_a_disagreement(count):
    wrong = FIT | {count: FIT[count] + 1}
    found = agreement.settle_fit(wrong, FIT, {"AVX2 kernels": FIT, "SSE kernels": FIT})
    assert found.kind == "otherwise"
    assert "1 rows otherwise" in found.line


@pytest.mark.parametrize(("lam", "wrong"), [(math.nan, 0.5), (0.8, math.nan), (0.8, 0.8 + 1e-9)])
def test_a_wrong_weight_is_a_disagreement_whatever_other_kernels_give(lam, wrong):
    fit = FIT | {"lam": lam}
    others = {"AVX2 kernels": moved(9, fit), "SSE kernels": fit | {"lam": wrong}}
    assert agreement.settle_fit(fit | {"lam": wrong}, fit, others, [fit]).kind == "otherwise"
    assert agreement.settle_fit(fit, fit | {"lam": lam * (1 + 1e-15)}, {}).kind == "same"


def test_other_data_are_a_disagreement_whatever_other_kernels_give():
    others = {"AVX2 kernels": FIT | {"data": "b"}}
    assert agreement.settle_fit(FIT, moved(3) | {"data": "b"}, others).kind == "otherwise"
    assert agreement.settle_fit(FIT, FIT | {"data": "b"}, {"AVX2 kernels": FIT}).kind == "otherwise"


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ([], "otherwise"),
        ([3], "otherwise"),  # gives what this machine gives
        ([4], "otherwise"),  # far from the record, but near to here
        ([0], "processor"),  # gives what is recorded
        ([6], "processor"),  # is as far from here as the record
        ([1], "otherwise"),
        ([1, 4], "processor"),  # are as far from each other
        ([3, 0], "processor"),
    ],
)
def test_a_difference_is_the_processors_only_with_evidence(others, kind):
    others = {f"kernels {i}": moved(rows) for i, rows in enumerate(others)}
    assert agreement.settle_fit(FIT, moved(3), others).kind == kind


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        ([3], "processor"),
        ([0], "otherwise"),
        ([9], "otherwise"),
        ([], "otherwise"),
        ([9, 3], "processor"),
        ([0, 9], "otherwise"),
    ],
)
def test_another_machines_record_is_evidence_only_where_this_machine_gives_the_same(known, kind):
    assert agreement.settle_fit(FIT, moved(3), {}, map(moved, known)).kind == kind


def test_a_fit_that_failed_must_fail_again_with_the_same_kind_of_error():
    failed = {"failed": "ValueError: worse than random", "data": "a"}
    again = failed | {"failed": "ValueError: no better than random"}
    assert agreement.settle_fit(failed, again, {}).kind == "same"
    for other in (failed | {"failed": "RuntimeError: worse than random"}, FIT):
        assert agreement.settle_fit(failed, other, {}).kind == "otherwise"
        assert agreement.settle_fit(other, failed, {}).kind == "otherwise"


def row(split=0, **more):
    """A row of a record, of which 2 of 3 minority rows and no majority row are decided for 1."""
    key = {"method": "CRCEN", "params": "{}", "split": split, "rows": "test", "seed": 0}
    logits = {"positives": [-1, 2, 3], "negatives": [-3, -2]}
    return key | {"failed": "", "lam": 0.8, "data": "a", "seconds": 1.0} | logits | more


@pytest.fixture
def two_environments(tmp_path, monkeypatch):
    """A record of what may be drawn, of what may not, and of another processor."""
    record, wish = Record(tmp_path), '{"lam": "recall 0.8"}'
    none = {"failed": "ValueError: none", "lam": math.nan, "positives": None, "negatives": None}
    record.add("fits", "one", [row(k) for k in range(5)])
    record.add("fits", "one", [row(rows="0"), row(rows="train"), row(params=wish)])
    record.add("fits", "one", [row(1, params=wish) | none, row(9) | none])
    record.add("fits", "two", [row()])
    with monkeypatch.context() as patch:
        patch.setattr(record_module, "kernels", lambda: {"numba": "other"})
        record.add("fits", "one", [row(0, negatives=[-3, 2]), row(77)])
    return tmp_path


def test_what_is_drawn_is_at_hand_of_one_environment_and_can_be_made_again(two_environments):
    drawn = dict(verify.draw(Record(two_environments), {"one"}, 3))
    key = {(found["split"], found["params"]) for found in drawn.values()}
    assert key == {(k, "{}") for k in (0, 1, 2, 3, 4, 9)} | {(0, '{"lam": "recall 0.8"}')}
    assert len(drawn) == len(key)
    found = drawn["fit of CRCEN on one, split 0 of seed 0, {}"]
    counts = {"tn": 2, "fp": 0, "fn": 1, "tp": 2}
    assert {name: found[name] for name in FIT} == FIT | counts | {"lam": 0.8}


def test_what_other_environments_have_of_a_fit_is_known(two_environments):
    drawn = dict(verify.draw(Record(two_environments), {"one"}, 3))
    known = verify.known_elsewhere(two_environments, drawn)
    found = {name: [each["fp"] for each in some] for name, some in known.items() if some}
    assert found == {"fit of CRCEN on one, split 0 of seed 0, {}": [1]}
    assert verify.known_elsewhere(two_environments, {}) == {}


def test_the_sample_follows_from_the_seed_and_holds_what_is_at_hand(seed):
    record = Record(ROOT / "results")

    def names(seed):
        return [name for name, _ in verify.draw(record, {"us_crime"}, seed)]

    drawn = names(seed)
    assert drawn == names(seed) != names(seed + 1)
    assert all(" on us_crime, " in name for name in drawn)
    asked = record.fits.query("dataset == 'us_crime' and rows == 'test'")
    main = asked[asked["environment"] == next(iter(record.environments))]
    wishes = main["params"].map(verify.wished)
    assert len(set(drawn)) == len(main) - (wishes & main["lam"].isna()).sum()
    assert wishes.any()
    assert {*main["method"]} >= {*COMPARED, *STOPPED} - {"MLP moved"}


@pytest.mark.parametrize(("weight", "lam"), [("alpha 2", 2 / 3), ("expense 5", 0.7)])
def test_a_weight_that_has_a_name_is_the_recorded_one_or_follows_from_it(weight, lam, monkeypatch):
    asked = []
    monkeypatch.setattr(verify, "imbalance_ratio", lambda y: 1)
    monkeypatch.setattr(verify, "fit", lambda *given, seed: asked.append((given[1], seed)) or 1 / 0)
    recorded = row(2, seed=5, lam=0.7, dataset="abalone", params=json.dumps({"lam": weight}))
    with pytest.raises(ZeroDivisionError):
        verify.recompute(recorded)
    assert asked == [({"lam": pytest.approx(lam)}, 7)]


class Clock:
    """Time that passes as it is told to."""

    now = 0.0

    def __call__(self):
        return self.now

    def submit(self, work, fit):
        """Take ten seconds for any work, as a pool of one process."""
        self.now += 10
        future = Future()
        future.set_result(fit)
        return future


@pytest.mark.parametrize(("end", "n"), [(-1, 1), (10, 1), (15, 2), (100, 10), (1e9, 20)])
def test_fits_are_made_again_until_the_time_is_over_and_at_least_one(end, n):
    clock, fits = Clock(), [(str(i), i) for i in range(20)]
    done = [*verify.in_time(iter(fits), clock, 3, end, clock)]
    assert [name for name, *_ in done] == [str(i) for i in range(n)]
    assert all(recorded == now for _, recorded, now in done)


def test_variables_that_choose_kernels_are_put_back(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    before = {**os.environ}
    for variables in verify.KERNELS.values():
        with verify.kernels(variables):
            assert os.environ.items() >= variables.items()
            assert ("OPENBLAS_CORETYPE" in os.environ) == bool(variables)
        assert {**os.environ} == before


# Chapters


@pytest.mark.parametrize(
    ("recorded", "here", "other", "kind"),
    [
        (0.92, 0.92, None, "same"),
        (0.92, 0.92, 0.5, "same"),
        (0.92, 0.93, None, "otherwise"),  # nothing else was tried
        (0.92, 0.93, 0.93, "otherwise"),  # other kernels give the same
        (0.92, 0.93, 0.92, "processor"),
        (0.92, 0.93, 0.932, "processor"),
        (0.92, 0.93, 0.9301, "otherwise"),  # it moves, but by too little
        ("partly", "not", "not", "otherwise"),
        ("partly", "not", "partly", "processor"),
    ],
)
def test_a_number_or_verdict_is_the_processors_if_other_kernels_move_it(
    recorded, here, other, kind
):
    assert agreement.settle(recorded, here, other) == kind


def test_what_is_said_no_more_or_in_other_words_differs():
    then = agreement.values({"a": "1 of 2", "b": "0.5"})
    now = agreement.values({"a": "1 and 2", "c": "0.5"})
    found = agreement.settle_chapter(then, now, None)
    kinds = {place: each.kind for place, each in found.items()}
    assert [place for place, kind in kinds.items() if kind == "same"] == [("a", "1"), ("a", "2")]
    assert {name for (name, _), kind in kinds.items() if kind == "otherwise"} == {"a", "b", "c"}


def test_a_chapter_changed_since_is_no_disagreement_and_said_so():
    then, now = agreement.values({"a": "1, 2"}), agreement.values({"a": "1, 3"})
    found = agreement.settle_chapter(then, now, now, "crcen/solver.py")
    assert [each.kind for each in found.values()] == ["same", "same", "outdated"]
    assert "crcen/solver.py" in found["a", "2"].line


def test_chapters_are_chosen_that_can_run_twice_in_the_time_left():
    cost = {"a": 10, "b": 100, "c": 10, "d": 10}
    assert verify.fitting([*cost], cost, 60, 1) == ["a", "c", "d"]
    assert verify.fitting([*cost], cost, 40, 1) == ["a", "c"]
    assert verify.fitting([*cost], cost, 19, 2) == []
    assert verify.fitting(["b", "a"], cost, 200, 2) == ["b", "a"]


@pytest.fixture
def small(project, monkeypatch):
    """The project of three notebooks, recorded."""
    monkeypatch.setattr(verify, "PROFILE", "smoke")
    monkeypatch.setattr(verify, "at_hand", lambda: ["abalone"])
    verify.record(project)
    return project


def test_chapters_are_recorded_from_a_fresh_book_alone(small, capsys):
    recorded = json.loads((small / verify.RECORD).read_text())
    assert recorded["chapters"]["tiny"]["said"]["texts"] == {"answer": "42", "constant": "0.5"}
    assert recorded["chapters"].keys() == {"tiny", "other"}
    assert {job.source.stem for job in plan.plan(small, "smoke") if not job.fresh} == set()
    edit(small / "crcen/answer.py", "41", "40")
    assert verify.main(["--record"], root=small) == 2
    assert "must be executed first: `make book`" in capsys.readouterr().err


def check(root, says, others, clock=None, end=1e9):
    """Compare the chapters where executing them, in ten seconds each, gives what `says` has."""
    recorded = json.loads((root / verify.RECORD).read_text())
    clock, ran = clock or Clock(), []

    def execute(jobs, root, workers):
        clock.now += 10 * len(jobs)
        ran.extend(job.source.stem for job in jobs)
        answer = says[bool(os.environ.get("OPENBLAS_CORETYPE"))]
        texts = {"tiny": {"answer": answer, "constant": "0.5"}, "other": {}}
        return {j.source.stem: {"texts": texts[j.source.stem], "verdicts": {}} for j in jobs}

    found = verify.check_chapters(root, recorded, 0, end, 1, 1, others, execute, clock)
    return found, ran


@pytest.mark.parametrize(
    ("says", "kind"),
    [(("42", "40"), "same"), (("43", "43"), "otherwise"), (("43", "42"), "processor")],
)
def test_a_chapter_that_differs_is_executed_with_other_kernels(small, monkeypatch, says, kind):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    found, ran = check(small, says, {"AVX2 kernels": verify.KERNELS["AVX2 kernels"]})
    assert found["tiny"]["answer", "1"].kind == kind
    assert ran.count("tiny") == 1 + (says[0] != "42")
    assert ran.count("other") == 1


def test_chapters_that_load_data_are_left_out_where_other_sets_are_at_hand(
    small, monkeypatch, capsys
):
    other = small / "notebooks/other.md"
    other.write_text(other.read_text().replace("print(", "load_set(") + "\n")
    monkeypatch.setattr(verify, "at_hand", lambda: [])
    assert check(small, ("42", "42"), {})[1] == ["tiny"]
    assert "not compared, for they rest on other data sets here: other\n" in capsys.readouterr().out


def test_no_chapter_is_begun_that_the_time_left_does_not_allow(small):
    recorded = json.loads((small / verify.RECORD).read_text())
    for chapter in recorded["chapters"].values():
        chapter["seconds"] = 10
    (small / verify.RECORD).write_text(json.dumps(recorded))
    found, ran = check(small, ("42", "42"), {}, end=35)  # of which the first takes 10
    assert (len(found), len(ran)) == (2, 2)
    found, ran = check(small, ("42", "42"), {}, end=29)
    assert (len(found), len(ran)) == (1, 1)
    assert check(small, ("42", "42"), {}, end=19)[0] == {}


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (["same"], 0),
        (["same", "processor"], 0),
        (["outdated", "same"], 0),
        (["same", "otherwise", "processor"], 1),
    ],
)
def test_the_exit_status_tells_of_disagreements_alone(small, monkeypatch, capsys, kinds, status):
    fits = {f"fit {i}": agreement.Found(kind, f"line {i}") for i, kind in enumerate(kinds)}
    verdicts = {(str(i), "verdict"): agreement.Found(kind) for i, kind in enumerate(kinds)}
    monkeypatch.setattr(verify, "check_fits", lambda *_: (fits, 1.0))
    for chapters in ({}, {"tiny": verdicts}):
        monkeypatch.setattr(verify, "check_chapters", lambda *_, now=chapters: now)
        assert verify.main([], root=small) == status
        said, _, pasted = capsys.readouterr().out.partition("elsewhere.yml:\n")
        (entry,) = yaml.safe_load(pasted)
        counts = {"same": 1, "processor": 0, "otherwise": 0} | dict.fromkeys(kinds, 1)
        assert entry["fits"] == counts
        assert sum(entry["verdicts"].values()) == (len(kinds) if chapters else 0)
        for i, kind in enumerate(kinds):
            assert (f"{kind:<10} fit {i}: line {i}" in said) == (kind != "same")


@pytest.mark.slow
def test_a_planted_wrong_number_is_found_and_the_rest_is_the_same(small, capsys):
    shutil.rmtree(small / "results")
    record = Record(small / "results")
    fill(record, cells(["abalone"], ["RUSB", "BRF", "LR"], {"paper": Protocol(2)}), report=id)
    n = len(record.fits)
    fits = record.fits.query("method == 'BRF' and split == 1")
    [(place, wrong)] = fits.iterrows()
    positives, negatives = record.predictions(place)
    negatives[np.flatnonzero(negatives < 0)[-7:]] *= -1
    logits = {"positives": thousandths(positives), "negatives": thousandths(negatives)}
    key = wrong.drop(["environment", "dataset"]).to_dict()
    record.add("fits", "abalone", [key | logits])
    assert run.run_stale("smoke", root=small, report=id)
    verify.record(small)
    edit(small / verify.RECORD, '"answer": "42"', '"answer": "41"')
    assert verify.main(["--minutes", "5", "--seed", "3"], root=small) == 1
    said = capsys.readouterr().out
    assert "otherwise  fit of BRF on abalone, split 1 of seed 0, {}: 7 rows otherwise" in said
    assert "otherwise  tiny: answer (1): 41.0 recorded, 42.0 here" in said
    (entry,) = yaml.safe_load(said.partition("elsewhere.yml:\n")[2])
    assert entry["fits"] == {"same": n - 1, "processor": 0, "otherwise": 1}
    assert entry["chapters"] == ["other", "tiny"]
    assert entry["numbers"] == {"same": 1, "processor": 0, "otherwise": 1, "digits": 1}
    assert entry["texts"] == {"same": 2, "processor": 0, "otherwise": 0}
    assert not [*(small / "runs").iterdir()]


# The record, and reruns elsewhere


def test_a_chapter_rests_on_all_modules_beside_it_that_it_imports():
    chapters = ROOT.glob("notebooks/*.md")
    imported = {
        name
        for chapter in chapters
        for name in re.findall(r"^(?:from|import) (\w+)", chapter.read_text("utf8"), re.MULTILINE)
    }
    there = {path.stem for path in ROOT.glob("notebooks/*.py")}
    beside, new = set(), imported & there
    while new:  # and what these import in turn
        beside |= new
        trees = [ast.parse((ROOT / f"notebooks/{name}.py").read_text("utf8")) for name in new]
        nodes = [node for tree in trees for node in ast.walk(tree)]
        new = {node.module for node in nodes if isinstance(node, ast.ImportFrom)} & there - beside
    files = verify.basis(ROOT, ROOT / "notebooks/engine.md")
    assert {name for name in files if re.fullmatch(r"notebooks/\w+\.py", name)} == {
        f"notebooks/{name}.py" for name in beside
    }
    assert {"crcen/solver.py", "crcen/study/fit.py", "code"} <= files.keys()


def test_only_a_chapter_that_names_the_report_of_ones_own_rests_on_it():
    for name, rests in (("engine", False), ("your-data", True)):
        files = verify.basis(ROOT, ROOT / f"notebooks/{name}.md")
        assert ("crcen/own/models.py" in files) == rests
    # Nothing else in the module imports it, or a chapter could rest on it unseen.
    importing = {
        path.relative_to(ROOT).as_posix()
        for path in [*ROOT.glob("crcen/**/*.py"), *ROOT.glob("notebooks/*.py")]
        if re.search(r"^\s*(from|import) crcen\.own", path.read_text("utf8"), re.MULTILINE)
    }
    assert {name for name in importing if not name.startswith("crcen/own/")} == {"crcen/command.py"}


def test_every_chapter_and_claim_is_recorded():
    recorded = json.loads((ROOT / verify.RECORD).read_text("utf8"))
    jobs = {job.source.stem for job in plan.plan(ROOT, verify.PROFILE)}
    assert recorded["chapters"].keys() == jobs - {*plan.AFTER}
    verdicts = [number for c in recorded["chapters"].values() for number in c["said"]["verdicts"]]
    assert sorted(verdicts) == sorted(CLAIMS)


@pytest.mark.parametrize("name", [verify.RECORD, "notebooks/elsewhere.yml"])
def test_the_record_and_reruns_elsewhere_make_no_chapter_stale_but_what_shows_them(project, name):
    before = plan.inputs(project)
    (project / name).write_text("1")
    assert plan.inputs(project) == before
    (last,) = (job for job in plan.plan(ROOT, "smoke") if job.source.stem == plan.LAST)
    assert (last.source.parent / last.parameters["elsewhere"]) == ROOT / "notebooks/elsewhere.yml"
