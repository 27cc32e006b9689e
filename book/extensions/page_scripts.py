"""Sphinx extension: load a script on the page that needs it, and only there."""

from typing import Any

from sphinx.application import Sphinx

NEEDED_BY = {  # a piece of a page (in code its < is escaped), and the scripts that go with it
    '<div class="explorer"': ("normal.js", "explorer.js"),
    '<div class="same-boundary"': ("normal.js", "boundary.js"),
    " sortable": ("sortable.js",),
}


def add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Add the scripts to an HTML page; the single page that is printed keeps the static figure."""
    if app.builder.name == "html":
        for piece, scripts in NEEDED_BY.items():
            if piece in context.get("body", ""):
                for script in scripts:
                    app.add_js_file(script, loading_method="defer")
    if page == "search":
        app.add_js_file("search-text.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
