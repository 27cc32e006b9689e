import ast
import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import run
from conftest import ROOT

HEADER = "---\nkernelspec: {name: python3, language: python, display_name: Python 3}\n---\n"
TINY = (
    HEADER
    + """
# Tiny

```{code-cell} python
:tags: [parameters]

n_runs: int = 3  # how many
rate: float = 0.5  # how fast
sizes: list[int] = [5, 10]  # how large
method: str = "crcen"  # which
```

```{code-cell} python
from crcen.answer import ANSWER

print(ANSWER + n_runs, rate, sizes, method)
```
"""
)
OTHER = HEADER + "\n```{code-cell} python\nprint('other')\n```\n"
PROFILES = """
smoke: {tiny: {n_runs: 1}}
paper: {tiny: {n_runs: 100}, other: }
unknown-name: {tiny: {n_run: 1}}
wrong-type: {tiny: {n_runs: 1.5}}
unknown-notebook: {tinny: {n_runs: 1}}
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A project of three notebooks, all fresh."""
    root = tmp_path_factory.mktemp("project")
    for name, text in {
        "notebooks/tiny.md": TINY,
        "notebooks/other.md": OTHER,
        "notebooks/claims.md": OTHER,
        "notebooks/parameters.yml": PROFILES,
        "notebooks/sources.yml": "a: 1\n",
        "notebooks/paper/table.csv": "a\n1\n",
        "results/cell/scores.csv": "a\n1\n",
        "crcen/__init__.py": "",
        "crcen/answer.py": "ANSWER = 41\n",
        "requirements.txt": "numpy\n",
        "tiny.npz": "data",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        use_data(patch, root)
        assert run.run_stale("smoke", root=root, report=id) == ["tiny", "other", "claims"]
    return root


def use_data(patch, root):
    """Put one data set in the place of the real ones."""

    def load(name):
        raise LookupError(name)

    stand_in = SimpleNamespace(
        DATASETS=["tiny"],
        DataError=LookupError,
        locate_dataset=lambda name: tuple(root.glob(f"{name}.npz")),
        load_dataset=load,
    )
    patch.setattr(run, "datasets", lambda: stand_in)


@pytest.fixture
def project(executed, tmp_path, monkeypatch):
    """The same project, to be changed."""
    root = shutil.copytree(executed, tmp_path / "project")
    use_data(monkeypatch, root)
    return root


def stale(root, profile="smoke"):
    return {job.source.stem for job in run.plan(root, profile) if not job.fresh}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def printed(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    return "".join("".join(out.get("text", "")) for c in cells for out in c.get("outputs", []))


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


@pytest.mark.parametrize("name", ["crcen/new.py", "notebooks/helper.py", "results/new.csv"])
def test_a_new_input_makes_every_chapter_stale(project, name):
    (project / name).write_text("")
    assert stale(project) == {"tiny", "other", "claims"}


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


def test_a_kernel_that_dies_is_a_failure(project):
    edit(project / "notebooks/other.md", "print('other')", "import os; os._exit(1)")
    with pytest.raises(run.RunError, match="other: its kernel died"):
        run.run_stale("smoke", root=project, report=id)


def test_looking_for_data_does_not_wait_for_torch():
    code = (
        "import run, sys; print(len(run.datasets().locate_dataset('abalone')));"
        "print('torch' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "notebooks",
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert found == "1\nFalse\n"


def test_data_that_cannot_be_had_are_named_once(project):
    (project / "tiny.npz").unlink()
    lines = []
    run.fetch_data(lines.append)
    assert len(lines) == 1
    assert "tiny" in lines[0]


def test_a_reader_runs_one_notebook_apart_from_the_book(project, capsys):
    before = (project / "book/chapters/tiny.ipynb").read_bytes()
    asked = ["--profile", "smoke", "tiny", "n_runs=7", "sizes=(1,)", "method=rus"]
    assert run.main(asked, root=project) == 0
    (notebook,) = (project / "runs").glob("tiny-*.ipynb")
    assert str(notebook) in capsys.readouterr().out
    assert printed(notebook) == "48 0.5 [1] rus\n"
    assert (project / "book/chapters/tiny.ipynb").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny", "n_run=7"], "unknown parameter of tiny (command line) 'n_run'; there is n_runs"),
        (["tiny", "n_runs=x"], "n_runs='x' is not of type int; an example is n_runs=3"),
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


@pytest.mark.parametrize(
    ("value", "kind", "conformed"),
    [
        (1, "float", 1.0),
        (0.5, "float", 0.5),
        (True, "bool", True),
        ((5, 10), "list[int]", [5, 10]),
        ([1], "tuple[float, ...]", [1.0]),
        ([[1], [2, 3]], "list[list[int]]", [[1], [2, 3]]),
        (("a", 1), "list", ["a", 1]),
    ],
)
def test_a_value_takes_the_declared_type(value, kind, conformed):
    result = run.conform(value, ast.parse(kind, mode="eval").body)
    assert repr(result) == repr(conformed)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, "int"), (True, "float"), (1, "bool"), (1, "str"), ("ab", "list"), ("1", "float")],
)
def test_a_value_of_another_type_is_refused(value, kind):
    with pytest.raises(TypeError):
        run.conform(value, ast.parse(kind, mode="eval").body)


def test_list_shows_parameters_and_state(project, capsys):
    assert run.main(["--list", "--profile", "paper"], root=project) == 0
    out = capsys.readouterr().out
    assert "tiny                stale\n  n_runs: int = 100  # how many" in out
    assert "other               fresh" in out
