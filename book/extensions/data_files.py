"""Sphinx extension: data that a chapter offers for download becomes a file beside the pages.

A notebook holds the rows in its link, so that it is whole by itself. A page that did so would load
them for every reader.
"""

import re
from base64 import b64decode
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

LINK = re.compile(r'<a download="([^"]+)" href="data:text/csv;base64,([^"]*)"')


def carry_out(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Write the data of a page into files and link to them."""

    def write(link: re.Match[str]) -> str:
        name = f"_downloads/{Path(page).name}-{link[1]}"
        file = Path(app.outdir, name)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b64decode(link[2]))
        return f'<a download="{link[1]}" href="{context["pathto"](name, 1)}"'

    if "body" in context:
        context["body"] = LINK.sub(write, context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", carry_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
