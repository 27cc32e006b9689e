"""Sphinx extension: what search engines and previews of links say of a page; who wrote the report.

A page is described by the first sentences of its own text. The picture of a link is the same for
all: two bells and a boundary. Previews take no SVG, so a clean build draws it as PNG.
The directive ``byline`` names authors and version as CITATION.cff does.
"""

import re
import sys
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parents[1]))
from provenance import author_name, citation

LONGEST = 220  # characters, of which search engines show 160 and previews more
CITED = re.compile(r"\s\[[\d, ]+\]")
PICTURE = "_static/preview.png"
SPELLED = {r"\lambda": "λ", r"\alpha": "α", r"1-\lambda": "1 − λ"}


def description(doctree: nodes.document) -> str:
    """Return the first sentences of a page's text; one with a formula that is no word is left out.

    Examples
    --------
    >>> from docutils.utils import new_document
    >>> page = new_document("page")
    >>> page += nodes.paragraph("", "A first sentence of some length. A second one, i.e. the last.")
    >>> description(page)
    'A first sentence of some length. A second one, i.e. the last.'
    """
    said = ""
    for paragraph in doctree.findall(nodes.paragraph):
        if "byline" in paragraph["classes"]:
            continue
        pieces = map(str, paragraph.findall(nodes.Text))
        text = CITED.sub("", "".join(SPELLED.get(piece, piece) for piece in pieces))
        for sentence in re.split(r"(?<=[.?!:])\s+(?=[A-Z])", " ".join(text.split())):
            if said and len(said) + len(sentence) > LONGEST:
                return said
            if "\\" not in sentence:
                said = f"{said} {sentence}".strip()
        if said:
            break
    return said


def describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Add the description and what the Open Graph protocol asks for to the head of a page."""
    if app.builder.name != "html" or doctree is None:
        return
    said, title = escape(description(doctree)), context["title"]
    address = app.config.html_baseurl.rstrip("/")
    picture = f"{address}/{PICTURE}" if address else context["pathto"](PICTURE, 1)
    tags = [("name", "description", said)] + [
        ("property", f"og:{name}", value)
        for name, value in {
            "type": "article",
            "site_name": escape(app.config.html_title),
            "title": title,
            "description": said,
            "image": picture,
            "image:width": "1200",
            "image:height": "630",
        }.items()
    ]
    context["metatags"] = context.get("metatags", "") + "".join(
        f'\n<meta {kind}="{name}" content="{value}" />' for kind, name, value in tags
    )


def draw(app: Sphinx) -> None:
    """Draw the picture."""
    file = Path(app.outdir, PICTURE)
    if app.builder.name != "html" or file.exists():
        return
    import numpy as np
    from plots import INK, MAJORITY, MINORITY, canvas  # papermill_chapters has put it on the path

    figure, axes = canvas(width=12, height=6.3)
    ax = axes[0, 0]
    x = np.linspace(-5, 5, 401)
    common, rare = (np.exp(-((x - mean) ** 2) / 2) for mean in (-1, 1))
    ax.fill_between(x, rare, where=x <= 0, color=MINORITY, alpha=0.3, lw=0)
    ax.fill_between(x, common, where=x >= 0, color=MAJORITY, alpha=0.3, lw=0)
    ax.plot(x, common, color=MAJORITY, lw=4)
    ax.plot(x, rare, color=MINORITY, lw=4)
    ax.axvline(0, color=INK, lw=4, ymax=0.75)
    ax.text(-4.9, 1.2, app.config.html_title, size=44, color=INK)
    ax.set(xlim=(-5, 5), ylim=(0, 1.5))
    ax.set_axis_off()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100, facecolor="white")


class Byline(SphinxDirective):
    """The directive."""

    def run(self) -> list[nodes.Node]:
        """Write the line."""
        root = Path(self.env.srcdir)
        self.env.note_dependency(str(root / "CITATION.cff"))
        cff = citation(root)
        authors = ", ".join(map(author_name, cff["authors"]))
        return [nodes.paragraph("", f"{authors}, version {cff['version']}", classes=["byline"])]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.add_directive("byline", Byline)
    app.connect("builder-inited", draw, priority=900)
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
