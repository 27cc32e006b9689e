"""Sphinx extension: below each figure its file and its data to download, and how to cite it.

The entry names the commit that the page was built from, so that what it cites can be made again.
"""

import json
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


def drawn(source: Path) -> dict[str, str]:
    """Read what the figures of an executed notebook draw, as CSV, by their anchors.

    Examples
    --------
    >>> drawn(Path("no-notebook.md"))
    {}
    """
    if source.suffix != ".ipynb":
        return {}
    found = {}
    for cell in json.loads(source.read_text("utf8"))["cells"]:
        name = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
        for output in cell.get("outputs", ()) if name else ():
            if csv := output.get("metadata", {}).get("csv"):
                found[name] = csv
    return found


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
        links = [(suffix, figure["file"])]
        if csv := data.get(figure["anchor"]):
            file = f"{name}.csv"
            images = Path(app.outdir, app.builder.imagedir)
            images.mkdir(exist_ok=True)  # the figures come later
            (images / file).write_text(csv, "utf8")
            links += [(".csv", f"{figure['file'].rpartition('/')[0]}/{file}")]
        files = "".join(
            f'<a download="{name}{kind}" href="{href}">{kind[1:].upper()}</a>'
            for kind, href in links
        )
        return (
            f'{figure[0]}\n<div class="download">{files}<details class="cite"><summary>Cite '
            f'{figure["number"]}</summary><div class="highlight"><pre>{escape(entry)}</pre></div>'
            "</details></div>"
        )

    if "body" in context and built:
        cff, data = citation(Path(app.srcdir)), drawn(Path(app.env.doc2path(page)))
        context["body"] = FIGURE.sub(line, context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("doctree-read", rest_on_citation)
    app.connect("html-page-context", add_line, priority=600)  # when the state is known
    return {"parallel_read_safe": True, "parallel_write_safe": True}
