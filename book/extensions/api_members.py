"""Sphinx extension: leave out of the page on the module what no author of it wrote."""

from typing import Any

from sphinx.application import Sphinx


def leave_out(
    app: Sphinx, what: str, name: str, member: object, skip: bool, options: object
) -> bool | None:
    """Skip scikit-learn's metadata requests, and fields of named tuples: their class lists them."""
    field = type(member).__name__ == "_tuplegetter"
    return True if field or name.endswith("_request") else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-skip-member", leave_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
