"""Tests of what `make verify` calls the same, the processor's doing, or neither."""

import doctest
import json
import math
import os
import shutil
from concurrent.futures import Future

import agreement
import plan
import pytest
import run
import verify
import yaml
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from report import CLAIMS
from tiny import edit

from crcen.results import Store

CELL = {
    **{"failed": "", "sha256": "a", "tn": 900, "fp": 100, "fn": 20, "tp": 80},
    **{"f1": 4 / 7, "gmean": 0.72**0.5, "recall": 0.8, "precision": 4 / 9, "specificity": 0.9},
    "lam": None,
}


def moved(rows, cell=CELL):
    """The cell with so many majority rows decided otherwise."""
    fp = cell["fp"] + rows
    f1 = 2 * cell["tp"] / (2 * cell["tp"] + fp + cell["fn"])
    return cell | {"tn": 1000 - fp, "fp": fp, "f1": f1, "lam": math.nan}


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


# Cells


def test_a_cell_that_comes_out_again_is_the_same():
    assert agreement.settle_cell(CELL, moved(0), {}).kind == "same"


@pytest.mark.parametrize("count", agreement.COUNTS)
def test_a_wrong_count_in_the_record_is_a_disagreement(count):
    wrong = CELL | {count: CELL[count] + 1}
    found = agreement.settle_cell(wrong, CELL, {"AVX2 kernels": CELL, "SSE kernels": CELL})
    assert found.kind == "otherwise"
    assert "1 rows otherwise" in found.line


@pytest.mark.parametrize("rate", ["f1", "gmean", "recall", "precision", "specificity", "lam"])
def test_a_wrong_score_is_a_disagreement_whatever_other_kernels_give(rate):
    wrong = CELL | {rate: 0.123}
    assert agreement.settle_cell(wrong, CELL, {"AVX2 kernels": moved(9)}).kind == "otherwise"


def test_other_data_are_a_disagreement_whatever_other_kernels_give():
    others = {"AVX2 kernels": CELL | {"sha256": "b"}}
    assert agreement.settle_cell(CELL, moved(3) | {"sha256": "b"}, others).kind == "otherwise"


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
    assert agreement.settle_cell(CELL, moved(3), others).kind == kind


@pytest.mark.parametrize(("known", "kind"), [(3, "processor"), (0, "otherwise"), (9, "otherwise")])
def test_another_machines_record_is_evidence_only_where_this_machine_gives_the_same(known, kind):
    assert agreement.settle_cell(CELL, moved(3), {}, moved(known)).kind == kind


def test_a_cell_that_failed_must_fail_again_with_the_same_kind_of_error():
    failed = {"failed": "ValueError: worse than random", "sha256": "a"}
    again = failed | {"failed": "ValueError: no better than random"}
    assert agreement.settle_cell(failed, again, {}).kind == "same"
    for other in (failed | {"failed": "RuntimeError: worse than random"}, CELL):
        assert agreement.settle_cell(failed, other, {}).kind == "otherwise"
        assert agreement.settle_cell(other, failed, {}).kind == "otherwise"


def test_the_sample_follows_from_the_seed_and_holds_what_is_at_hand(seed):
    def names(seed):
        return [name for name, _ in verify.draw(ROOT / "results", {"us_crime"}, seed)]

    drawn = names(seed)
    assert drawn == names(seed) != names(seed + 1)
    assert {name.split("/")[-3] for name in drawn} == {"us_crime"}
    wanted = {"paper", "repeated", "nested", "lambda", "wide"}
    assert {name.split("/")[0] for name in drawn} == wanted
    table = Store(ROOT / "results").table()
    n_wide = sum(name.startswith("wide/") for name in drawn)
    assert len(drawn) - n_wide == (table["dataset"] == "us_crime").sum()


class Clock:
    """Time that passes as it is told to."""

    now = 0.0

    def __call__(self):
        return self.now

    def submit(self, work, cell):
        """Take ten seconds for any work, as a pool of one process."""
        self.now += 10
        future = Future()
        future.set_result(cell)
        return future


