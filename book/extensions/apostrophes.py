"""Sphinx extension: apostrophes that notebooks write are those of the prose.

Sphinx sets the ones of the text, and leaves captions, tables and claims, which are displayed HTML.
"""

import re
from typing import Any

from one_face import in_texts
from sphinx.application import Sphinx

STRAIGHT = "(?:'|&#x27;|&#39;)"
WITHIN = re.compile(rf"(?<=\w){STRAIGHT}(?=\w)")
AT_THE_END = re.compile(rf"(?<=s){STRAIGHT}(?=[\s.,;:)])")
OPENED = re.compile(rf"(?<!\w){STRAIGHT}\w")


def curl(text: str) -> str:
    """Write the apostrophes of a text as such; what stands in quotes keeps them.

    Examples
    --------
    >>> curl("the paper's, and the methods' numbers")
    'the paper\u2019s, and the methods\u2019 numbers'
    >>> curl("'probabilities' or 'logits'")
    "'probabilities' or 'logits'"
    """
    text = WITHIN.sub("\u2019", text)
    return text if OPENED.search(text) else AT_THE_END.sub("\u2019", text)


def set_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Do it in a page that is written."""
    if "body" in context:
        context["body"] = in_texts(context["body"], curl)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", set_page, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
