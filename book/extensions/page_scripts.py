"""Sphinx extension: load scripts and styles on the page that needs them, and only there."""

import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1]))
from provenance import citation

NEEDED_BY = {  # a piece of a page (in code its < is escaped), and what goes with it, in this order
    '<div class="explorer"': ("normal.js", "explorer.js"),
    '<div class="same-boundary"': ("normal.js", "boundary.js"),
    'id="desk"': ("desk.css", "desk-numbers.js", "desk-table.js", "desk-scores.js", "desk.js"),
    'class="rerun"': ("rerun.js",),
    " sortable": ("sortable.js",),
}


def add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Add them to an HTML page; the single page that is printed keeps the static figures."""
    if app.builder.name == "html":
        version = citation(Path(app.srcdir))["version"]  # for the slips of the desk
        for piece, files in NEEDED_BY.items():
            if piece in context.get("body", ""):
                for file in files:
                    if file.endswith(".css"):
                        app.add_css_file(file)
                    else:
                        app.add_js_file(file, loading_method="defer", **{"data-version": version})
    if page == "search":
        app.add_js_file("search-text.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
