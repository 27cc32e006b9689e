"""Sphinx extension: remove from the built book what an earlier build has left there.

Sphinx removes no page that has left the book, and no figure or file that no page has any more.
"""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from sphinx.application import Sphinx


def remove(app: Sphinx, error: Exception | None) -> None:
    """Remove them after the pages have been written."""
    if error or app.builder.format != "html":
        return
    root, names = Path(app.outdir), app.env.found_docs
    pages = [path for path in root.glob("*/**/*.html") if root / "_static" not in path.parents]
    for path in pages:
        if path.relative_to(root).with_suffix("").as_posix() not in names:
            path.unlink()
    for path in root.glob("_sources/**/*.*"):
        source = path.relative_to(root / "_sources").as_posix()
        if not any(source.startswith(f"{name}.") for name in names):
            path.unlink()
    html = "".join(path.read_text("utf8") for path in pages if path.exists())
    for path in [*root.glob("_images/**/*.*"), *root.glob("_downloads/**/*.*")]:
        name = path.relative_to(root).as_posix()
        if name not in html and quote(name) not in html:
            path.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("build-finished", remove)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
