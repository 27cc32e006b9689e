import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "notebooks"))  # where run.py is
sys.path.append(str(ROOT / "benchmarks"))
sys.path.append(str(ROOT / "book"))
sys.path.append(str(ROOT / "book/extensions"))
SMOKE = os.environ | {"CRCEN_PROFILE": "smoke", "CRCEN_DOWNLOAD": "0"}  # the smallest settings

# What random numbers are drawn from: a number, or "any" for another one in each run. Processes
# that a test starts read it here too.
if os.environ.setdefault("CRCEN_TESTS_SEED", "0") == "any":
    os.environ["CRCEN_TESTS_SEED"] = str(secrets.randbelow(1_000_000))
SEED = int(os.environ["CRCEN_TESTS_SEED"])

# How many standard errors a mean of draws may be off, and how rare a count may be. One normal draw
# in 26 million is further off: with fewer than 2,000 comparisons there is a false alarm in less
# than one of 1,000 times that all of ten seeds are tried.
Z, RARE = 5.5, 4e-8

# Hypothesis looks for new examples in every run, prints how to repeat one that fails, and keeps it
# in .hypothesis/. That is not what it does by itself where it sees the variable CI, or where
# examples take long because the machine is busy.
settings.register_profile(
    "crcen",
    settings.get_profile("default"),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("crcen")


def pytest_report_collectionfinish():
    """Tell the seed; the header, where it would stand, is not shown with -q."""
    return f"CRCEN_TESTS_SEED={SEED}"


def pytest_collection_modifyitems(items):
    """Mark as slow all that needs the built book."""
    for item in items:
        if "book" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def seed():
    """The seed of this run: a test that draws passes whatever it draws."""
    return SEED


def build(root, *options):
    """Build the book in ``root`` as a reader does, with the smallest settings."""
    return subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", ".", *options],
        cwd=root,
        env=SMOKE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """A copy of what git keeps, with the book built in it."""
    root = tmp_path_factory.mktemp("checkout")
    kept = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, kept.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    built = build(root, "-W", "--keep-going", "-n")
    assert built.returncode == 0, built.stdout
    return root


@pytest.fixture(scope="session")
def html(book):
    """The folder of the built pages."""
    return book / "_build/html"


def write_small_book(root):
    """Write a book of two pages that has this book's configuration, extensions and makers."""
    header = "---\nkernelspec: {name: python3, language: python, display_name: Python 3}\n---\n"
    for name, text in {
        "_toc.yml": "{format: jb-book, root: book/index, chapters: [{file: book/chapters/one}]}",
        "book/index.md": "# Front\n\nIt is {glue:text}`chapters/one.ipynb::answer:s`.\n",
        "book/references.bib": "",
        "notebooks/one.md": header
        + "# One\n\n```{code-cell} python\n"
        + "from myst_nb import glue\nfrom crcen.answer import ANSWER\n"
        + "glue('answer', f'{ANSWER} exactly', display=False)\n```\n",
        "notebooks/parameters.yml": "smoke: {}",
        "crcen/__init__.py": "",
        "crcen/answer.py": "ANSWER = 41\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    needed = ("__init__.py", "datasets.py", "raw.py", "sets.csv")
    study = ["crcen/mishaps.py", *(f"crcen/study/{name}" for name in needed)]
    driver = [f"notebooks/driver/{path.name}" for path in ROOT.glob("notebooks/driver/*.py")]
    for name in ("_config.yml", "CITATION.cff", *study, *driver):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for name in ("extensions", "static", "templates"):
        shutil.copytree(ROOT / "book" / name, root / "book" / name)
    for path in ROOT.glob("notebooks/*.py"):
        shutil.copy(path, root / "notebooks")
    for path in (*ROOT.glob("book/*.py"), ROOT / "book/print.css"):
        shutil.copy(path, root / "book")
    return root


@pytest.fixture
def small_book(tmp_path):
    """The small book, not built."""
    return write_small_book(tmp_path / "small")


def git(root, *arguments):
    """Run git in a folder, with one author and one date."""
    who = {f"GIT_{role}_NAME": "A" for role in ("AUTHOR", "COMMITTER")}
    who |= {f"GIT_{role}_EMAIL": "a@example.org" for role in ("AUTHOR", "COMMITTER")}
    when = {f"GIT_{role}_DATE": "2026-01-31T12:00:00Z" for role in ("AUTHOR", "COMMITTER")}
    return subprocess.run(
        ["git", *arguments],
        cwd=root,
        env=os.environ | who | when,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def small_clone(small_book):
    """The small book in git."""
    shutil.copy(ROOT / ".gitignore", small_book)
    git(small_book, "init", "--quiet")
    git(small_book, "add", ".")
    git(small_book, "commit", "--quiet", "--message", "A small book")
    return small_book


@pytest.fixture(scope="session")
def executed(tmp_path_factory):
    """A project of three notebooks, all fresh."""
    import run
    import tiny

    root = tmp_path_factory.mktemp("project")
    tiny.make(root)
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_data(patch, root)
        assert run.run_stale("smoke", root=root, report=id) == ["tiny", "other", "claims"]
    return root


@pytest.fixture
def project(executed, tmp_path, monkeypatch):
    """The same project, to be changed."""
    import tiny

    root = shutil.copytree(executed, tmp_path / "project")
    tiny.use_data(monkeypatch, root)
    return root
