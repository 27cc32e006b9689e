"""Sphinx extension: leave out of the page on the module what no author of it wrote.

And read the page again when any file of the module has changed: autodoc does not see those from
which a class inherits what it shows.
"""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def leave_out(
    app: Sphinx, what: str, name: str, member: object, skip: bool, options: object
) -> bool | None:
    """Skip scikit-learn's metadata requests, and fields of named tuples: their class lists them."""
    field = type(member).__name__ == "_tuplegetter"
    return True if field or name.endswith("_request") else None


def rest_on_all(app: Sphinx, *documented: object) -> None:
    """Make the page on the module depend on all its files."""
    for file in Path(app.srcdir, "crcen").rglob("*.py"):
        app.env.note_dependency(str(file))


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-skip-member", leave_out)
    app.connect("autodoc-process-docstring", rest_on_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
