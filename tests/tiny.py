"""A project of three notebooks, for the tests of the driver.

`python tests/tiny.py PROJECT ...` runs the command line of the driver in one.
"""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notebooks"))
import pytest
import run
from driver import ROOT, execution, plan

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
NAMES = "```{code-cell} python\n:tags: [parameters]\n\nnames: list[str] = ['tiny']\n```\n"
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


def make(root):
    """Write the project."""
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
        "CITATION.cff": (ROOT / "CITATION.cff").read_text(),
        "book/provenance.py": (ROOT / "book/provenance.py").read_text(),
        "book/index.md": "# Front\n",
        "book/references.bib": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in ("extensions", "static", "templates"):
        shutil.copytree(ROOT / "book" / name, root / "book" / name)


def use_data(patch, root):
    """Put one data set in the place of the real ones."""

    def load(name):
        raise LookupError(name)

    stand_in = SimpleNamespace(
        DATASETS=["tiny"],
        TABLE_2=["tiny"],
        DataError=LookupError,
        locate_dataset=lambda name: tuple(root.glob(f"{name}.npz")),
        load_dataset=load,
    )
    for module in (plan, execution):
        patch.setattr(module, "datasets", stand_in)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def printed(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    return "".join("".join(out.get("text", "")) for c in cells for out in c.get("outputs", []))


if __name__ == "__main__":
    root = Path(sys.argv[1])
    use_data(pytest.MonkeyPatch(), root)
    sys.exit(run.main(sys.argv[2:], root=root))
