"""Sphinx extension: run the stale notebooks with papermill before the book is read.

So plain ``jupyter-book build .`` gives the same book as running ``notebooks/run.py`` first.
"""

import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

logger = logging.getLogger(__name__)


def run_notebooks(app: Sphinx) -> None:
    """Bring the chapters up to date, or stop the build."""
    root = Path(str(app.srcdir))
    sys.path.insert(0, str(root / "notebooks"))
    import run
    from driver.parameters import RunError

    try:
        run.run_stale(run.default_profile(), root=root, report=logger.info)
    except RunError as error:
        raise ExtensionError(f"notebooks/run.py: {error}") from None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("builder-inited", run_notebooks, priority=100)  # before anything is written
    return {"parallel_read_safe": True, "parallel_write_safe": True}
