"""Sphinx extension: load scripts and styles on the page that needs them, and after its text."""

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
        "desk.css",
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
AT_ONCE = {"documentation_options.js", ""}  # the last are within the page, and read the first


def add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Add them to an HTML page; the single page that is printed keeps the static figures."""
    if app.builder.name == "html":
        for piece, files in NEEDED_BY.items():
            if piece in context.get("body", ""):
                for file in files:
                    if file.endswith(".css"):
                        app.add_css_file(file)
                    elif file == "desk.js":  # its slips name the version
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
    context["script_files"] = [
        type(script)(script.filename, priority=script.priority, **script.attributes | wait)
        for script in context["script_files"]
        for name in [str(script.filename or "").rpartition("/")[2]]
        for wait in [{} if name in AT_ONCE else {"defer": "defer"}]
        if code or name not in COPYING
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", add_script)
    app.connect("html-page-context", leave_out, priority=900)  # when all have added theirs
    return {"parallel_read_safe": True, "parallel_write_safe": True}
