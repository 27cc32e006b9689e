"""Sphinx extension: show a chapter's figure at another place too, as it came out of this build.

    ```{chapter-figure} fig-table1
    ```

takes the figure of that name with its alternative text, caption and number, and links to its place.
"""

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

logger = logging.getLogger(__name__)


class Wanted(nodes.Element):
    """Stands for the figure until all pages have been read."""


class ChapterFigure(SphinxDirective):
    """The directive."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Leave a mark."""
        wanted = Wanted(name=self.arguments[0])
        self.set_source_info(wanted)
        return [wanted]


class Fetch(SphinxPostTransform):
    """Put the figure in the place of the mark."""

    default_priority = 3  # before outputs, images and references are resolved

    def run(self, **kwargs: Any) -> None:
        """Replace all marks of a page."""
        for wanted in list(self.document.findall(Wanted)):
            wanted.parent.replace(wanted, self.fetch(wanted))  # by nothing, if there is no figure

    def fetch(self, wanted: Wanted) -> list[nodes.Node]:
        """Copy a figure; its caption begins with its number, a link to it in its chapter."""
        name = wanted["name"]
        page, anchor, _ = self.env.get_domain("std").data["labels"].get(name, ("", "", ""))
        number = self.env.toc_fignumbers.get(page, {}).get("figure", {}).get(anchor)
        if not number:
            logger.warning("chapter-figure: no figure is named %r", name, location=wanted)
            return []
        found = self.env.get_doctree(page).findall(nodes.figure)
        figure = next(node for node in found if anchor in node["ids"]).deepcopy()
        text = self.config.numfig_format["figure"] % ".".join(map(str, number))
        link = make_refnode(
            self.app.builder, self.env.docname, page, anchor, nodes.Text(text), "in its chapter"
        )
        figure["ids"], figure["names"] = [f"{anchor}-here"], []
        figure["classes"] += wanted["classes"]
        for reference in figure.findall(addnodes.pending_xref):
            reference["refdoc"] = self.env.docname  # it is followed from here
        caption = next(figure.findall(nodes.caption))
        caption.insert(0, [nodes.inline("", "", link, classes=["caption-number"]), nodes.Text(" ")])
        return [figure]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.add_node(Wanted)
    app.add_directive("chapter-figure", ChapterFigure)
    app.add_post_transform(Fetch)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
