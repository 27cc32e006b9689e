"""A build after a change: it reads and writes what has changed, and ends as a clean one would."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, SMOKE, git

pytestmark = pytest.mark.slow

# Imports once what takes long; then each folder that comes in is built in a child.
SERVER = """
import os, sys
import jupyter_book.sphinx, myst_nb.sphinx_, sklearn.utils, sphinx_book_theme, sphinx.search
import jupytext, sphinxcontrib.bibtex
from jupyter_book.cli.main import main
for line in sys.stdin:
    child = os.fork()
    if not child:
        os.dup2(1, 2)
        os.chdir(line.strip())
        sys.path.insert(0, line.strip())
        main(["build", ".", "-W", "--keep-going", "-n"])
    print("child", child, flush=True)
    print("", f"status {os.waitstatus_to_exitcode(os.wait()[1])}", sep="\\n", flush=True)
"""
PAGES = {
    "chapters/one": None,
    "numbers": "It is {glue:text}`chapters/one.ipynb::answer:s`.",
    "figures": "```{chapter-figure} fig-one\n```",
    "refers": "By {eq}`eq-one`, see [](chapters/one.ipynb), {numref}`fig-one`, {cite}`b`.",
    "alone": "A page by itself. ![A dot](dot.svg)",
    "api": "```{eval-rst}\n.. automodule:: crcen.answer\n   :members:\n   :inherited-members:\n```",
    "cite": "```{cite-as}\n```",
    "bibliography": "```{bibliography}\n```",
}
DOT = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="9" fill="{}"/></svg>'
CHAPTER = f"""---
kernelspec: {{name: python3, language: python, display_name: Python 3}}
---

# One

$$
x = 1
$$ (eq-one)

