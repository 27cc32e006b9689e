"""Pack the report into one archive for a supplement: ``make bundle``.

The archive unpacks to a checkout with what was built from it: the sources with the results by cell,
the executed notebooks in ``book/chapters``, the pages in ``html``, the PDF, and three lists:
``manifest.json`` (from what and with what it was built), ``ro-crate-metadata.json`` (RO-Crate 1.1)
and ``SHA256SUMS``.

The same commit gives the same bytes. For that, executed notebooks lose the times of their run and
addresses in memory, and their cells get numbers for the names that are drawn at random; entries are
sorted, belong to nobody, and have the time of the commit. The pages come from a clean build: a file
of an earlier one might be among them else.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import mimetypes
import platform
import re
import sys
import tarfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notebooks"))
from driver import ROOT
from driver.execution import PACKAGES, scratch_folder
from provenance import (
    Revision,
    author_name,
    citation,
    data_digests,
    kept_files,
    revision,
    stopped,
)

from crcen import mishaps
from crcen.study import datasets

PDF = "crcen-report.pdf"
CRATE, SUMS = "ro-crate-metadata.json", "SHA256SUMS"
TYPES = mimetypes.MimeTypes()  # Python's own table, and not that of the machine
TYPES.add_type("application/x-ipynb+json", ".ipynb")
TYPES.add_type("text/markdown", ".md")
TYPES.add_type("image/svg+xml", ".svg")


class BundleError(Exception):
    """There is nothing to pack, or it is out of date; the text says what to do."""


def without_times(notebook: bytes) -> bytes:
    """Take out of an executed notebook what differs from run to run.

    Examples
    --------
    >>> cell = {"id": "f3a9", "metadata": {"papermill": {"duration": 0.1}}}
    >>> ran = {"cells": [cell], "metadata": {"crcen": {"key": "ab", "seconds": 2.5}}}
    >>> json.loads(without_times(json.dumps(ran).encode()))
    {'cells': [{'id': 'cell-0', 'metadata': {}}], 'metadata': {'crcen': {'key': 'ab'}}}
    """
    content = json.loads(re.sub(rb" at 0x[0-9a-f]+>", b">", notebook))  # <Class at an address>
    content["metadata"].pop("papermill", None)
    content["metadata"].get("crcen", {}).pop("seconds", None)
    for number, cell in enumerate(content["cells"]):
        cell["id"] = f"cell-{number}"
        for name in ("papermill", "execution"):
            cell["metadata"].pop(name, None)
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def gather(root: Path) -> dict[str, bytes]:
    """Read what goes into the archive, by its name there: sources, notebooks, pages and PDF."""
    html = root / "_build/html"
    pages = [path for path in html.rglob("*") if path.is_file() and path.name != ".buildinfo"]
    found = {name: root / name for name in kept_files(root)}
    found |= {f"book/chapters/{path.name}": path for path in root.glob("book/chapters/*.ipynb")}
    found |= {f"html/{path.relative_to(html).as_posix()}": path for path in pages}
    found[PDF] = root / "_build" / PDF
    return {
        name: without_times(path.read_bytes()) if name.endswith(".ipynb") else path.read_bytes()
        for name, path in sorted(found.items())
    }


def check(root: Path, built: Revision) -> None:
    """See that pages and PDF are there, and were made from the sources as they are now.

    Raises
    ------
    BundleError
        If not.
    """
    from pypdf import PdfReader

    if not kept_files(root):
        raise BundleError(f"git keeps no files of {root}: make the bundle in a clone.")
    front, pdf = root / "_build/html/index.html", root / "_build" / PDF
    for path, command in ((front, "make book"), (pdf, "make pdf")):
        if not path.exists():
            raise BundleError(f"there is no {path}: run `{command}` first.")
    if problem := stopped(root):
        raise BundleError(problem)
    pages = [page.read_text("utf8") for page in (root / "_build/html/book").rglob("*.html")]
    information = PdfReader(pdf).metadata
    subject = str(information.subject) if information else ""
    of_page = built.commit[:7]  # each says by itself whether it has changes
    checked = [("a page", page, of_page) for page in pages]
    for name, text, commit in [*checked, ("the PDF", subject, built.commit_name)]:
        if commit not in text:
            raise BundleError(f"{name} was not built from commit {commit}: run `make pdf` again.")


def manifest(root: Path, files: Mapping[str, bytes], built: Revision) -> dict[str, Any]:
    """Tell from which commit, with which versions, data and parameters the report was built."""
    ran = {
        Path(name).stem: json.loads(content)["metadata"].get("crcen", {})
        for name, content in files.items()
        if name.startswith("book/chapters/")
    }
    return {
        "version": built.version,
        "commit": built.commit,
        "changed since the commit": built.changed,
        "date": built.date.isoformat(),
        "python": platform.python_version(),
        "packages": {package: version(package) for package in (*PACKAGES, "jupyter-book")},
        "data (SHA-256 of the arrays)": data_digests(datasets),
        "chapters": {
            name: {key: made.get(key) for key in ("profile", "parameters", "key")}
            for name, made in ran.items()
        },
    }


def crate(files: Mapping[str, bytes], cff: dict[str, Any], built: Revision) -> dict[str, Any]:
    """Describe the files as an RO-Crate 1.1.

    Parameters
    ----------
    files : mapping
        The content of every file by its name, but not that of the crate itself.
    cff : dict
        CITATION.cff.
    built : Revision
        What they were built from.

    Returns
    -------
    dict
        JSON-LD: the root data set with its authors, licence and the paper as citation, and every
        file with size and SHA-256.
    """
    licence = {"@id": f"https://spdx.org/licenses/{cff['license']}"}
    people: dict[str, dict[str, Any]] = {}

    def refer(entities: list[dict[str, Any]]) -> Any:
        references = [{"@id": entity["@id"]} for entity in entities]
        return references[0] if len(references) == 1 else references  # as RO-Crate wants it

    def authors(of: dict[str, Any]) -> Any:
        for author in of["authors"]:
            name, kind = author_name(author), "Organization" if "name" in author else "Person"
            people[name] = {"@id": f"#{quote(name)}", "@type": kind, "name": name}
        return refer([people[author_name(author)] for author in of["authors"]])

    papers = [
        {
            "@id": paper["url"],
            "@type": "ScholarlyArticle",
            "name": paper["title"],
            "author": authors(paper),
            "datePublished": str(paper["year"]),
        }
        for paper in cff["references"]
    ]
    parts = [
        {
            "@id": quote(name),
            "@type": "File",
            "contentSize": str(len(content)),
            "encodingFormat": TYPES.guess_type(name)[0] or "text/plain",
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for name, content in files.items()
    ]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": cff["title"],
        "description": cff["abstract"],
        "version": f"{built.version} ({built.commit_name})",
        "datePublished": built.date.date().isoformat(),
        "license": licence,
        "keywords": ", ".join(cff["keywords"]),
        "author": authors(cff),
        "citation": refer(papers),
        "hasPart": refer(parts),
    }
    descriptor = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    licence_entity = licence | {"@type": "CreativeWork", "name": cff["license"]}
    return {
        # The context of 1.1 is older than the property sha256 of schema.org.
        "@context": [
            "https://w3id.org/ro/crate/1.1/context",
            {"sha256": "http://schema.org/sha256"},
        ],
        "@graph": [descriptor, root, licence_entity, *papers, *people.values(), *parts],
    }


def write_archive(target: Path, files: Mapping[str, bytes], built: Revision) -> None:
    """Write files as tar.gz, whole or not at all, under one folder that has the archive's name."""
    folder = target.name.removesuffix(".tar.gz")
    with (
        mishaps.replacing(target) as scratch,
        scratch.open("wb") as raw,
        # Without a name and a time, which gzip would put into its header.
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime = len(content), int(built.date.timestamp())
            entry.mode = 0o755 if content.startswith(b"#!") else 0o644
            archive.addfile(entry, io.BytesIO(content))


def make_bundle(root: Path = ROOT) -> Path:
    """Pack the report that was built in a folder.

    Parameters
    ----------
    root : Path
        The project's folder, a clone.

    Returns
    -------
    Path
        The archive, in ``_build``.

    Raises
    ------
    BundleError
        If the book or the PDF has not been built from the sources as they are.
    """
    built, cff = revision(root), citation(root)
    target = root / f"_build/crcen-report-{built.version}-{built.commit_name}.tar.gz"
    with scratch_folder(root / "_build"):  # and no build meanwhile
        check(root, built)
        files = gather(root)
        files["manifest.json"] = _json(manifest(root, files, built))
        files[CRATE] = _json(crate(files, cff, built))
        sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
        files[SUMS] = "".join(sums).encode()
        write_archive(target, files, built)
    return target


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def main() -> int:
    """Run the command line and return the exit status."""
    return mishaps.told("bundle.py", print_bundle)


def print_bundle() -> int:
    """Make the bundle, say where it is or why there is none, and return the exit status."""
    try:
        print(make_bundle())
    except BundleError as error:
        print(f"bundle.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
