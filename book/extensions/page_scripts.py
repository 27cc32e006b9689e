"""Sphinx extension: load scripts on the page that needs them, and after its text."""

import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1]))
from provenance import citation

NEEDED_BY = {  # a piece of a page (in code its < is escaped), and what goes with it, in this order
    '<div class="explorer"': ("logistic.js", "normal.js", "explorer.js"),
    '<div class="same-boundary"': ("logistic.js", "normal.js", "boundary.js"),
    'id="desk"': (
        "logistic.js",
        "desk-numbers.js",
        "desk-table.js",
        "desk-scores.js",
        "desk.js",
    ),
    'class="rerun"': ("rerun.js",),
    " sortable": ("sortable.js",),
}
COPYING = {"clipboard.min.js", "copybutton.js"}  # the button at each piece of code
OPTIONS = "documentation_options.js"  # a few lines that what stands within the page adds to


def add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Add them to an HTML page; the single page that is printed keeps the static figures."""
    if app.builder.name == "html":
        for piece, files in NEEDED_BY.items():
            if piece in context.get("body", ""):
                for file in files:
                    if file == "desk.js":  # its slips name the version
                        version = citation(Path(app.srcdir))["version"]
                        app.add_js_file(file, **{"data-version": version})
                    else:
                        app.add_js_file(file)
    if page == "search":
        app.add_js_file("search-text.js", loading_method="defer")


def leave_out(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Leave out what the page has no use for, and let the others wait; the search has its order."""
    if page == "search":
        return
    code = 'class="highlight' in context.get("body", "")
    kept = []
    for script in context["script_files"]:
        name = str(script.filename or "").rpartition("/")[2]
        if name == OPTIONS:  # within the page, or nothing is painted before they have come
            options = Path(app.outdir, "_static", OPTIONS).read_text("utf8")
            script = type(script)(None, priority=script.priority, body=options)
        elif name:
            attributes = script.attributes | {"defer": "defer"}
            script = type(script)(script.filename, priority=script.priority, **attributes)
        if code or name not in COPYING:
            kept.append(script)
    context["script_files"] = kept


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", add_script)
    app.connect("html-page-context", leave_out, priority=900)  # when all have added theirs
    return {"parallel_read_safe": True, "parallel_write_safe": True}
