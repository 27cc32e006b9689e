"""Sphinx extension: a symbol looks the same in a table or a caption as in a formula.

There it is text, so that it can be sorted, searched and copied: here its letters get the face of
the mathematics.
"""

import re
from collections.abc import Callable
from typing import Any

from sphinx.application import Sphinx

APART = "code|math|option|pre|script|style|svg|textarea|title"  # what has a face of its own
PIECES = re.compile(rf"<({APART})\b.*?</\1>|<[^>]*>", re.DOTALL)
SYMBOL = re.compile(
    "(?<![^\\W\\d])(?:[pNV\N{GREEK CAPITAL LETTER DELTA}]\u0304?[\u2080\u2081]|p\u0304"
    "|[\N{GREEK CAPITAL LETTER DELTA}\N{GREEK SMALL LETTER ALPHA}\N{GREEK SMALL LETTER BETA}"
    "\N{GREEK SMALL LETTER LAMDA}\N{GREEK SMALL LETTER RHO}])(?![\\w\u0304])"
)


def in_texts(html: str, change: Callable[[str], str]) -> str:
    """Change the texts of a page, and leave its tags and what has a face of its own.

    Examples
    --------
    >>> in_texts('<p class="a">a <code>a</code></p>', str.upper)
    '<p class="a">A <code>a</code></p>'
    """
    done, last = [], 0
    for piece in PIECES.finditer(html):
        done += [change(html[last : piece.start()]), piece[0]]
        last = piece.end()
    return "".join([*done, change(html[last:])])


def set_symbols(html: str) -> str:
    r"""Mark the symbols in the text of a page.

    Examples
    --------
    >>> set_symbols('<td title="N\u2081">log N\u2081</td>')
    '<td title="N\u2081">log <i class="variable">N\u2081</i></td>'
    """
    return in_texts(html, lambda text: SYMBOL.sub(r'<i class="variable">\g<0></i>', text))


def set_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Do it in a page that is written."""
    if "body" in context:
        context["body"] = set_symbols(context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", set_page, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
