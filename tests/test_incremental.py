"""A build after a change: it reads and writes what has changed, and ends as a clean one would."""

import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, SMOKE, git

pytestmark = pytest.mark.slow

# Start what is slow to import once; each line that comes in builds the book in a child.
SERVER = """
import os, sys
import jupyter_book.sphinx, myst_nb.sphinx_, sphinx_book_theme, sphinxcontrib.bibtex, sphinx.search
from jupyter_book.cli.main import main
for _ in sys.stdin:
    if not os.fork():
        os.dup2(1, 2)
        main(["build", ".", "-W", "--keep-going", "-n"])
    print("", f"status {os.waitstatus_to_exitcode(os.wait()[1])}", sep="\\n", flush=True)
"""
PAGES = {
    "chapters/one": None,
    "numbers": "It is {glue:text}`chapters/one.ipynb::answer:s`.",
    "figures": "```{chapter-figure} fig-one\n```",
    "refers": "By {eq}`eq-one`, see [](chapters/one.ipynb), {numref}`fig-one`, {cite}`b`.",
    "alone": "A page by itself. ![A dot](dot.svg)",
    "api": "```{eval-rst}\n.. automodule:: crcen.answer\n   :members:\n```",
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
BOOK = "@book{{{}, author = {{A. {}}}, title = {{T}}, publisher = {{P}}, year = {{2000}}}}\n"


class Book:
    """A small book that knows what its last build read and wrote."""

    def __init__(self, root, server):
        self.root, self.server = root, server

    def build(self):
        self.server.stdin.write("\n")
        self.server.stdin.flush()
        lines = []
        while not (lines and lines[-1].startswith("status ")):
            lines.append(re.sub(r"\x1b\[[0-9;]*m", "", self.server.stdout.readline()).rstrip())
        self.output = "\n".join(lines)
        self.read = set(re.findall(r"reading sources\.\.\. \[.*?\] book/(\S+)", self.output))
        self.written = set(re.findall(r"writing output\.\.\. \[.*?\] book/(\S+)", self.output))
        return int(lines[-1].split()[1])

    def edit(self, name, old, new):
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    def tree(self):
        html = self.root / "_build/html"
        return {
            path.relative_to(html).as_posix(): path.read_bytes()
            for path in html.rglob("*")
            if path.is_file()
        }

    def check(self):
        """Build, and compare with a clean build in the same place."""
        assert self.build() == 0, self.output
        read, written, built, kept = self.read, self.written, self.tree(), self.root / "kept"
        (self.root / "_build").rename(kept)
        assert self.build() == 0, self.output
        clean = self.tree()
        shutil.rmtree(self.root / "_build")
        kept.rename(self.root / "_build")
        differ = {name for name in built | clean if built.get(name) != clean.get(name)}
        if differ: import sys; sys.path.insert(0,"/tmp"); import h3diff; h3diff.show(built, clean)
        assert differ == set()
        return read, written


@pytest.fixture
def wide_book(small_book):
    root = small_book
    (root / "notebooks/one.md").write_text(CHAPTER)
    (root / "crcen/answer.py").write_text('"""A module."""\n\nANSWER = 41  #: It is the answer.\n')
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
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=root,
        env=SMOKE | {"PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield Book(root, server)
    server.stdin.close()
    server.stdout.close()
    server.wait()


def test_a_build_reads_and_writes_what_has_changed_and_ends_as_a_clean_one(wide_book):
    everything = {"index", *PAGES}
    chapter = "notebooks/one.md"

    def after(*changes):
        for change in changes:
            wide_book.edit(*change)
        read, written = wide_book.check()
        return read, written - {"index"}  # Sphinx writes the front page with every other

    assert wide_book.build() == 0, wide_book.output
    assert (wide_book.read, wide_book.written) == (everything, everything)
    assert after() == (set(), set())
    # The mark "+changes" comes to the pages that show numbers or figures of the chapter.
    quoting = {"chapters/one", "numbers", "figures"}
    assert after((chapter, '"41"', '"42"')) == ({"chapters/one"}, quoting)
    assert after((chapter, '"42"', '"43"')) == ({"chapters/one"}, {"chapters/one", "numbers"})
    assert after((chapter, "red", "green")) == ({"chapters/one"}, {"chapters/one", "figures"})
    order = "$$\ny = 2\n$$ (eq-two)\n\n$$\nx = 1\n$$"
    refers = {"chapters/one", "refers"}
    assert after((chapter, "$$\nx = 1\n$$", order)) == ({"chapters/one"}, refers)
    git(wide_book.root, "commit", "--quiet", "--all", "--message", "Two")
    everywhere = everything - {"index"}
    assert after() == (set(), everywhere)
    assert after(("book/dot.svg", "blue", "black")) == ({"alone"}, {"alone"})
    assert after(("crcen/answer.py", "It is", "This is")) == (
        {"chapters/one", "api"},
        {"api", *quoting},
    )
    assert after((chapter, "# One", "# The first")) == ({"chapters/one"}, everywhere)
    bib = "book/references.bib"
    before = BOOK.format("a", "Able")
    assert after((bib, "@book{b", f"{before}@book{{b")) == (
        {"cite", "bibliography"},
        {"cite", "bibliography", "refers"},
    )
    assert after(("book/alone.md", "itself.", "itself {cite}`a`.")) == (
        {"alone"},
        {"alone", "refers", "bibliography"},
    )
    assert after(("CITATION.cff", "title: ", "title: On ")) == ({"cite"}, {"cite"})
    assert after(("book/static/custom.css", ":", " :")) == (set(), everywhere)
    assert after(("_toc.yml", "{file: book/alone}, ", "")) == (
        everything - {"alone"},
        everywhere - {"alone"},
    )


def test_a_warning_is_given_until_it_is_mended(wide_book):
    page = wide_book.root / "book/alone.md"
    assert wide_book.build() == 0
    before = page.read_text()
    page.write_text(before + "\nSee [](no-such-page.md).\n")
    for _ in range(2):
        assert wide_book.build() != 0
        assert "no-such-page" in wide_book.output
    page.write_text(before)
    assert wide_book.build() == 0
