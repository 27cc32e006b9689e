import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import execution
import jupytext
import plan
import pytest
import run
from bs4 import BeautifulSoup
from conftest import ROOT
from pages import _css, glued

HEADER = "---\nkernelspec: {name: python3, language: python, display_name: Python 3}\n---\n"
TINY = (
    HEADER
    + """
# Tiny

```{code-cell} python
:tags: [parameters]

n_runs: int = 3  # [1, 100] how many
rate: float = 0.5  # (0, 1) how fast
sizes: list[int] = [5, 10]  # how large
method: str = "crcen"  # {crcen, rus} which
```

```{code-cell} python
from crcen.answer import ANSWER

print(ANSWER + n_runs, rate, sizes, method)
```

```{code-cell} python
from myst_nb import glue

assert n_runs != 13, "unlucky"
glue("answer", str(ANSWER + n_runs), display=False)
glue("constant", 0.5, display=False)
```

```{admonition} Note
It is {glue:text}`answer`, for $x > 0$, by {eq}`eq-other`: see [the other](other.ipynb).
```
"""
)
OTHER = HEADER + "\n# Other\n\n```{code-cell} python\nprint('other')\n```\n"
EQUATION = "\n$$\nx = 1\n$$ (eq-other)\n"
PATH = "```{code-cell} python\n:tags: [parameters]\n\npath: str = ''  # a table\n```\n"
TOC = """
{format: jb-book, root: book/index, chapters: [
  {file: book/chapters/other}, {file: book/chapters/tiny}, {file: book/chapters/claims}]}
"""
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
        "notebooks/other.md": OTHER + EQUATION,
        "notebooks/claims.md": OTHER,
        "notebooks/parameters.yml": PROFILES,
        "notebooks/sources.yml": "a: 1\n",
        "notebooks/paper/table.csv": "a\n1\n",
        "results/cell/scores.csv": "a\n1\n",
        "crcen/__init__.py": "",
        "crcen/answer.py": "ANSWER = 41\n",
        "requirements.txt": "numpy\n",
        "tiny.npz": "data",
        "_toc.yml": TOC,
        "_config.yml": (ROOT / "_config.yml").read_text(),
        "book/index.md": "# Front\n",
        "book/references.bib": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in ("extensions", "static"):
        shutil.copytree(ROOT / "book" / name, root / "book" / name)
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
    for module in (plan, execution):
        patch.setattr(module, "datasets", lambda: stand_in)


@pytest.fixture
def project(executed, tmp_path, monkeypatch):
    """The same project, to be changed."""
    root = shutil.copytree(executed, tmp_path / "project")
    use_data(monkeypatch, root)
    return root


def stale(root, profile="smoke"):
    return {job.source.stem for job in plan.plan(root, profile) if not job.fresh}


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
        "import plan, sys; print(len(plan.datasets().locate_dataset('abalone')));"
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
    execution.fetch_data(lines.append)
    assert len(lines) == 1
    assert "tiny" in lines[0]


def test_a_reader_runs_one_notebook_apart_from_the_book(project, capsys):
    before = (project / "book/chapters/tiny.ipynb").read_bytes()
    asked = ["--profile", "smoke", "tiny", "n_runs=7", "sizes=(1,)", "method=rus"]
    assert run.main(asked, root=project) == 0
    (notebook,) = (project / "runs").glob("tiny-*.ipynb")
    assert printed(notebook) == "48 0.5 [1] rus\n"
    made = json.loads(notebook.read_text())["metadata"]["crcen"]
    assert made["given"] == {"n_runs": 7, "sizes": [1], "method": "rus"}
    assert (project / "book/chapters/tiny.ipynb").read_bytes() == before
    html = notebook.with_suffix(".html")
    assert str(html) in capsys.readouterr().out
    page = BeautifulSoup(html.read_text(), "html.parser")
    assert page.title.text.startswith("Tiny")
    assert "method = 'rus', n_runs = 7, sizes = [1]" in page.main.text
    assert "48 0.5 [1] rus" in page.main.text
    assert "It is 48, for \\(x > 0\\), by (1): see the other." in page.main.text
    stands_alone(page)
    assert run.main(asked, root=project) == 0
    assert f"{notebook.stem:<18} fresh" in capsys.readouterr().out


