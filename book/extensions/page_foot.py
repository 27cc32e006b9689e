"""Sphinx extension: state at the foot of each page what the book was built from.

``+changes`` after the commit says that a file on which this page rests differs from it. A page
rests on its own source, on the files that it includes, on what the book is made with, and on the
sources of the pages whose numbers and figures it shows. A chapter rests on all that chapters are
run with, too, and the ledger on all chapters. The names and numbers by which a page refers to
another, in its menu and in its text, do not count, so that a change does not mark the whole book.
"""

import os
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from chapter_figure import Wanted
from docutils import nodes
from myst_nb.ext.glue.utils import PendingGlueReference
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

DATA_PAGE = "book/chapters/datasets"
MADE_WITH = (
    "_config.yml",
    "_toc.yml",
    "CITATION.cff",
    "book/extensions/*",
    "book/provenance.py",
    "book/references.bib",
    "book/requirements.txt",
    "book/static/*",
    "book/templates/*",
    "requirements.txt",
)

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


def note_quotes(app: Sphinx, document: nodes.document) -> None:
    """Keep of which pages a page shows numbers, and which figures."""
    quotes = app.env.metadata[app.env.docname]
    quotes["glued from"] = [node.refdoc for node in document.findall(PendingGlueReference)]
    quotes["figures"] = [node["name"] for node in document.findall(Wanted)]


def rests_on(env: BuildEnvironment, page: str) -> Iterator[str]:
    """Yield the files on which a page rests, as patterns relative to the project's folder."""
    from driver.plan import AFTER, INPUTS  # papermill_chapters has put it on the path

    labels = env.get_domain("std").data["labels"]
    quotes = env.metadata.get(page, {})
    figures = [labels[name][0] for name in quotes.get("figures", ()) if name in labels]
    yield from MADE_WITH
    for source in {page, *quotes.get("glued from", ()), *figures} & env.found_docs:
        folder, name = os.path.split(source)
        if folder == "book/chapters":
            yield from (f"notebooks/{'*' if name in AFTER else name}.md", *INPUTS)
        for file in (env.doc2path(source), *env.dependencies.get(source, ())):
            yield os.path.relpath(Path(env.srcdir, file), env.srcdir)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    state: dict[str, Any] = {}

    def look(app: Sphinx) -> None:
        """Look once a build, after the notebooks have run."""
        from crcen.study import datasets

        state.update(built=revision(Path(app.srcdir)), digests=data_digests(datasets))

    def revision_of(env: BuildEnvironment, page: str) -> Revision:
        """Return the state of a page; one without a source, as the search, rests on all others."""
        pages = {page} & env.found_docs or env.found_docs
        return state["built"].of({name for source in pages for name in rests_on(env, source)})

    def text(app: Sphinx, page: str) -> str:
        """Return the foot of a page."""
        known = DATA_PAGE in app.env.found_docs
        link = known and (app.builder.get_relative_uri(page, DATA_PAGE) or "#")
        return foot(revision_of(app.env, page), state["digests"], link or "")

    def renewed(app: Sphinx, env: Any) -> list[str]:
        """Return the pages whose foot is not that of the last build."""
        before = getattr(env, "feet", {})
        env.feet = {page: text(app, page) for page in env.found_docs}
        return [page for page, foot in env.feet.items() if foot != before.get(page)]

    def add(
        app: Sphinx, page: str, template: str, context: dict[str, Any], document: object
    ) -> None:
        """Hand the foot to the theme, and the state to what cites a part of the page."""
        context["theme_extra_footer"] = text(app, page)
        context["revision"] = revision_of(app.env, page)

    app.connect("builder-inited", look, priority=900)
    app.connect("doctree-read", note_quotes)
    app.connect("env-get-updated", renewed)
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
