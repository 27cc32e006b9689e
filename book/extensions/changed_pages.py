"""Sphinx extension: read and write the pages that have changed, and no others.

By itself Sphinx goes by the times of files, and renews a page if its own text is newer. It does not
see that a number, a title or a figure that the page shows has changed on another page, and forgets
what a build has warned of. So this extension keeps a record of what the pages were made from:

- A page is read again if its text or a file that it includes has other content.
- If a page was read, the others are put together anew in memory, without being written. Those that
  do not show what they showed, because they quote what has changed, are written too.
- All pages are written if the menu that each of them has, or a style or a script, has changed.
- All pages are read, too, if the contents, the configuration, an extension or an installed package
  has changed, or if the last build warned, failed or was stopped: then it left no record.

Sphinx itself writes the front page whenever it writes a page.
"""

import hashlib
import json
import os
import pickle
import platform
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import sphinx
from docutils import nodes
from myst_nb.sphinx_ext import add_global_html_resources
from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment


def digest(*parts: object) -> str:
    """Return a checksum of things by how they are written."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def contents(paths: list[Path]) -> str:
    """Return a checksum of the contents of files, some of which may not be there."""
    return digest(*(hashlib.sha256(p.read_bytes()).digest() if p.is_file() else p for p in paths))


def made_with(root: Path, config: Config) -> str:
    """Return a checksum of what pages are made with: contents, configuration, code, packages."""
    packages = Path(sphinx.__file__).parents[1].glob("*.dist-info")  # named NAME-VERSION
    return digest(
        contents([root / "_toc.yml", *sorted((root / "book").rglob("*.py"))]),
        contents(sorted((root / "book/templates").rglob("*.html"))),
        json.dumps(config.overrides, sort_keys=True, default=str),
        config.extensions,
        platform.python_version(),
        sorted(path.name for path in packages),
    )


class Record:
    """What the pages of the last build were made from, and those of this one."""

    def __init__(self) -> None:
        self.file = Path()
        self.last: dict[str, Any] = {}
        self.now: dict[str, Any] = {}
        self.read: set[str] = set()

    def recall(self, app: Sphinx, config: Config) -> None:
        """Read the record; without a good one, forget what Sphinx and MyST-NB have kept."""
        self.file = Path(app.doctreedir, "record.json")
        self.now = {"made with": made_with(Path(app.srcdir), config)}
        with suppress(OSError, ValueError):
            self.last = json.loads(self.file.read_text("utf8"))
        if self.last.get("made with") != self.now["made with"]:
            self.last = {}
            Path(app.doctreedir, ENV_PICKLE_FILENAME).unlink(missing_ok=True)
            shutil.rmtree(Path(app.outdir).with_name("jupyter_execute"), ignore_errors=True)

    def outdated(self, app: Sphinx, env: BuildEnvironment, *documents: set[str]) -> list[str]:
        """Return the pages to read, of those that were read before."""
        self.now["builder"] = app.builder.name
        if self.last.get("builder") != app.builder.name:
            self.last = {}
        read = self.last.get("read", {})
        known = env.found_docs & env.all_docs.keys()
        return [page for page in known if read.get(page) != self.sources(env, page)]

    def sources(self, env: BuildEnvironment, page: str) -> str:
        """Return a checksum of the files that a page is read from."""
        names = sorted(env.dependencies.get(page, ()))
        return contents([Path(env.srcdir, name) for name in (env.doc2path(page), *names)])

    def start(self, app: Sphinx, env: BuildEnvironment, pages: list[str]) -> None:
        """From here on, a build that does not come to its end leaves no record."""
        self.file.unlink(missing_ok=True)
        self.read = set(pages)

    def purge(self, app: Sphinx, env: BuildEnvironment, page: str) -> None:
        """Forget the numbers that a page has glued: MyST-NB keeps those that are gone, too."""
        folder = Path(app.outdir).with_name("jupyter_execute")
        (folder / f"{page}.glue.json").unlink(missing_ok=True)

    def changed(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Return the pages that have to be written though they were not read."""
        folder = Path(env.srcdir, "book/static")  # the others belong to packages
        static = sorted(path for path in folder.rglob("*") if path.is_file())
        titles = sorted((page, title.pformat()) for page, title in env.titles.items())
        self.now |= {
            "read": {page: self.sources(env, page) for page in env.found_docs},
            "everywhere": digest(titles, [path.name for path in static], contents(static)),
            "shown": dict(self.last.get("shown", {})),
        }
        if self.read:
            before = pickle.dumps(env.domaindata)
            for page in env.found_docs - self.read:
                env.get_and_resolve_doctree(page, app.builder)
            for domain, data in pickle.loads(before).items():
                env.domaindata[domain].clear()  # the bibliography would find its entries filled in
                env.domaindata[domain].update(data)
        if self.last.get("everywhere") != self.now["everywhere"]:
            return sorted(env.found_docs)
        shown = self.last.get("shown", {})
        return [page for page, now in self.now["shown"].items() if shown.get(page) != now]

    def look(self, app: Sphinx, document: nodes.document, page: str) -> None:
        """Note what a page shows, when it has been put together."""
        numbers = (app.env.toc_fignumbers.get(page), app.env.toc_secnumbers.get(page))
        self.now["shown"][page] = digest(document.pformat(), numbers)

    def finish(self, app: Sphinx, error: Exception | None) -> None:
        """Keep the record of a build without fault."""
        if error or app._warncount:
            self.file.unlink(missing_ok=True)
            return
        shown = self.now["shown"]
        self.now["shown"] = {page: shown[page] for page in app.env.found_docs if page in shown}
        scratch = self.file.with_suffix(".part")
        scratch.write_text(json.dumps(self.now), "utf8")
        os.replace(scratch, self.file)


def settle_exclusions(app: Sphinx, config: Config) -> None:
    """Exclude no file outside the book's folder by its name, and the others in a fixed order.

    `include_patterns` leaves those outside out already. The extension of the contents lists all,
    as the folders give them, and Sphinx reads every page when the list is another one: after a
    reader's run, which leaves a notebook in ``runs``.
    """
    root = Path(app.srcdir)
    config.exclude_patterns = sorted(
        pattern
        for pattern in config.exclude_patterns
        if pattern.startswith("book/") or not (root / pattern).is_file()
    )


def copy_style(app: Sphinx, builder: object) -> None:
    """Copy MyST-NB's style sheet before its checksum is looked for, and not after the first build.

    Or the links to it would be others in the first build than in those after it.
    """
    Path(app.outdir, "_static").mkdir(parents=True, exist_ok=True)
    add_global_html_resources(app, None)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    record = Record()
    app.connect("config-inited", record.recall)
    app.connect("config-inited", settle_exclusions, priority=950)  # after the contents are known
    app.connect("env-get-outdated", record.outdated)
    app.connect("env-before-read-docs", record.start)
    app.connect("env-purge-doc", record.purge)
    app.connect("env-get-updated", record.changed, priority=900)  # after figures have numbers
    app.connect("write-started", copy_style)
    app.connect("doctree-resolved", record.look, priority=900)
    app.connect("build-finished", record.finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
