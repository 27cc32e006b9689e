"""Sphinx extension: the directive ``cite-as`` shows a BibTeX entry to copy.

    ```{cite-as} li2019crcen
    ```

shows the entry of that key in references.bib; without a key it is that of this report, made from
CITATION.cff. So neither is typed twice.
"""

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parents[1]))
from provenance import citation


def report_entry(cff: dict[str, Any], part: str = "") -> str:
    """Write what CITATION.cff says of this report in BibTeX, and of which part of it.

    Examples
    --------
    >>> author = {"family-names": "Doe", "given-names": "J."}
    >>> cff = {"title": "T", "version": "1.0", "date-released": "2026-01-31", "authors": [author]}
    >>> print(report_entry(cff))
    @misc{crcen_report,
      title  = {{T}},
      author = {Doe, J.},
      year   = {2026},
      note   = {Version 1.0}
    }
    """
    fields = {
        "title": f"{{{cff['title']}}}",  # in braces once more: BibTeX keeps its capitals
        "author": " and ".join(map(_author, cff["authors"])),
        "year": str(cff["date-released"])[:4],
        "note": f"Version {cff['version']}{part}",
    }
    for cff_name, name in (("doi", "doi"), ("repository-code", "url")):
        if cff_name in cff:
            fields[name] = cff[cff_name]
    lines = ",\n".join(f"  {name:<6} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{crcen_report,\n{lines}\n}}"


def _author(author: dict[str, str]) -> str:
    if "name" in author:  # a group, which BibTeX must not take for a given and a family name
        return f"{{{author['name']}}}"
    return f"{author['family-names']}, {author['given-names']}"


def listed_entry(bibliography: str, key: str) -> str:
    r"""Cut one entry out of the text of a BibTeX file.

    Examples
    --------
    >>> listed_entry("@misc{a,\n  year = {1}\n}\n\n@misc{b,\n  year = {2}\n}\n", "b")
    '@misc{b,\n  year = {2}\n}'
    """
    found = re.search(rf"^@\w+{{{re.escape(key)},.*?^}}", bibliography, re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"key={key!r} is not in references.bib: write one that is.")
    return found[0]


class CiteAs(SphinxDirective):
    """The directive."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the block of code."""
        root = Path(self.env.srcdir)
        for name in ("CITATION.cff", "book/references.bib"):
            self.env.note_dependency(str(root / name))
        try:
            if self.arguments:
                bibliography = (root / "book/references.bib").read_text("utf8")
                text = listed_entry(bibliography, self.arguments[0])
            else:
                text = report_entry(citation(root))
        except ValueError as error:
            raise self.error(str(error)) from None
        return [nodes.literal_block(text, text, language="bibtex", classes=["bibtex"])]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.add_directive("cite-as", CiteAs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