@pytest.mark.parametrize(("end", "n"), [(-1, 1), (10, 1), (15, 2), (100, 10), (1e9, 20)])
def test_cells_are_computed_until_the_time_is_over_and_at_least_one(end, n):
    clock, cells = Clock(), [(str(i), i) for i in range(20)]
    done = [*verify.in_time(iter(cells), clock, 3, end, clock)]
    assert [name for name, *_ in done] == [str(i) for i in range(n)]
    assert all(cell == now for _, cell, now in done)


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
    cells = {str(i): agreement.Found(kind, f"line {i}") for i, kind in enumerate(kinds)}
    verdicts = {(str(i), "verdict"): agreement.Found(kind) for i, kind in enumerate(kinds)}
    monkeypatch.setattr(verify, "check_cells", lambda *_: (cells, 1.0))
    for chapters in ({}, {"tiny": verdicts}):
        monkeypatch.setattr(verify, "check_chapters", lambda *_, now=chapters: now)
        assert verify.main([], root=small) == status
        said, _, pasted = capsys.readouterr().out.partition("elsewhere.yml:\n")
        (entry,) = yaml.safe_load(pasted)
        counts = {"same": 1, "processor": 0, "otherwise": 0} | dict.fromkeys(kinds, 1)
        assert entry["cells"] == counts
        assert sum(entry["verdicts"].values()) == (len(kinds) if chapters else 0)
        for i, kind in enumerate(kinds):
            assert (f"{kind:<10} results/{i}: line {i}" in said) == (kind != "same")


@pytest.mark.slow
def test_a_planted_wrong_number_is_found_and_the_rest_is_the_same(small, capsys):
    names = [f"{p}/f1/abalone/{m}/03" for p in ("paper", "nested") for m in ("RUSB", "BRF")]
    shutil.rmtree(small / "results")
    for name in names:
        path = small / f"results/{name}.json"
        path.parent.mkdir(parents=True)
        shutil.copy(ROOT / f"results/{name}.json", path)
    assert run.run_stale("smoke", root=small, report=id)
    verify.record(small)
    wrong = json.loads(path.read_text())
    path.write_text(json.dumps(wrong | {"fp": wrong["fp"] + 7, "tn": wrong["tn"] - 7}))
    edit(small / verify.RECORD, '"answer": "42"', '"answer": "41"')
    assert verify.main(["--minutes", "5", "--seed", "3"], root=small) == 1
    said = capsys.readouterr().out
    assert f"otherwise  results/{names[-1]}: 7 rows otherwise" in said
    assert "otherwise  tiny: answer (1): 41.0 recorded, 42.0 here" in said
    (entry,) = yaml.safe_load(said.partition("elsewhere.yml:\n")[2])
    assert entry["cells"] == {"same": 3, "processor": 0, "otherwise": 1}
    assert entry["chapters"] == ["other", "tiny"]
    assert entry["numbers"] == {"same": 1, "processor": 0, "otherwise": 1, "digits": 1}
    assert entry["texts"] == {"same": 2, "processor": 0, "otherwise": 0}
    assert not [*(small / "runs").iterdir()]


# The record, and reruns elsewhere


def test_every_chapter_and_claim_is_recorded():
    recorded = json.loads((ROOT / verify.RECORD).read_text("utf8"))
    jobs = {job.source.stem for job in plan.plan(ROOT, verify.PROFILE)}
    assert recorded["chapters"].keys() == jobs - {plan.LAST}
    verdicts = [number for c in recorded["chapters"].values() for number in c["said"]["verdicts"]]
    assert sorted(verdicts) == sorted(CLAIMS)


@pytest.mark.parametrize("name", [verify.RECORD, "notebooks/elsewhere.yml"])
def test_the_record_and_reruns_elsewhere_make_no_chapter_stale_but_what_shows_them(project, name):
    before = plan.inputs(project)
    (project / name).write_text("1")
    assert plan.inputs(project) == before
    (last,) = (job for job in plan.plan(ROOT, "smoke") if job.source.stem == plan.LAST)
    assert (last.source.parent / last.parameters["elsewhere"]) == ROOT / "notebooks/elsewhere.yml"
