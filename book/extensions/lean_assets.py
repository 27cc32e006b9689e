"""Sphinx extension: remove what packages bring for the pages, and no page loads.

The theme has its icons as fonts and as a script, and a script of Bootstrap; and all that is of use
to who develops it.
"""

from pathlib import Path
from shutil import rmtree
from typing import Any

from sphinx.application import Sphinx

UNUSED = ("scripts/bootstrap.js*", "scripts/fontawesome.js*", "scripts/*.map", "styles/*.map")


def remove(app: Sphinx, error: Exception | None) -> None:
    """Remove it after the packages have copied it."""
    static = Path(app.outdir, "_static")
    rmtree(static / "vendor", ignore_errors=True)
    for path in (path for pattern in UNUSED for path in static.glob(pattern)):
        path.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("build-finished", remove)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
