"""Sphinx extension: what links of the text can show in place, in a file for each page.

`static/previews.js` loads the file of the page to which a link leads when a reader stays on the
link. It is a script, because a page opened from a disk may read nothing else.
"""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FOLDER = "_previews"
#: What can be shown, by its tag, and by its class or how its anchor begins.
SHOWN = {
    ("div", "proposition"),
    ("div", "claim"),
    ("div", "citation"),
    ("div", "equation-"),
    ("figure", "fig-"),
    ("table", "tab-"),
    ("tr", "symbol-"),
}
LINK = re.compile(r'<a class="headerlink".*?</a>', re.DOTALL)
CELL = re.compile(r"<td[^>]*>(.*?)</td>", re.DOTALL)


class Cut(HTMLParser):
    """Cuts out of the text of a page what can be shown, by its anchor."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html, self.found = html, dict[str, str]()
        self.tag, self.anchor, self.start, self.depth = "", "", 0, 0
        self.lines = [0]
        for line in html.split("\n"):
            self.lines.append(self.lines[-1] + len(line) + 1)
        self.feed(html)
        self.close()

    def place(self) -> int:
        """Return how far the text has been read."""
        line, column = self.getpos()
        return self.lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Begin with what can be shown; what stands in that is part of it."""
        given = dict(attrs)
        anchor = given.get("id") or ""
        kinds = {*(given.get("class") or "").split(), anchor.partition("-")[0] + "-"}
        if self.tag:
            self.depth += tag == self.tag
        elif anchor and any((tag, kind) in SHOWN for kind in kinds):
            self.tag, self.anchor, self.start, self.depth = tag, anchor, self.place(), 1

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        self.depth -= tag == self.tag
        if self.tag and not self.depth:
            end = self.html.index(">", self.place()) + 1
            self.found[self.anchor] = written(self.tag, self.html[self.start : end])
            self.tag = ""


def written(tag: str, html: str) -> str:
    """Return what is shown of a piece of a page: of a row of the notation what it means.

    Examples
    --------
    >>> written("tr", "<tr><td>w</td><td>a weight</td><td>lam</td></tr>")
    '<p>w: a weight</p>'
    """
    html = LINK.sub("", html)
    if tag == "tr":
        symbol, meaning = CELL.findall(html)[:2]
        return f"<p>{strip(symbol)}: {strip(meaning)}</p>"
    return html


def strip(cell: str) -> str:
    """Return a cell without the paragraph in it."""
    return re.sub("</?p>", "", cell).strip()


def write_file(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: object
) -> None:
    """Write the file of a page; one that has nothing to show has none."""
    file = Path(app.outdir, FOLDER, f"{page}.js")
    found = Cut(context["body"]).found if document and "body" in context else {}
    found |= context.get("numbers", {})
    if not found:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    shown = json.dumps(found, ensure_ascii=False, indent=0)
    file.write_text(f"(window.previews ??= {{}})[{json.dumps(page)}] = {shown};\n", "utf8")


def remove(app: Sphinx, error: Exception | None) -> None:
    """Remove the files of pages that have left the book."""
    for file in Path(app.outdir, FOLDER).rglob("*.js"):
        page = file.relative_to(Path(app.outdir, FOLDER)).with_suffix("").as_posix()
        if page not in app.env.found_docs:
            file.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", write_file, priority=900)  # when the body is as it stays
    app.connect("build-finished", remove)
    app.add_js_file("previews.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
