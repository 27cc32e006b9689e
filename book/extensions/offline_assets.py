"""Sphinx extension: give the pages what they need and no more, so that none needs a net.

The package sphinx-mathjax-offline copies all of MathJax, 24 MB. Typesetting TeX needs 2 MB of it,
in parts: the files that hold several parts in one have MathJax's menu, too, which no page shows.
The theme has every icon twice, as a font and in a script of 1.5 MB. The font is enough.
"""

from importlib import import_module
from pathlib import Path
from shutil import copyfile
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


def copy_mathjax(app: Sphinx) -> None:
    """Copy what the pages load to ``_static/mathjax``."""
    package = Path(import_module("sphinx-mathjax-offline").__path__[0], "static/mathjax")
    for source in (path for pattern in NEEDED for path in package.glob(pattern)):
        target = Path(app.outdir, "_static/mathjax", source.relative_to(package))
        if not target.exists() or target.stat().st_size != source.stat().st_size:
            target.parent.mkdir(parents=True, exist_ok=True)
            copyfile(source, target)


def empty_icon_script(app: Sphinx, error: Exception | None) -> None:
    """Empty the theme's script of icons after the theme has copied it."""
    for script in Path(app.outdir, "_static/scripts").glob("fontawesome.js*"):
        script.write_text("")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("builder-inited", copy_mathjax)
    app.connect("build-finished", empty_icon_script)
    app.config.mathjax_path = "mathjax/startup.js"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
