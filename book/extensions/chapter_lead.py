"""Sphinx extension: a chapter leads with what was asked, what came out, and a figure that shows it.

    :::{lead} fig-table1
    What was asked, and what came out.
    :::

The figure stands in the argument, where its code and its number are. The lead shows the same file
once more; the PDF leaves it out there.
"""

from typing import Any

from chapter_figure import Wanted
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Lead(SphinxDirective):
    """The directive."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Set the sentences, and leave a mark for the figure."""
        lead = nodes.container(classes=["chapter-lead"])
        self.state.nested_parse(self.content, self.content_offset, lead)
        figure = Wanted(name=self.arguments[0], classes=["hidden-in-print"])
        self.set_source_info(figure)
        lead += figure
        return [lead]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.add_directive("lead", Lead)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
