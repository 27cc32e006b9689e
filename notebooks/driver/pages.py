"""One HTML file of a run, as the book would show it, that needs neither network nor neighbours.

The run takes the place of its chapter in a copy of the book, whose other chapters stay unexecuted:
they are there for the numbers of their equations. Of the built page the article is kept, with its
styles, their fonts, and images written into the file.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jupytext
import nbformat
import pandas as pd
import yaml
from bs4 import BeautifulSoup
from nbformat import NotebookNode

from crcen import mishaps
from driver.execution import scratch_folder
from driver.parameters import RunError
from driver.plan import Job

NOTEBOOKS = Path(__file__).parents[1]
BUILD = "from jupyter_book.cli.main import main; main()"
# They would run the notebooks, speak for the book, and put data into other files.
LEFT_OUT = {"papermill_chapters", "page_foot", "data_files"}
# The theme's icons need a font of their own, and its layout a frame around the article.
STYLE = """
main { box-sizing: border-box; margin: 0 auto; max-width: 52rem; padding: 1rem; width: 100%; }
main :is(p, li) { overflow-wrap: anywhere; }
.bd-article :is(.admonition-title, summary)::after, .headerlink { display: none; }
"""
THEME = """
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
follow();
dark.addEventListener("change", follow);
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<script>{script}</script>
</head>
<body>
<main>
{article}
</main>
</body>
</html>
"""


def render(document: Path, page: Path, root: Path, scratch: Path, chapter: str = "") -> None:
    """Write a notebook or a text as an HTML file.

    Parameters
    ----------
    document : Path
        An executed notebook, or Markdown.
    page : Path
        The HTML file.
    root : Path
        The project's folder.
    scratch : Path
        A folder for what is not whole yet, on the page's disk.
    chapter : str
        The chapter in whose place it stands; if there is none, it is a book of its own.

    Raises
    ------
    RunError
        If the book cannot be built.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as copy, mishaps.naming(scratch):
        book, name = Path(copy), chapter or "page"
        configuration = yaml.safe_load((root / "_config.yml").read_text("utf8"))
        for extension in LEFT_OUT & {*configuration["sphinx"]["local_extensions"]}:
            configuration["sphinx"]["local_extensions"].pop(extension)
            configuration["sphinx"]["config"]["extensions"].remove(extension)
        (book / "_config.yml").write_text(yaml.safe_dump(configuration), "utf8")
        shutil.copy(root / "CITATION.cff", book)
        ignore = shutil.ignore_patterns("chapters", "__pycache__")
        shutil.copytree(root / "book", book / "book", ignore=ignore)
        chapters = book / "book/chapters"
        chapters.mkdir()
        if chapter:
            shutil.copy(root / "_toc.yml", book)
            for source in (root / "notebooks").glob("*.md"):
                jupytext.write(jupytext.read(source), chapters / f"{source.stem}.ipynb")
        else:
            (book / "_toc.yml").write_text("{format: jb-book, root: book/chapters/page}")
        shutil.copy(document, chapters / f"{name}{document.suffix}")
        command = [sys.executable, "-c", BUILD, "build", ".", "--quiet"]
        # The copy has no folder notebooks, so tell where its extensions find the driver.
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(NOTEBOOKS)]))
        env = os.environ | {"PYTHONPATH": path}
        built = subprocess.run(command, cwd=book, env=env, capture_output=True, text=True)
        html = book / f"_build/html/book/chapters/{name}.html"
        if built.returncode or not html.exists():
            raise RunError(f"no page of {document}: {built.stderr or built.stdout}", status=1)
        soup = BeautifulSoup(html.read_text("utf8"), "html.parser")
        if chapter:
            run = BeautifulSoup(note(nbformat.read(document, as_version=4)), "html.parser")
            soup.select("article h1")[0].insert_after(run)
            for link in soup.select("article a[href]"):
                url = urlsplit(str(link["href"]))
                if not url.scheme and url.path:
                    link.unwrap()  # it led to another page, or to the file of an image
        with mishaps.replacing(page) as written:
            written.write_text(_standalone(soup, html), "utf8")