```{{code-cell}} python
---
mystnb: {{figure: {{name: fig-one, caption: A dot.}}, image: {{alt: A dot}}}}
---
from IPython.display import SVG
from myst_nb import glue

glue("answer", "41", display=False)
SVG('{DOT.format("red")}')
```
"""
MODULE = (
    '"""A module."""\nfrom crcen.base import Base\n\nclass Answer(Base):\n    """An answer."""\n'
)
BASE = 'class Base:\n    def give(self):\n        """It is given."""\n'
BOOK = "@book{{{}, author = {{A. {}}}, title = {{T}}, publisher = {{P}}, year = {{2000}}}}\n"


class Book:
    """A small book that knows what its last build read and wrote."""

    def __init__(self, root, server):
        self.root, self.server = root, server

    def build(self, at="", then=None):
        """Build, with something to do when the output comes to a place; return the status."""
        self.server.stdin.write(f"{self.root}\n")
        self.server.stdin.flush()
        self.output, line, child = "", "", 0
        while not line.startswith("status "):
            line = re.sub(r"\x1b\[[0-9;]*m", "", self.server.stdout.readline())
            self.output += line
            if line.startswith("child "):
                child = int(line.split()[1])
            if at and at in line:
                then(child)
                at = ""
        self.read = set(re.findall(r"reading sources\.\.\. \[.*?\] book/(\S+)", self.output))
        self.written = set(re.findall(r"writing output\.\.\. \[.*?\] book/(\S+)", self.output))
        return int(line.split()[1])

    def after(self, *edits):
        """Build after edits, and return which pages were read, and which written."""
        for name, old, new in edits:
            path = self.root / name
            text = path.read_text()
            assert old in text
            path.write_text(text.replace(old, new, 1))
            if path.parent.name == "book":
                os.utime(path, (0, 0))  # as if the clock was wrong
        assert self.build() == 0, self.output
        return self.read, self.written - {"index"}  # Sphinx writes the front page with any other

    def marked(self):
        """The pages that name changes at their foot."""
        pages = (self.root / "_build/html/book").rglob("*.html")
        return {page.stem for page in pages if "+changes" in page.read_text()}

    def tree(self):
        html = self.root / "_build/html"
        files = (path for path in html.rglob("*") if path.is_file())
        return {path.relative_to(html).as_posix(): path.read_bytes() for path in files}

    def differs(self):
        """The files that a clean build in the same place writes otherwise."""
        built, kept = self.tree(), self.root / "kept"
        (self.root / "_build").rename(kept)
        assert self.build() == 0, self.output
        clean = self.tree()
        shutil.rmtree(self.root / "_build")
        kept.rename(self.root / "_build")
        return {name for name in built | clean if built.get(name) != clean.get(name)}


@pytest.fixture(scope="module")
def server():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", SERVER], env=SMOKE, **pipes) as process:
        yield process


@pytest.fixture
def wide_book(small_book, server):
    """A book in git, of a chapter and of pages that quote it in one way each."""
    root = small_book
    (root / "notebooks/one.md").write_text(CHAPTER)
    (root / "crcen/answer.py").write_text(MODULE)
    (root / "crcen/base.py").write_text(BASE)
    (root / "book/references.bib").write_text(BOOK.format("b", "Baker"))
    (root / "book/dot.svg").write_text(DOT.format("blue"))
    (root / "book/index.md").write_text("# Front\n")
    files = ", ".join(f"{{file: book/{name}}}" for name in PAGES)
    (root / "_toc.yml").write_text(f"{{format: jb-book, root: book/index, chapters: [{files}]}}")
    for name, text in PAGES.items():
        if text:
            (root / f"book/{name}.md").write_text(f"# Page {name}\n\n{text}\n")
    (root / ".gitignore").write_text((ROOT / ".gitignore").read_text() + "/kept/\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "A small book")
    return Book(root, server)


def test_a_build_reads_and_writes_what_has_changed_and_ends_as_a_clean_one(wide_book):
    chapter, everything = "notebooks/one.md", set(PAGES)
    quoting = {"chapters/one", "numbers", "figures"}
    after = wide_book.after
    assert after() == (everything | {"index"}, everything)
    assert after() == (set(), set())
    (wide_book.root / "runs").mkdir(exist_ok=True)
    (wide_book.root / "runs/one-0123.ipynb").write_text("{}")  # a reader's, and no page
    assert after() == (set(), set())
    # With the first change the mark "+changes" comes to what rests on the chapter.
    assert after((chapter, '"41"', '"42"')) == ({"chapters/one"}, quoting)
    assert wide_book.marked() == {"one", "numbers", "figures"}
    changed = [
        (chapter, '"42"', '"43"'),
        (chapter, "x = 1\n$$", "y = 2\n$$ (eq-two)\n\n$$\nx = 1\n$$"),
    ]
    assert after(*changed) == ({"chapters/one"}, {"chapters/one", "numbers", "refers"})
    assert after((chapter, "red", "green")) == ({"chapters/one"}, {"chapters/one", "figures"})
    assert wide_book.differs() == set()

    git(wide_book.root, "commit", "--quiet", "--all", "--message", "Two")
    assert after() == (set(), everything)
    assert wide_book.marked() == set()
    assert after(("book/dot.svg", "blue", "black")) == ({"alone"}, {"alone"})
    module = ("crcen/base.py", "It is", "This is")
    assert after(module) == ({"chapters/one", "api"}, {"api", *quoting})
    cited = [
        ("book/alone.md", "itself.", "itself {cite}`a`."),
        ("CITATION.cff", "CRCEN", "On CRCEN"),
    ]
    cited.append(("book/references.bib", "@", BOOK.format("a", "Able") + "@"))
    assert after(*cited) == (
        {"alone", "cite", "bibliography", "chapters/one"},  # which has a figure to cite
        {"alone", "cite", "bibliography", "chapters/one", "refers"},
    )
    assert wide_book.marked() == {Path(page).stem for page in everything | {"index"}}
    assert wide_book.differs() == set()

    assert after((chapter, "# One", "# The first")) == ({"chapters/one"}, everything)
    assert after(("book/static/custom.css", ":", " :")) == (set(), everything)
    assert wide_book.differs() == set()
    renamed = everything - {"alone"} | {"last"}
    (wide_book.root / "book/alone.md").rename(wide_book.root / "book/last.md")
    assert after(("_toc.yml", "book/alone", "book/last")) == (renamed | {"index"}, renamed)
    assert wide_book.differs() == set()


def test_after_a_warning_or_a_stop_a_build_begins_anew(wide_book):
    page = wide_book.root / "book/alone.md"
    sound = page.read_text()
    assert wide_book.build() == 0, wide_book.output
    page.write_text(f"{sound}\nSee [](no-such-page.md).\n")
    for _ in range(2):
        assert wide_book.build() == 1
        assert (
            "WARNING: 'myst' cross-reference target not found: 'no-such-page.md'"
            in wide_book.output
        )
    page.write_text(sound)
    assert (
        wide_book.build("book/cite", lambda child: os.kill(child, signal.SIGKILL))
        == -signal.SIGKILL
    )
    everything = {"index", *PAGES}
    assert wide_book.build() == 0, wide_book.output
    assert (wide_book.read, wide_book.written) == (everything, everything)
    assert wide_book.build() == 0
    assert (wide_book.read, wide_book.written) == (set(), set())
