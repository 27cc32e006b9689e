"""Print the built book as one PDF, with Chromium: ``make pdf``.

The pages of ``_build/html`` are joined to one document, with a title page and a table of contents
before them. They are the very pages of the book, so numbers and numbering are the same in both.
Sphinx has a builder for single pages too, but it leaves anchors of the same name on two pages, and
links inside displayed HTML, pointing to the wrong place.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from provenance import Revision, author_name, citation, revision

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
LEFT_OUT = "script, .headerlink, details.hide, p.download, .btn, button, input, .tocwrapper"

# Make what is too wide for the sheet as much smaller as it must be; return what stays too wide.
FIT = """
selector => [...document.querySelectorAll(selector)].filter(element => {
  const share = element.clientWidth / element.scrollWidth;
  if (share < 1) element.style.zoom = Math.max(0.5, 0.99 * share);
  return element.scrollWidth > element.clientWidth + 1;
}).map(element => element.textContent.trim().slice(0, 60))
"""
# Keep together what is lower than so many pixels; what is higher breaks, or it would leave a large
# part of a page empty.
KEEP = """
heights => Object.entries(heights).forEach(([selector, height]) =>
  document.querySelectorAll(selector).forEach(
    element => element.style.breakInside = element.offsetHeight < height ? "avoid" : "auto"))
"""
WIDE = ".table-scroll, .pst-scrollable-table-container, .output.text_html, div.math, pre, figure"
HEIGHTS = {"table": 940, ".cell_input, pre, .admonition": 200}
NUMBER = """
numbers => document.querySelectorAll("[data-page-of]").forEach(
  element => element.textContent = numbers[element.dataset.pageOf] ?? "")
