"""Sphinx extension: propositions of sphinx-proof without what would trip a page over.

It wraps the text of each in a section named `proof-content`, so that a page with two has one name
twice. And its style sheet has colours of its own, and is not there yet when the first build looks
for its checksum; static/custom.css has the style of a proposition.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx_proof.nodes import proposition_node


def unwrap(app: Sphinx, document: nodes.document) -> None:
    """Take the sections out of the propositions of a page, and leave their text."""
    for proposition in document.findall(proposition_node):
        for section in [child for child in proposition if isinstance(child, nodes.section)]:
            place = proposition.index(section)
            proposition[place : place + 1] = section.children  # replace_self would keep its name


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.setup_extension("sphinx_proof")
    registry = app.registry
    registry.css_files = [found for found in registry.css_files if found[0] != "proof.css"]
    app.connect("doctree-read", unwrap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
