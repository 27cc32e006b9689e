"""Sphinx extension: below each figure its file to download, and how to cite it.

The entry names the commit that the page was built from, so that what it cites can be made again.
"""

import re
from html import escape
from pathlib import Path
from typing import Any

from cite_as import report_entry
from docutils import nodes
from provenance import citation
from sphinx.application import Sphinx

FIGURE = re.compile(
    r'<figure [^>]*id="(?P<anchor>[^"]+)(?<!-here)">\s*(?:<a [^>]*>)?'
    r'<img [^>]*src="(?P<file>[^"]+)".*?'
    r'<span class="caption-number">(?P<number>[^<]+?)\s*</span>.*?</figure>',
    re.DOTALL,
)


def rest_on_citation(app: Sphinx, document: nodes.document) -> None:
    """Make a page with figures depend on what says how to cite the report."""
    if any(document.findall(nodes.figure)):
        app.env.note_dependency(str(Path(app.srcdir, "CITATION.cff")))


def add_line(
    app: Sphinx, page: str, template: str, context: dict[str, Any], document: object
) -> None:
    """Write the line below each figure of a page; a figure that is shown again has none there."""
    built: Any = context.get("revision")  # not in a reader's own run

    def line(figure: re.Match[str]) -> str:
        commit = built.commit_name or "not known"
        name, suffix = f"{Path(page).name}-{figure['anchor']}", Path(figure["file"]).suffix
        part = f", commit {commit}, {figure['number']}"
        entry = report_entry(cff, f"{part}, {page}.html\\#{figure['anchor']}")
        return (
            f'{figure[0]}\n<div class="download"><a download="{name}{suffix}" '
            f'href="{figure["file"]}">{suffix[1:].upper()}</a><details class="cite"><summary>Cite '
            f'{figure["number"]}</summary><div class="highlight"><pre>{escape(entry)}</pre></div>'
            "</details></div>"
        )

    if "body" in context and built:
        cff = citation(Path(app.srcdir))
        context["body"] = FIGURE.sub(line, context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("doctree-read", rest_on_citation)
    app.connect("html-page-context", add_line, priority=600)  # when the state is known
    return {"parallel_read_safe": True, "parallel_write_safe": True}
