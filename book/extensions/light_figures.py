"""Sphinx extension: figures weigh what they show, keep their place, and wait until they are near.

How a drawing becomes shorter is in `thin_drawings`.
"""

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sphinx.application import Sphinx
from thin_drawings import thin


def size(svg: str) -> tuple[int, int] | None:
    """Return the width and the height of a drawing in pixels, if it says them.

    Examples
    --------
    >>> size('<svg width="518.4pt" height="230.4pt">')
    (691, 307)
    """
    found = re.search(r'<svg[^>]*? width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    return (round(float(found[1]) / 0.75), round(float(found[2]) / 0.75)) if found else None


def place(app: Sphinx, page: str, template: str, context: dict[str, Any], document: object) -> None:
    """Say how large each figure of a page is; those after the first load when they come near."""
    files = {name: Path(app.srcdir, path) for path, name in app.builder.images.items()}
    first = True

    def sized(found: re.Match[str]) -> str:
        nonlocal first
        name = unquote(unescape(found[1]).rpartition("/")[2])
        known = size(files[name].read_text("utf8")) if name in files else None
        if not known or " width=" in found[0]:
            return found[0]
        lazy, first = "" if first else ' loading="lazy"', False
        return f'<img{lazy} width="{known[0]}" height="{known[1]}"{found[0][4:]}'

    if "body" in context:
        context["body"] = re.sub(r'<img\b[^>]* src="([^"]*\.svg)"', sized, context["body"])


def write(app: Sphinx, error: Exception | None) -> None:
    """Thin the figures of the pages, when they have been copied."""
    for path in [] if error else Path(app.outdir, "_images").glob("*.svg"):
        svg = path.read_text("utf8")
        if "<metadata>" in svg:  # or the last build has done it
            path.write_text(thin(svg), "utf8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-page-context", place)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
