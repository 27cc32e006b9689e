import io
import json
import os
import subprocess
import sys
from uuid import uuid4

import psutil
import pytest
import run
from conftest import ROOT
from driver import execution, plan
from tiny import NAMES, PATH, edit, printed


def stale(root, profile="smoke"):
    return {job.source.stem for job in plan.plan(root, profile) if not job.fresh}


def test_nothing_runs_when_nothing_changed(project):
    lines = []
    assert run.run_stale("smoke", root=project, report=lines.append) == []
    assert sorted(line.split() for line in lines) == [
        ["claims", "fresh"],
        ["other", "fresh"],
        ["tiny", "fresh"],
    ]


@pytest.mark.parametrize(
    "name",
    [
        "crcen/answer.py",
        "results/cell/scores.csv",
        "notebooks/paper/table.csv",
        "notebooks/sources.yml",
        "requirements.txt",
        "tiny.npz",
    ],
)
def test_a_changed_input_makes_every_chapter_stale(project, name):
    with (project / name).open("a") as file:
        file.write(" ")
    assert stale(project) == {"tiny", "other", "claims"}


@pytest.mark.parametrize(
    "name", ["crcen/new.py", "notebooks/helper.py", "notebooks/driver/helper.py", "results/new.csv"]
)
def test_a_new_input_makes_every_chapter_stale(project, name):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("")
    assert stale(project) == {"tiny", "other", "claims"}


@pytest.mark.parametrize("name", ["results/.scratch-1", "notebooks/.ipynb_checkpoints/helper.py"])
def test_what_is_hidden_is_no_input(project, name):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("")
    assert stale(project) == set()


def test_a_missing_data_set_makes_every_chapter_stale(project):
    (project / "tiny.npz").unlink()
    assert stale(project) == {"tiny", "other", "claims"}


def test_the_text_of_a_notebook_concerns_that_notebook(project):
    edit(project / "notebooks/tiny.md", "# Tiny", "# Small")
    assert stale(project) == {"tiny"}


def test_a_parameter_concerns_its_notebook(project):
    edit(project / "notebooks/parameters.yml", "n_runs: 1}", "n_runs: 2}")
    assert stale(project) == {"tiny"}
    edit(project / "notebooks/parameters.yml", "n_runs: 2}", "n_runs:   1}")
    assert stale(project) == set()


def test_a_profile_with_other_values_is_stale(project):
    assert stale(project, "paper") == {"tiny"}


@pytest.mark.slow
def test_a_stale_chapter_is_run_again_and_the_ledger_after_it(project):
    edit(project / "notebooks/tiny.md", "ANSWER +", "1000 * ANSWER +")
    assert run.run_stale("smoke", root=project, report=id) == ["tiny", "claims"]
    chapter = project / "book/chapters/tiny.ipynb"
    assert printed(chapter) == "41001 0.5 [5, 10] crcen\n"
    assert stale(project) == set()


def test_a_chapter_records_how_it_was_made(project):
    made = json.loads((project / "book/chapters/tiny.ipynb").read_text())["metadata"]["crcen"]
    assert made["profile"] == "smoke"
    assert made["parameters"] == {"n_runs": 1, "rate": 0.5, "sizes": [5, 10], "method": "crcen"}
    assert set(made["versions"]) > {"python", "torch", "scikit-learn"}
    assert made["seconds"] > 0


def test_the_module_in_the_project_is_the_one_imported(project):
    assert printed(project / "book/chapters/tiny.ipynb").startswith("42 ")


@pytest.mark.slow
def test_a_failing_notebook_is_kept_apart(project):
    chapters = {path.name: path.read_bytes() for path in (project / "book/chapters").iterdir()}
    edit(project / "notebooks/tiny.md", "ANSWER +", "1 / 0 +")
    edit(project / "notebooks/other.md", "'other'", "'another'")
    edit(project / "notebooks/claims.md", "'other'", "'another'")
    with pytest.raises(run.RunError, match=r"tiny: cell \[\d\] raised ZeroDivisionError") as failed:
        run.run_stale("smoke", root=project, report=id)
    assert failed.value.status == 1
    assert "ZeroDivisionError" in (project / "runs/tiny-failed.ipynb").read_text()
    after = {path.name: path.read_bytes() for path in (project / "book/chapters").iterdir()}
    assert {name for name in after if after[name] != chapters.get(name)} == {"other.ipynb"}
    assert [path.name for path in (project / "runs").iterdir()] == ["tiny-failed.ipynb"]


@pytest.mark.slow
def test_a_kernel_that_dies_is_a_failure(project):
    edit(project / "notebooks/other.md", "print('other')", "import os; os._exit(1)")
    with pytest.raises(run.RunError, match="other: its kernel died"):
        run.run_stale("smoke", root=project, report=id)


def test_a_kernel_that_does_not_start_is_started_again():
    failures = iter([RuntimeError("Kernel died before replying to kernel_info")] * 2)

    def start():
        for failure in failures:
            raise failure
        return "ran"

    assert execution.started(start) == "ran"
    failures = iter([RuntimeError("Kernel died before replying to kernel_info")] * 2)
    with pytest.raises(run.RunError, match="does not start: Kernel died"):
        execution.started(start, attempts=2)
    failures = iter([RuntimeError("something else")])
    with pytest.raises(RuntimeError, match="something else"):
        execution.started(start)


STARTS = """
import subprocess, sys
for _ in range(60):
    subprocess.Popen(["sleep", "100"])
    print(flush=True)
"""