def _standalone(soup: BeautifulSoup, html: Path) -> str:
    """Return the article of a page as a document of its own."""
    article: Any = soup.select_one("article.bd-article")
    for image in article.select("img[src]"):
        file = html.parent / image["src"]
        kind = "svg+xml" if file.suffix == ".svg" else file.suffix[1:]
        content = base64.b64encode(file.read_bytes()).decode()
        image["src"] = f"data:image/{kind};base64,{content}"
    for script in article.select("script[src]"):
        script.decompose()
    links = soup.select("link[rel=stylesheet]")
    style = (
        "\n".join(_css(html.parent / urlsplit(str(link["href"])).path) for link in links) + STYLE
    )
    title = escape(soup.title.text if soup.title else html.stem)
    return PAGE.format(title=title, style=style, script=THEME, article=article)


def _css(file: Path) -> str:
    """Return a style sheet with those that it imports and the fonts that there are, and no more."""

    def font(found: re.Match[str]) -> str:
        source = file.parent / found[1]
        if not source.exists():
            return found[0]
        content = base64.b64encode(source.read_bytes()).decode()
        return f"url(data:font/{source.suffix[1:]};base64,{content})"

    text = file.read_text("utf8")
    text = re.sub(r'@import "([^"]+)";', lambda found: _css(file.parent / found[1]), text)
    text = re.sub(r"url\([\"']?([\w.-]+\.woff2?)[\"']?\)", font, text)
    text = re.sub(r"@font-face\s*\{[^}]*url\((?!['\"]?data:)[^}]*\}", "", text)
    return re.sub(r"[^;{]*:\s*url\((?!['\"]?data:)[^;}]*;?", "", text)


def note(notebook: NotebookNode) -> str:
    """Say in a line of HTML what a run was given and in what it ran."""
    made = notebook.metadata["crcen"]
    given = ", ".join(f"{name} = {value!r}" for name, value in made["given"].items())
    packages = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    date = notebook.metadata["papermill"]["start_time"][:10]
    return (
        f"<p>A run of {date} with <code>{escape(given or 'the defaults')}</code>, profile"
        f" {escape(made['profile'])}, in {made['seconds']:.0f} s: {escape(packages)}.</p>"
    )


def glued(notebook: NotebookNode) -> dict[str, str]:
    """Return the numbers that an executed notebook has glued, as they stand in its text."""
    numbers = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            scrap = output.get("metadata", {}).get("scrapbook")
            if scrap:
                text = output.data.get(scrap["mime_prefix"] + "text/plain", "")
                numbers[scrap["name"]] = text.strip("'\"")
    return numbers


def sweep_page(jobs: list[Job], failures: dict[str, str], root: Path) -> Path:
    """Write one page of several runs of a notebook: what varied, and all that they have glued.

    The numbers stand beside it as a CSV file, too.
    """
    from report import table

    name, keys = jobs[0].source.stem, sorted(job.key for job in jobs)
    sweep = root / f"runs/{name}-sweep-{hashlib.sha256(''.join(keys).encode()).hexdigest()[:8]}"
    rows = [
        {"run": job.target.stem}
        | job.parameters
        | ({} if job.key in failures else glued(nbformat.read(job.target, as_version=4)))
        for job in jobs
    ]
    runs = pd.DataFrame(rows)
    with mishaps.replacing(sweep.with_suffix(".csv")) as written:
        runs.to_csv(written, index=False)

    def link(job: Job) -> str:
        failed = job.target.with_name(f"{job.target.stem}-failed.ipynb")
        file = failed if job.key in failures else job.page
        return f'<a href="{file.name}">{job.key[:8]}</a>'

    shown = runs.map(lambda v: f"{v:g}" if isinstance(v, float) else escape(str(v)))
    shown = shown.mask(runs.isna())
    same = [c for c in shown.columns[1:] if len(set(shown[c].map(str))) == 1]
    constants = ", ".join(f"{c} = {shown[c][0]}" for c in same) or "nothing"
    shown["run"] = [link(job) for job in jobs]
    failed = "".join(
        f"<li>{link(job)} {escape(failures[job.key].partition(chr(10))[0])}</li>"
        for job in jobs
        if job.key in failures
    )
    text = [
        f"# Sweep of {name}",
        f"<p>{len(jobs)} runs, of which {len(failures)} failed. In all of them: {constants}.</p>",
        *(["## Failed", f"<ul>{failed}</ul>"] if failed else []),
        "## Runs",
        "Parameters that vary, then the numbers that the runs have glued into their text.",
        str(table(shown.drop(columns=same), f"Runs of {name}.").data),
    ]
    with scratch_folder(sweep.parent) as scratch:
        document = scratch / "page.md"
        document.write_text("\n\n".join(text) + "\n", "utf8")
        render(document, sweep.with_suffix(".html"), root, scratch)
    return sweep.with_suffix(".html")
