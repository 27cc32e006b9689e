"""Sphinx extension: repair roles in the pages that assistive technology would trip over.

Docutils gives the bibliography the role of a list, and its entries one that lists do not know.
"""

from typing import Any

from sphinx.application import Sphinx

ROLES = {'role="doc-biblioentry"': 'role="listitem"'}


def repair(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Rewrite the roles in the body of a page."""
    for wrong, right in ROLES.items():
        if "body" in context:
            context["body"] = context["body"].replace(wrong, right)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", repair)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