def stands_alone(page):
    """A page that loads nothing and leads to nothing that is not beside it."""
    assert page.select("link, iframe, object, script[src]") == []
    assert [i["src"] for i in page.select("[src]") if not i["src"].startswith("data:")] == []
    for style in page.select("style"):
        for url in style.text.split("url(")[1:]:
            assert url.lstrip("'\"").startswith("data:"), url[:60]
        assert "@import" not in style.text
    for link in page.select("a[href]"):
        assert link["href"].startswith(("#", "https://", "data:")), link


def test_a_page_with_mathematics_carries_mathjax(project):
    assert run.main(["--profile", "smoke", "tiny", "n_runs=2"], root=project) == 0
    assert run.main(["--profile", "smoke", "claims"], root=project) == 0
    sizes = {path.name[:5]: path.stat().st_size for path in (project / "runs").glob("*.html")}
    assert sizes["tiny-"] > 2e6 > sizes["claim"]


def test_styles_lose_what_they_would_load(tmp_path):
    (tmp_path / "a.css").write_text(
        '@import "b.css";\n@font-face{font-family:x;src:url(x.woff)}\n'
        "p{color:red;background:url(p.png)}q{background:url('data:image/png;base64,AA')}"
    )
    (tmp_path / "b.css").write_text("b{margin:0}")
    css = _css(tmp_path / "a.css")
    assert "b{margin:0}" in css
    assert "p{color:red;}q{background:url('data:image/png;base64,AA')}" in css
    assert "woff" not in css


def test_a_sweep_runs_every_combination_and_shows_them_on_one_page(project, capsys):
    asked = ["--profile", "smoke", "tiny", "n_runs=2", "n_runs=13", "rate=0.1", "rate=0.2"]
    assert run.main(asked, root=project) == 1
    said = capsys.readouterr()
    assert said.err.count("raised AssertionError: unlucky") == 2
    assert said.out.count("ran in") == said.out.count("failed") == 2
    (html,) = (project / "runs").glob("tiny-sweep-*.html")
    page = BeautifulSoup(html.read_text(), "html.parser")
    rows = [[cell.text for cell in row.select("th, td")] for row in page.select("table tr")]
    assert rows[0] == ["run", "n_runs", "rate", "answer", "constant"]
    assert sorted(row[1:] for row in rows[1:]) == [
        ["13", "0.100000", "–", "–"],
        ["13", "0.200000", "–", "–"],
        ["2", "0.100000", "43", "0.5"],
        ["2", "0.200000", "43", "0.5"],
    ]
    assert "4 runs, of which 2 failed" in page.main.text
    assert "sizes = [5, 10]" in page.main.text
    assert page.main.text.count("raised AssertionError: unlucky") == 2
    for link in page.select("table a[href]"):
        assert (html.parent / link["href"]).exists()
    csv = html.with_suffix(".csv").read_text().splitlines()
    assert csv[0] == "run,n_runs,rate,sizes,method,answer,constant"
    assert len(csv) == 5

    assert run.main(asked, root=project) == 1
    said = capsys.readouterr()
    assert (said.out.count("fresh"), said.out.count("failed")) == (2, 2)


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


def test_glued_values_are_read_as_they_stand(executed):
    notebook = jupytext.read(executed / "book/chapters/tiny.ipynb")
    assert glued(notebook) == {"answer": "42", "constant": "0.5"}


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
    assert "tiny               stale  Tiny" in out
    assert "other              fresh  Other" in out


def test_help_on_a_notebook_shows_type_default_meaning_and_range(project, capsys):
    assert run.main(["tiny", "--help", "--profile", "paper"], root=project) == 0
    out = capsys.readouterr().out
    assert "  n_runs: int = 100\n      how many; [1, 100]\n" in out
    assert "      set by the profile paper, otherwise 3\n" in out
    assert "  sizes: list[int] = [5, 10]\n      how large\n" in out


def test_help_without_a_notebook_is_about_the_command(project, capsys):
    assert run.main(["--help"], root=project) == 0
    assert "seed=1 seed=2       a sweep" in capsys.readouterr().out
