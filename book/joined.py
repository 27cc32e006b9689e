"""Join the pages of the built book to one document, with a title page and a table of contents.

They are the very pages of the book, so numbers and numbering are the same in both. Sphinx has a
builder for single pages too, but it leaves anchors of the same name on two pages, and links inside
displayed HTML, pointing to the wrong place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from provenance import Revision, author_name, citation, stopped

LEFT_OUT = (
    "script, .headerlink, .hidden-in-print, .rerun, .download, details.code > summary, "
    ".btn, button, input, .tocwrapper"
)


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


def read_page(root: Path, name: str) -> BeautifulSoup:
    """Read a page of the built book."""
    page = root / f"_build/html/{name}.html"
    if not page.exists():
        raise FileNotFoundError(f"there is no {page}: build the book first, with `make book`.")
    return BeautifulSoup(page.read_text("utf8"), "html.parser")


def read_chapters(root: Path) -> list[Chapter]:
    """Read the built pages in the order of the book.

    Raises
    ------
    FileNotFoundError
        If a page has not been built, or not whole.
    """
    if problem := stopped(root):
        raise FileNotFoundError(problem)
    chapters = []
    for part, name in contents(yaml.safe_load((root / "_toc.yml").read_text("utf8"))):
        article = read_page(root, name).select_one("article")
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
    for tag in content.select("noscript, details.code, a.symbol, a.number"):
        tag.unwrap()  # no script comes along, and nothing is folded
    for heading in content.select("section[id] > h2"):
        if heading.parent:  # the section's box may begin on the page before its heading
            heading["id"] = heading.parent.attrs.pop("id")
    for tag in content.select("[id]"):
        tag["id"] = f"{ids[address]}--{tag['id']}"
    for tag in content.select("[loading]"):
        del tag["loading"]  # all of it is printed
    for tag in content.select("[src]"):
        tag["src"] = urljoin(address, str(tag["src"]))
    for short, most in (("table.report td", 15), ("code", 40)):  # numbers, names; not sentences
        for tag in content.select(short):
            if len(tag.get_text(strip=True)) <= most:
                tag["style"] = "white-space: nowrap"
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
    without_scheme = re.sub(r"^\w+:", "", text.strip()).strip("/")
    return href.rstrip("/").endswith(without_scheme)


def join_pages(chapters: list[Chapter], root: Path, built: Revision) -> str:
    """Return the HTML of the whole report."""
    ids = {chapter.address(root): chapter.id for chapter in chapters}
    front = chapters[0].address(root)
    page = read_page(root, chapters[0].name)
    foot = page.select_one(".extra_footer") or page.new_tag("div")
    head = page.select("head link[rel=stylesheet]")
    for tag in head:
        tag["href"] = urljoin(front, str(tag["href"]))
    adapt(foot, front, ids)
    for chapter in chapters:
        adapt(chapter.article, chapter.address(root), ids)
    running = "".join(  # a chapter's title at the foot of its pages
        f"@page {c.id} {{ @bottom-left {{ content: {_css(c.title)} }} }}\n" for c in chapters[1:]
    )
    body = "".join(
        f'<section class="chapter" id="{c.id}" style="page: {c.id}">{c.article.decode()}</section>'
        for c in chapters
    )
    cff = citation(root)
    head_html = "".join(map(str, head))
    style = (root / "book/print.css").read_text("utf8") + running
    before = _cover(cff, built, foot) + _page_of_contents(table_of_contents(chapters))
    return (
        '<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{escape(cff['title'])}</title>{head_html}<style>{style}</style></head>"
        f"<body>{before}{body}</body></html>"
    )


def _css(text: str) -> str:
    """Return the text as a string of CSS."""
    return json.dumps(text, ensure_ascii=False)


def _cover(cff: dict[str, Any], built: Revision, foot: Tag) -> str:
    """Return the title page."""
    for commit in foot.select("p > code"):
        commit.string = built.commit_name  # of the whole report, not of the front page alone
    for details in foot.select("details"):
        details.name = "div"
    authors = ", ".join(author_name(author) for author in cff["authors"])
    title, _, subtitle = cff["title"].partition(": ")
    (paper,) = cff["references"]
    writers = " and ".join(author_name(author) for author in paper["authors"])
    return (
        f'<section class="cover"><div class="title">{escape(title)}</div>'
        f'<div class="subtitle">{escape(subtitle)}</div><div class="about">of {escape(writers)}, '
        f"<i>{escape(paper['title'])}</i>, {paper['year']}, {escape(paper['url'])}</div>"
        f'<div class="authors">{escape(authors)}</div><div>{built.day}</div>'
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
        for heading in chapter.article.select("section > h2"):
            lines.append(Line(2, heading.get_text().strip(), str(heading["id"])))
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
