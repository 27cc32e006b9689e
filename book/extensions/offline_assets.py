"""Sphinx extension: give the pages what they need and no more, so that none needs a net.

The package sphinx-mathjax-offline copies all of MathJax, 24 MB. Typesetting TeX needs 2 MB of it,
in parts: the files that hold several parts in one have MathJax's menu, too, which no page shows.
The theme brings its icons as fonts and as a script, and a script of Bootstrap: no page loads them.
"""

from importlib import import_module
from pathlib import Path
from shutil import copyfile, rmtree
from typing import Any

from sphinx.application import Sphinx

NEEDED = (
    "startup.js",
    "core.js",
    "input/tex.js",
    "input/tex/extensions/*.js",
    "output/chtml.js",
    "output/chtml/fonts/tex.js",
    "output/chtml/fonts/woff-v2/*.woff",
    "a11y/assistive-mml.js",
)
UNUSED = ("scripts/bootstrap.js*", "scripts/fontawesome.js*", "scripts/*.map", "styles/*.map")


def copy_mathjax(app: Sphinx) -> None:
    """Copy what the pages load to ``_static/mathjax``."""
    package = Path(import_module("sphinx-mathjax-offline").__path__[0], "static/mathjax")
    for source in (path for pattern in NEEDED for path in package.glob(pattern)):
        target = Path(app.outdir, "_static/mathjax", source.relative_to(package))
        if not target.exists() or target.stat().st_size != source.stat().st_size:
            target.parent.mkdir(parents=True, exist_ok=True)
            copyfile(source, target)


def remove_unused(app: Sphinx, error: Exception | None) -> None:
    """Remove what no page loads, after the theme has copied it."""
    static = Path(app.outdir, "_static")
    rmtree(static / "vendor", ignore_errors=True)
    for path in (path for pattern in UNUSED for path in static.glob(pattern)):
        path.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("builder-inited", copy_mathjax)
    app.connect("build-finished", remove_unused)
    app.config.mathjax_path = "mathjax/startup.js"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
