"""Sphinx extension: a formula keeps the punctuation after it, and a proof its end.

A browser may break a line before and after a formula, whatever stands there.
"""

import re
from typing import Any

from sphinx.application import Sphinx

FORMULA = (  # a symbol may be a link to its meaning, and a long formula scrolls
    r'(?:<a class="symbol [^>]*>|<span class="long">)?'
    r'<math data-tex="[^"]*">(?:(?!</math>).)*</math>(?:</a>|</span>)?'
)
END = FORMULA.replace('"[^"]*"', r'"\\square"')


def join(html: str) -> str:
    r"""Mark what stays on one line.

    Examples
    --------
    >>> p = '<math data-tex="p"><mi>p</mi></math>'
    >>> end = r'<math data-tex="\square"><mi>◻</mi></math>'
    >>> print(join(f"With {p}, as {p} says. {end}").replace(p, "p").replace(end, "end"))
    With <span class="together">p,</span> as p <span class="together">says. end</span>
    """
    together = r'<span class="together">\1</span>'
    html = re.sub(rf"((?:{FORMULA}|\b)[^\s<>]{{0,30}}\s+{END})", together, html)
    return re.sub(rf"({FORMULA}[,.;:!?)”]+)", together, html)


def mark(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Mark it in the body of a page."""
    if "body" in context:
        context["body"] = join(context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
