"""Sphinx extension: the code of a chapter is folded, under a line that says which it is.

"Code: Figure 5, 24 lines" names what the cell shows, or else what it defines, or else the section
in which it stands. The code opens below that line, which stays where it is. The PDF leaves out what
its author has hidden, the cells tagged ``hide-input``, and shows the others.
"""

import re
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

SHOWN = re.compile(r'id="(tab|claim)-(\w+)"')
DEFINED = re.compile(r"^(?:def|class) (\w+)", re.MULTILINE)
KINDS = {"tab": "Table", "claim": "claim"}
MOST = 2  # names in a line


class Fold(nodes.Element):
    """Code under a line of text."""


def visit(self: HTML5Translator, node: Fold) -> None:
    """Write the line."""
    kind = " ".join(["code", *node["classes"]])
    self.body.append(f'<details class="{kind}"><summary>{escape(node["title"])}</summary>\n')


def depart(self: HTML5Translator, node: Fold) -> None:
    """End the fold."""
    self.body.append("</details>\n")


class FoldCode(SphinxPostTransform):
    """Fold the code of all cells of a page."""

    default_priority = 150  # when tables have numbers, and before MyST-NB folds some
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Put the source of each cell into a fold."""
        for cell in list(self.document.findall(nodes.container)):
            if cell.get("nb_element") != "cell_code" or not cell.children:
                continue
            source = cell.children[0]
            if source.get("nb_element") == "cell_code_source":
                lines = len(source.astext().rstrip().splitlines())
                count = f"{lines} line{'s' * (lines != 1)}"
                fold = Fold(title=f"{self.title(cell, source.astext())}, {count}")
                if cell.get("hide_mode") == "input":
                    fold["classes"].append("hidden-in-print")
                    cell["hide_mode"] = None
                cell.replace(source, fold)
                fold += source

    def title(self, cell: nodes.Element, code: str) -> str:
        """Say which code it is."""
        if "tag_parameters" in cell["classes"]:
            return "Code: parameters"
        figures = self.env.toc_fignumbers.get(self.env.docname, {}).get("figure", {})
        names = [
            f"Figure {'.'.join(map(str, figures[anchor]))}"
            for figure in cell.findall(nodes.figure)
            for anchor in figure["ids"]
            if anchor in figures
        ]
        for output in cell.findall(nodes.raw):
            names += [f"{KINDS[kind]} {n}" for kind, n in SHOWN.findall(output.astext())]
        names = names or DEFINED.findall(code)
        if names:
            return f"Code: {', '.join(names[:MOST])}{' and more' * (len(names) > MOST)}"
        above = cell.parent
        while not isinstance(above, nodes.section):
            above = above.parent
        chapter = not isinstance(above.parent, nodes.section)
        return "Code: set-up" if chapter else f"Code under “{above[0].astext()}”"


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.add_node(Fold, html=(visit, depart))
    app.add_post_transform(FoldCode)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
