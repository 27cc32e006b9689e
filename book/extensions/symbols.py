"""Sphinx extension: a symbol leads to its meaning, where a section first uses it.

The page on notation says what each symbol means; a formula that is nothing but one of them is a
link to its row. All later ones of the section are left as they are, so that the way through a page
by the keyboard stays short.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

NOTATION = "book/notation"


def note_symbols(app: Sphinx, document: nodes.document) -> None:
    """Give each row of the notation an anchor, and keep which symbols it explains."""
    if app.env.docname != NOTATION:
        return
    anchors: dict[str, str] = {}
    for body in document.findall(nodes.tbody):
        for row in body.findall(nodes.row):
            texts = [formula.astext() for formula in row[0].findall(nodes.math)]
            for text in texts:
                anchor = "symbol-" + re.sub("[^A-Za-z0-9]+", "-", texts[0]).strip("-")
                anchors |= {text: anchor, text.partition(" = ")[0]: anchor}
                row["ids"] = [anchor]
    app.env.metadata[NOTATION]["symbols"] = anchors


class LinkSymbols(SphinxPostTransform):
    """Make the links of a page."""

    default_priority = 610  # after mentions
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Go through the formulas in the text of a page."""
        here = self.env.docname
        anchors = self.env.metadata.get(NOTATION, {}).get("symbols", {})
        if here == NOTATION or not anchors:
            return
        page = self.app.builder.get_relative_uri(here, NOTATION)
        seen = set()
        for formula in list(self.document.findall(nodes.math)):
            anchor, section = anchors.get(formula.astext()), formula.parent
            while section and not isinstance(section, nodes.section):
                if isinstance(section, nodes.title | nodes.reference | nodes.caption):
                    anchor = None
                section = section.parent
            if anchor and (id(section), anchor) not in seen:
                seen.add((id(section), anchor))
                link = nodes.reference("", "", internal=True, classes=["symbol"])
                link["refuri"] = f"{page}#{anchor}"
                link["reftitle"] = "notation"  # the name of a link that is no text
                formula.replace_self(link)
                link += formula


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("doctree-read", note_symbols)
    app.add_post_transform(LinkSymbols)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
