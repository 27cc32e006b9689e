"""Sphinx extension: load a script on the page that needs it, and only there."""

import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1]))
from provenance import citation

DESK = ("desk-numbers.js", "desk-table.js", "desk-scores.js", "desk.js")  # in the order of use


def add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Add the script to an HTML page; the single page that is printed keeps the static figure."""
    if app.builder.name == "html" and 'class="explorer"' in context.get("body", ""):
        app.add_js_file("explorer.js", loading_method="defer")
    if app.builder.name == "html" and 'id="desk"' in context.get("body", ""):
        version = {"data-version": citation(Path(app.srcdir))["version"]}  # for its slips
        app.add_css_file("desk.css")
        for name in DESK:
            app.add_js_file(name, loading_method="defer", **version)
    if app.builder.name == "html" and 'class="rerun"' in context.get("body", ""):
        app.add_js_file("rerun.js", loading_method="defer")
    if app.builder.name == "html" and " sortable" in context.get("body", ""):
        app.add_js_file("sortable.js", loading_method="defer")
    if page == "search":
        app.add_js_file("search-text.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
