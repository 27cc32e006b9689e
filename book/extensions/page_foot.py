"""Sphinx extension: state at the foot of each page what the book was built from."""

import sys
from html import escape
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DATA_PAGE = "book/chapters/datasets"

sys.path.insert(0, str(Path(__file__).parents[1]))
from provenance import Revision, data_digests, revision  # noqa: E402


def foot(built: Revision, digests: dict[str, str], data_link: str) -> str:
    """Return the HTML: version, commit and date, and folded below them the data's checksums.

    Examples
    --------
    >>> from datetime import datetime
    >>> print(foot(Revision("0.1.0", datetime(2026, 11, 23)), {}, ""))
    <p>Version 0.1.0, 23 November 2026. Commit not known.</p>
    <p>Built without any of the data sets.</p>
    """
    commit = f", commit <code>{escape(built.commit_name)}</code>" if built.commit else ""
    unknown = "" if built.commit else " Commit not known."
    line = f"<p>Version {escape(built.version)}{commit}, {built.day}.{unknown}</p>"
    if not digests:
        return f"{line}\n<p>Built without any of the data sets.</p>"
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd><code>{digest}</code></dd>" for name, digest in digests.items()
    )
    sets = f'<a href="{escape(data_link)}">data sets</a>' if data_link else "data sets"
    return (
        f"{line}\n<details><summary>Checksums of the data</summary>"
        f"<p>SHA-256 of the arrays of the {sets} that were at hand:</p><dl>{rows}</dl></details>"
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    state: dict[str, Any] = {}

    def look(app: Sphinx) -> None:
        """Look once a build, after the notebooks have run."""
        from plan import datasets  # in notebooks, which papermill_chapters has put on the path

        state.update(built=revision(Path(app.srcdir)), digests=data_digests(datasets()))

    def add(
        app: Sphinx, page: str, template: str, context: dict[str, Any], document: object
    ) -> None:
        """Hand the foot to the theme.

        Every build writes every page (papermill_chapters reads them all anew), so that no page
        keeps the foot of an earlier commit.
        """
        known = app.env is not None and DATA_PAGE in app.env.found_docs
        link = context["pathto"](DATA_PAGE) if known else ""
        context["theme_extra_footer"] = foot(data_link=link, **state)

    app.connect("builder-inited", look, priority=900)
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
