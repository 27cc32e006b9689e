"""Sphinx extension: the tables that notebooks compute have numbers and anchors.

Tables 1 to 3 are the paper's. A table that begins its caption with one of these numbers, as it sets
ours beside the paper's, keeps it; all others count on from there, in the order of the book. A long
one can be sorted and filtered; if its first column has the same name in many rows, it is shown in
the first of them, and the best of ours among them is marked.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

OF_THE_PAPER = 3
LONG = 20  # rows
# As `report.table` has pandas write it: all with one id.
TABLE = re.compile(
    r'<table id="T_" (class="report[^>]*>\s*<caption>)(?:Table (\d+)\b)?(.*?)</caption>', re.DOTALL
)


CELL = re.compile(r'(<td class="data row(\d+) col(\d+)([^"]*)"\s*>)(.*?)</td>', re.DOTALL)
OURS = re.compile(r'<th class="col_heading level0 col(\d+)[^"]*"\s*>ours: ')
BEST = '<b>{}<span class="best"> (best of ours)</span></b>'


def grouped(html: str) -> str:
    """Return a long table with its rows in groups, if its first column makes some.

    The name stays in each row, for who sorts by another column or listens.
    """
    cells = {(int(c[2]), int(c[3])): c[5].strip() for c in CELL.finditer(html)}
    names = [text for (_, column), text in sorted(cells.items()) if not column]
    groups = 1 + sum(a != b for a, b in pairwise(names))
    if groups != len(set(names)) or 2 * groups > len(names):
        return html
    ours = {int(column) for column in OURS.findall(html)}
    values = {at: float(text.split()[0]) for at, text in cells.items() if at[1] in ours}
    best = {
        (name, column): max(values[row, column] for row, n in enumerate(names) if n == name)
        for name in names
        for column in ours
    }

    def write(found: re.Match[str]) -> str:
        row, column, text = int(found[2]), int(found[3]), found[5].strip()
        opened = found[1]
        if not column:
            if row and names[row - 1] == names[row]:
                opened = opened.replace("col0", "col0 repeats", 1)
            text = f"<span>{text}</span>"
        elif column in ours and values[row, column] == best[names[row], column]:
            text = BEST.format(text)
        return f"{opened}{text}</td>"

    if ours:
        html = html.replace(
            '<a class="headerlink"', ' Bold: the best of ours.<a class="headerlink"', 1
        )
    return CELL.sub(write, html).replace('class="report', 'class="report grouped', 1)


def ordered(env: BuildEnvironment) -> Iterator[str]:
    """Yield the pages in the order of the book."""
    waiting = [env.config.root_doc]
    while waiting:
        page = waiting.pop(0)
        yield page
        waiting[:0] = env.toctree_includes.get(page, [])


def note_tables(app: Sphinx, document: nodes.document) -> None:
    """Keep the numbers that the tables of a page say, 0 for those that say none."""
    html = "".join(node.astext() for node in document.findall(nodes.raw))
    app.env.metadata[app.env.docname]["tables"] = [
        int(found[2] or 0) for found in TABLE.finditer(html)
    ]


def table_numbers(env: BuildEnvironment) -> dict[str, list[int]]:
    """Give the tables of each page their numbers."""
    taken, following, numbers = set[int](), OF_THE_PAPER, dict[str, list[int]]()
    for page in ordered(env):
        numbers[page] = []
        for said in env.metadata.get(page, {}).get("tables", ()):
            keeps = 0 < said <= OF_THE_PAPER and said not in taken
            following += not keeps
            numbers[page].append(said if keeps else following)
            taken.add(numbers[page][-1])
    return numbers


class NumberTables(SphinxPostTransform):
    """Give each table its anchor and its number."""

    default_priority = 20  # after outputs have been chosen
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Rewrite the tables of a page."""
        numbers = iter(table_numbers(self.env).get(self.env.docname, ()))

        def write(found: re.Match[str]) -> str:
            number = next(numbers)
            said, rest = found[2], found[3]
            if said != str(number):
                rest = f" Table {said}{rest}" if said else f" {rest}"
            return (
                f'<table id="tab-{number}" {found[1]}<span class="caption-number">Table {number}'
                f'</span>{rest}<a class="headerlink" href="#tab-{number}" title="Link to this '
                f'table">#</a></caption>'
            )

        for node in list(self.document.findall(nodes.raw)):
            if TABLE.search(node.astext()):
                html = TABLE.sub(write, node.astext())
                if html.count("<tr") > LONG and "sortable" not in html and "rowspan" not in html:
                    html = grouped(html.replace('class="report', 'class="report sortable', 1))
                node.replace_self(nodes.raw(html, html, **node.attributes))


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("doctree-read", note_tables)
    app.add_post_transform(NumberTables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
