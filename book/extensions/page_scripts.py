"""Sphinx extension: load a script on the page that needs it, and only there, and after the text."""

from typing import Any

from sphinx.application import Sphinx

COPYING = {"clipboard.min.js", "copybutton.js"}  # the button at each piece of code
AT_ONCE = {"documentation_options.js", ""}  # the last are within the page, and read the first


def add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Add the script to an HTML page; the single page that is printed keeps the static figure."""
    if app.builder.name == "html" and 'class="explorer"' in context.get("body", ""):
        app.add_js_file("explorer.js", loading_method="defer")
    if app.builder.name == "html" and " sortable" in context.get("body", ""):
        app.add_js_file("sortable.js", loading_method="defer")
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