def test_what_a_worker_starts_while_it_is_ended_does_not_live_on():
    """As a kernel would, and tell of the scratch folder that it is missing."""
    token = uuid4().hex
    environment = os.environ | {"CRCEN_STARTED_BY": token}
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", STARTS], env=environment, stdout=subprocess.PIPE
        ) as worker:
            worker.stdout.readline()
            execution._end(worker.pid)
        _, left = psutil.wait_procs(
            [p for p in psutil.process_iter() if started_by(p, token)], timeout=20
        )  # as the signal may need a moment; a process that it missed sleeps for longer
        assert not left


def started_by(process, token):
    try:
        return process.environ().get("CRCEN_STARTED_BY") == token
    except psutil.Error:  # gone meanwhile, or a stranger's
        return False


@pytest.mark.slow
def test_looking_for_data_imports_nothing_that_takes_long():
    code = (
        "import run, sys; from crcen.study.datasets import locate_dataset;"
        "print(len(locate_dataset('abalone')), {'torch', 'sklearn', 'pandas'} & {*sys.modules})"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "notebooks",
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert found == "1 set()\n"


@pytest.mark.slow
def test_the_driver_takes_the_crcen_of_its_own_root(small_book):
    code = "import run; from crcen.study import datasets; print(run.ROOT, datasets.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=small_book / "notebooks",
        env=os.environ | {"PYTHONPATH": str(ROOT)},  # where there is another
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert found == f"{small_book} {small_book}/crcen/study/datasets.py\n"


@pytest.mark.slow
def test_a_terminal_shows_which_cell_a_notebook_is_at(project, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    edit(project / "notebooks/tiny.md", "# Tiny", "# Small")
    monkeypatch.setattr(sys, "stderr", Terminal())
    run.run_stale("smoke", root=project, report=id)
    assert "s: tiny cell" in sys.stderr.getvalue()
    assert sys.stderr.getvalue().endswith("\r\033[K")


def test_data_that_cannot_be_had_are_named_once(project):
    (project / "tiny.npz").unlink()
    edit(project / "notebooks/other.md", "# Other\n", NAMES)
    lines = []
    execution.fetch_data(plan.plan(project, "smoke"), lines.append)
    assert lines == ["not to be had: tiny; the chapters go on without"]


def test_data_that_no_parameter_names_are_not_asked_for(project):
    (project / "tiny.npz").unlink()
    edit(project / "notebooks/other.md", "# Other\n", NAMES)
    lines = []
    for asked in (("tiny", []), ("other", ["names=[]"])):
        execution.fetch_data(plan.plan(project, "smoke", asked), lines.append)
    assert lines == []


def test_a_file_that_a_parameter_names_counts_by_its_content(project):
    edit(project / "notebooks/other.md", "# Other\n", PATH)
    table = project / "mine.csv"
    table.write_text("a")
    asked = ("other", [f"path={table}"])
    (before,) = plan.plan(project, "smoke", asked)
    (same,) = plan.plan(project, "smoke", asked)
    table.write_text("b")
    (after,) = plan.plan(project, "smoke", asked)
    assert before.key == same.key != after.key


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny", "n_run=7"], "unknown parameter of tiny (command line) 'n_run'; there is n_runs"),
        (["tiny", "n_runs=x"], "n_runs='x' is not of type int; an example is n_runs=3"),
        (["tiny", "n_runs=101"], "n_runs=101 is outside [1, 100]; an example is n_runs=3"),
        (["tiny", "n_runs=2", "n_runs=0"], "n_runs=0 is outside [1, 100]"),
        (["tiny", "method=best"], "method='best' is outside {crcen, rus}"),
        (["tiny", "n_runs=true"], "n_runs=True is not of type int"),
        (["tiny", "sizes=[1, a]"], "sizes=[1, 'a'] is not of type list[int]"),
        (["tiny", "n_runs"], "'n_runs' is not of the form parameter=value"),
        (["tinny"], "unknown notebook 'tinny'; there is tiny"),
        (["--profile", "papr"], "unknown profile 'papr'; there is paper"),
        (["--profile", "unknown-name"], "unknown parameter of tiny (profile unknown-name) 'n_run'"),
        (["--profile", "wrong-type"], "tiny (profile wrong-type): n_runs=1.5 is not of type int"),
        (["--profile", "unknown-notebook"], "unknown notebook in profile unknown-notebook 'tinny'"),
    ],
)
def test_a_request_that_cannot_be_met(project, capsys, arguments, message):
    arguments = ["--profile", "smoke", *arguments]
    assert run.main(arguments, root=project) == 2
    assert message in capsys.readouterr().err


def test_list_shows_titles_and_state(project, capsys):
    assert run.main(["--list", "--profile", "paper"], root=project) == 0
    out = capsys.readouterr().out
    assert "tiny                 stale  Tiny" in out
    assert "other                fresh  Other" in out


def test_help_on_a_notebook_shows_type_default_meaning_and_range(project, capsys):
    assert run.main(["tiny", "--help", "--profile", "paper"], root=project) == 0
    out = capsys.readouterr().out
    assert "  n_runs: int = 100\n      how many; [1, 100]\n" in out
    assert "      set by the profile paper, otherwise 3\n" in out
    assert "  sizes: list[int] = [5, 10]\n      how large\n" in out


def test_help_without_a_notebook_is_about_the_command(project, capsys):
    assert run.main(["--help"], root=project) == 0
    assert "seed=1 seed=2       a sweep" in capsys.readouterr().out
