"""Sphinx extension: the style sheets of the book are one file, for which a page waits once.

A browser paints nothing before it has all sheets of a page; a phone waits a sixth of a second for
an answer, and asks a host for six files at once.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder

SHEET = "report.css"
THEME = ("basic.css", "styles/pydata-sphinx-theme.css")  # which the theme's template names itself
FILE = re.compile(r"url\(\s*(['\"]?)(?!data:|#|/|\w+:)([^'\")]+)\1\s*\)")


def moved(css: str, folder: str) -> str:
    """Return a sheet of a folder as it is to stand above that: what it loads has another address.

    Examples
    --------
    >>> moved("a{background:url('b.png')}", "styles")
    'a{background:url(styles/b.png)}'
    >>> moved("a{background:url(data:image/png;base64,AA)}", "styles")
    'a{background:url(data:image/png;base64,AA)}'
    """
    return FILE.sub(rf"url({folder}/\2)", css) if folder else css


def parts(builder: StandaloneHTMLBuilder) -> list[Path]:
    """Return the files of the sheets, in the order in which they apply."""
    named = [str(sheet.filename).removeprefix("_static/") for sheet in builder._css_files]
    static = Path(builder.outdir, "_static")
    return [static / name for name in dict.fromkeys((*THEME, *named))]


def write(app: Sphinx, error: Exception | None) -> None:
    """Join the sheets and take them away.

    A build in which nothing has changed copies none or a few of them, and the one is there.
    """
    if error or not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    static = Path(app.outdir, "_static")
    files = parts(app.builder)
    found = [file for file in files if file.exists()]
    if found == files:
        folders = [file.parent.relative_to(static).as_posix().strip(".") for file in files]
        css = [
            moved(file.read_text("utf8"), folder)
            for file, folder in zip(files, folders, strict=True)
        ]
        (static / SHEET).write_text("\n".join(css), "utf8")
    for file in found:
        file.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    versions: list[str] = []

    def link(
        app: Sphinx, page: str, template: str, context: dict[str, Any], document: object
    ) -> None:
        """Let a page load the one sheet, whose version changes with any of them."""
        if isinstance(app.builder, StandaloneHTMLBuilder):
            if not versions:  # they have been copied by now
                files = b"".join(file.read_bytes() for file in parts(app.builder))
                versions.append(hashlib.sha256(files).hexdigest()[:8])
            context["sheet"], context["css_files"] = f"{SHEET}?v={versions[0]}", []

    app.connect("html-page-context", link, priority=950)  # when all have added theirs
    app.connect("build-finished", write, priority=850)  # when they are lean
    return {"parallel_read_safe": True, "parallel_write_safe": True}