"""


class PdfError(Exception):
    """The book cannot be printed; the text says what is missing and what to do."""


@dataclass
class Chapter:
    """A page of the book, on its way into the joined document."""

    name: str  # as in _toc.yml
    part: str  # the caption above it
    article: Tag

    @property
    def id(self) -> str:
        """The name without folders: the prefix of all its anchors."""
        return Path(self.name).name

    def address(self, root: Path) -> str:
        """Return the address of its page."""
        return (root / f"_build/html/{self.name}.html").as_uri()

    @property
    def title(self) -> str:
        """Its heading."""
        heading = self.article.find("h1")
        return heading.get_text().strip() if heading else self.id


@dataclass(frozen=True)
class Line:
    """A line of the table of contents."""

    level: int  # 0 a part of the book, 1 a chapter, 2 a section
    text: str
    anchor: str  # of a part: that of its first chapter


def contents(toc: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """List the pages that a table of contents names, each after its part's caption.

    Examples
    --------
    >>> part = {"caption": "A part", "chapters": [{"file": "a", "sections": [{"file": "b"}]}]}
    >>> list(contents({"root": "front", "parts": [part]}))
    [('', 'front'), ('A part', 'a'), ('A part', 'b')]
    """

    def files(entry: dict[str, Any], caption: str) -> Iterator[tuple[str, str]]:
        caption = entry.get("caption", caption)
        if "file" in entry:
            yield caption, entry["file"]
        for key in ("parts", "chapters", "sections"):
            for child in entry.get(key, []):
                yield from files(child, caption)

    yield "", toc["root"]
    yield from files(toc, "")


def read_chapters(root: Path) -> list[Chapter]:
    """Read the built pages in the order of the book.

    Raises
    ------
    PdfError
        If a page has not been built.
    """
    chapters = []
    for part, name in contents(yaml.safe_load((root / "_toc.yml").read_text("utf8"))):
        page = root / f"_build/html/{name}.html"
        if not page.exists():
            raise PdfError(f"there is no {page}: build the book first, with `make book`.")
        article = BeautifulSoup(page.read_text("utf8"), "html.parser").select_one("article")
        assert article is not None
        chapters.append(Chapter(name, part, article))
    return chapters


def adapt(content: Tag, address: str, ids: dict[str, str]) -> None:
    """Make a part of a page fit the joined document: anchors, links, images; no means of control.

    Parameters
    ----------
    content : Tag
        It is changed in place.
    address : str
        Of the page.
    ids : dict
        The prefix of the anchors of each page, by the page's address.
    """
    for tag in content.select(LEFT_OUT):
        tag.decompose()
    for tag in content.select("noscript"):
        tag.unwrap()  # of the scripts only MathJax comes along
    for tag in content.select("[id]"):
        tag["id"] = f"{ids[address]}--{tag['id']}"
    for tag in content.select("[src]"):
        tag["src"] = urljoin(address, str(tag["src"]))
    for link in content.select("a[href]"):
        href = str(link["href"])
        page, _, anchor = urljoin(address, href).partition("#")
        if page in ids:
            link["href"] = "#" + (f"{ids[page]}--{unquote(anchor)}" if anchor else ids[page])
        elif not urlsplit(href).netloc:
            link.unwrap()  # a file beside the page, which the PDF has not
        elif not _says(link.get_text(), href):
            link.insert_after(BeautifulSoup(f' <span class="url">({href})</span>', "html.parser"))


def _says(text: str, href: str) -> bool:
    """Whether a reader of the text on paper knows the address."""
    return re.sub(r"^\w+:", "", text.strip()).strip("/") in href


def join(chapters: list[Chapter], root: Path, built: Revision) -> str:
    """Return the HTML of the whole report."""
    ids = {chapter.address(root): chapter.id for chapter in chapters}
    front = chapters[0].address(root)
    page = BeautifulSoup(
        (root / f"_build/html/{chapters[0].name}.html").read_bytes(), "html.parser"
    )
    foot = page.select_one(".extra_footer") or page.new_tag("div")
    head = page.select("head link[rel=stylesheet], head script[src*=mathjax]")
    head += [tag for tag in page.select("head script") if "window.MathJax" in tag.text]
    for tag in head:
        for name in {"href", "src"} & set(tag.attrs):
            tag[name] = urljoin(front, str(tag[name]))
    adapt(foot, front, ids)
    for chapter in chapters:
        adapt(chapter.article, chapter.address(root), ids)
    running = "".join(
        f'@page {c.id} {{ @bottom-left {{ content: "{c.title}" }} }}\n' for c in chapters[1:]
    )
    body = "".join(
        f'<section class="chapter" id="{c.id}" style="page: {c.id}">{c.article.decode()}</section>'
        for c in chapters
    )
    cff = citation(root)
    return (
        '<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{escape(cff['title'])}</title>{''.join(map(str, head))}"
        f"<style>{(root / 'book/print.css').read_text('utf8')}{running}</style></head><body>"
        f"{_cover(cff, built, foot)}{_page_of_contents(table_of_contents(chapters))}{body}</body></html>"
    )


def _cover(cff: dict[str, Any], built: Revision, foot: Tag) -> str:
    """Return the title page."""
    for details in foot.select("details"):
        details.name = "div"
    authors = ", ".join(author_name(author) for author in cff["authors"])
    title, _, subtitle = cff["title"].partition(": ")
    return (
        f'<section class="cover"><div class="title">{escape(title)}</div>'
        f'<div class="subtitle">{escape(subtitle)}</div><div class="authors">{escape(authors)}'
        f"</div><div>{built.day}</div>"
        f'<div class="colophon">{foot.decode_contents()}'
        "<p>This is the printed form of the book of web pages. It leaves out the code that the "
        "pages fold away, and their downloads.</p></div></section>"
    )


def table_of_contents(chapters: list[Chapter]) -> list[Line]:
    """List the parts, chapters and sections of the report."""
    lines, part = [], ""
    for chapter in chapters:
        if chapter.part != part:
            part = chapter.part
            lines.append(Line(0, part, chapter.id))
        lines.append(Line(1, chapter.title, chapter.id))
        for section in chapter.article.select("section[id]"):
            if heading := section.find("h2", recursive=False):
                lines.append(Line(2, heading.get_text().strip(), str(section["id"])))
    return lines


def _page_of_contents(lines: list[Line]) -> str:
    """Return the table of contents; its page numbers are filled in later."""
    items = "".join(
        f'<li class="level-{line.level}"><a href="#{line.anchor}"><span>{escape(line.text)}</span>'
        f'<span class="page-number" data-page-of="{line.anchor}">000</span></a></li>'
        if line.level
        else f'<li class="level-0">{escape(line.text)}</li>'
        for line in lines
    )
    return f'<nav class="table-of-contents"><div class="title">Contents</div><ol>{items}</ol></nav>'


def find_browser() -> str:
    """Find the browser that prints.

    Raises
    ------
    PdfError
        If there is none.
    """
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise PdfError(
        f"no browser prints the PDF: none of {', '.join(BROWSERS)} is on the PATH. Install one, "
        "on Debian with `apt-get install chromium`."
    )


def print_page(html: Path, target: Path) -> None:
    """Print an HTML file, typeset its mathematics, and fill in the page numbers."""
    from playwright.sync_api import sync_playwright
    from pypdf import PdfReader

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser())
        page = browser.new_page(
            viewport={"width": 642, "height": 971},  # A4 without the margins of print.css
            color_scheme="light",
        )
        page.emulate_media(media="print", color_scheme="light")
        page.goto(html.as_uri())
        page.evaluate("() => window.MathJax?.startup.promise")
        page.evaluate("() => document.fonts.ready")
        if wide := page.evaluate(FIT, WIDE):
            raise PdfError(f"too wide for the page: {'; '.join(wide)}")
        page.evaluate(KEEP, HEIGHTS)
        before: dict[str, int] = {}
        for _ in range(3):  # a number with fewer digits may move a line, so look again
            page.pdf(path=target, prefer_css_page_size=True, print_background=True, tagged=True)
            reader = PdfReader(target)
            numbers = {
                name.removeprefix("/"): (reader.get_destination_page_number(place) or 0) + 1
                for name, place in reader.named_destinations.items()
            }
            if numbers == before:
                break
            page.evaluate(NUMBER, numbers)
            before = numbers
        browser.close()


def finish(source: Path, target: Path, lines: list[Line], root: Path, built: Revision) -> None:
    """Give the PDF bookmarks and a title, and for the browser's clock the date of the commit."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import Fit, IndirectObject

    reader, cff = PdfReader(source), citation(root)
    writer = PdfWriter(clone_from=reader)
    parents: dict[int, IndirectObject] = {}
    for line in lines:
        place = reader.named_destinations[f"/{line.anchor}"]
        number = reader.get_destination_page_number(place)
        parent = parents.get(line.level - 1)
        fit = Fit.xyz(left=0, top=place.top)
        parents[line.level] = writer.add_outline_item(
            title=line.text, page_number=number, parent=parent, fit=fit
        )
    date = f"D:{built.date:%Y%m%d%H%M%S}Z"
    writer.metadata = {
        "/Title": cff["title"],
        "/Author": ", ".join(author_name(a) for a in cff["authors"]),
        "/Subject": f"Version {built.version}, commit {built.commit_name or 'not known'}",
        "/CreationDate": date,
        "/ModDate": date,
    }
    writer.write(target)


def make_pdf(root: Path = ROOT) -> Path:
    """Print the book that was built in a folder.

    Parameters
    ----------
    root : Path
        The project's folder.

    Returns
    -------
    Path
        The PDF, written whole or not at all.

    Raises
    ------
    PdfError
        If the book has not been built, there is no browser, or something is too wide for a page.
    """
    find_browser()
    built, target = revision(root), root / "_build/crcen-report.pdf"
    with tempfile.TemporaryDirectory(dir=root / "_build") as folder:
        joined, printed, done = (Path(folder, f"report.{end}") for end in ("html", "print", "pdf"))
        chapters = read_chapters(root)
        joined.write_text(join(chapters, root, built), "utf8")
        print_page(joined, printed)
        finish(printed, done, table_of_contents(chapters), root, built)
        done.replace(target)
    return target


def main() -> int:
    """Run the command line and return the exit status."""
    try:
        print(make_pdf())
    except PdfError as error:
        print(f"pdf.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
