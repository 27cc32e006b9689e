"""Sphinx extension: typeset the mathematics when the book is built, as MathML.

Browsers set it by themselves, so that no page loads MathJax. It is MathJax's parser that reads the
TeX all the same, run here by QuickJS: what it understands comes out as it means it, and what it
does not stops the build.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

if TYPE_CHECKING:
    from sphinx.writers.html5 import HTML5Translator

PARTS = ("startup.js", "core.js", "adaptors/liteDOM.js", "input/tex-full.js")
# It loads nothing by itself, and there is no page to typeset.
BEFORE = """
globalThis.window = globalThis;
globalThis.MathJax = {loader: {load: []}, startup: {typeset: false}};
"""

LONG = 30  # characters of TeX, which may be wider than a phone

logger = logging.getLogger(__name__)


@cache
def converter() -> Callable[[str, bool], str]:
    """Start MathJax, and return what converts a formula: in line, or displayed."""
    from quickjs import Context

    package = Path(import_module("sphinx-mathjax-offline").__path__[0], "static/mathjax")
    context = Context()
    context.eval(BEFORE)
    for source in (*(package / part for part in PARTS), Path(__file__).with_suffix(".js")):
        context.eval(source.read_text("utf8"))
    convert: Callable[[str, bool], str] = context.get("convert")
    return convert


@cache
def mathml(tex: str, display: bool = False) -> str:
    r"""Return a formula as MathML, with its TeX to be copied.

    Raises
    ------
    ValueError
        If MathJax does not understand it.

    Examples
    --------
    >>> mathml("p_1")
    '<math data-tex="p_1"><msub><mi>p</mi><mn>1</mn></msub></math>'
    """
    made = json.loads(converter()(tex, display))
    if "error" in made:
        raise ValueError(made["error"])
    block = ' display="block"' if display else ""
    return f'<math{block} data-tex="{escape(tex.strip())}">{made["html"]}</math>'


def displayed(tex: str) -> str:
    r"""Return what TeX needs around several lines of a display, or several displays in one.

    Examples
    --------
    >>> displayed(r"a \\ b")
    '\\begin{split}a \\\\ b\\end{split}'
    """
    parts = [part for part in tex.split("\n\n") if part.strip()]
    lines = [rf"\begin{{split}}{part}\end{{split}}" if r"\\" in part else part for part in parts]
    return (
        lines[0] if len(lines) == 1 else r"\begin{aligned}" + r" \\ ".join(lines) + r"\end{aligned}"
    )


def typeset(node: nodes.Node, tex: str, display: bool) -> str:
    """Return a formula as MathML; of one that is wrong, warn."""
    try:
        return mathml(tex, display)
    except ValueError as error:
        logger.warning("mathematics: %s in %s", error, tex, location=node)
        return f"<code>{escape(tex)}</code>"


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in the line; a long one may scroll, for browsers do not break it."""
    formula = typeset(node, node.astext(), False)
    long = len(node.astext()) > LONG
    self.body.append(f'<span class="long">{formula}</span>' if long else formula)
    raise nodes.SkipNode


def visit_displaymath(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula of its own, after its number."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    tex = node.astext() if node["nowrap"] else displayed(node.astext())
    self.body.append(f"{typeset(node, tex, True)}</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
