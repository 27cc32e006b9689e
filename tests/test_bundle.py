"""Tests of the bundle, made from a small book in git."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from urllib.parse import unquote

import pytest
from bundle import BundleError, crate, make_bundle, without_times
from conftest import build, git
from pdf import PdfError, find_browser, make_pdf
from provenance import citation, kept_files, revision

pytestmark = pytest.mark.slow


@pytest.fixture
def clones(small_clone, tmp_path):
    """Two clones of one commit, both built and printed."""
    try:
        find_browser()
    except PdfError as error:
        pytest.skip(str(error))
    folders = [tmp_path / "one", tmp_path / "a longer name"]
    for folder in folders:
        git(tmp_path, "clone", "--quiet", str(small_clone), str(folder))
        built = build(folder)
        assert built.returncode == 0, built.stdout
        assert "ran in" in built.stdout  # each executes the notebook
        make_pdf(folder)
    return folders


def test_the_same_commit_gives_the_same_bytes_and_every_list_is_right(clones, tmp_path):
    one, other = map(make_bundle, clones)
    assert one.name == other.name == f"crcen-report-0.1.0-{revision(clones[0]).commit_name}.tar.gz"
    assert one.read_bytes() == other.read_bytes()

    with tarfile.open(one) as archive:
        members = archive.getmembers()
        archive.extractall(tmp_path, filter="data")
    date = revision(clones[0]).date.timestamp()
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(date, 0, 0, "", "")}
    assert [m.name for m in members] == sorted(m.name for m in members)
    root = tmp_path / one.name.removesuffix(".tar.gz")

    names = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert set(kept_files(clones[0])) <= names
    assert {"crcen-report.pdf", "manifest.json", "html/index.html"} <= names
    assert {"book/chapters/one.ipynb", "html/_sources/book/chapters/one.ipynb"} <= names
    summed = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=root, capture_output=True)
    assert summed.returncode == 0
    assert len(summed.stdout.splitlines()) == len(names) - 1  # all but the list itself

    described = json.loads((root / "ro-crate-metadata.json").read_text())
    entities = {entity["@id"]: entity for entity in described["@graph"]}
    parts = {part["@id"] for part in entities["./"]["hasPart"]}
    assert {unquote(part) for part in parts} == names - {"SHA256SUMS", "ro-crate-metadata.json"}
    for part in parts:
        content = (root / unquote(part)).read_bytes()
        assert entities[part]["@type"] == "File"
        assert entities[part]["sha256"] == hashlib.sha256(content).hexdigest()
        assert entities[part]["contentSize"] == str(len(content))

    manifest = json.loads((root / "manifest.json").read_text())
    assert manifest["commit"] == git(clones[0], "rev-parse", "HEAD")
    assert manifest["changed since the commit"] is False
    assert manifest["chapters"]["one"]["profile"] == "smoke"


def test_what_is_out_of_date_is_not_packed(clones):
    root = clones[0]
    git(root, "commit", "--quiet", "--allow-empty", "--message", "Later")
    with pytest.raises(BundleError, match=r"a page was not built from .*run `make pdf` again"):
        make_bundle(root)
    assert build(root).returncode == 0
    with pytest.raises(BundleError, match="the PDF was not built from"):
        make_bundle(root)
    (root / "_build/crcen-report.pdf").unlink()
    with pytest.raises(BundleError, match="run `make pdf` first"):
        make_bundle(root)
    shutil.rmtree(root / ".git")
    with pytest.raises(BundleError, match="make the bundle in a clone"):
        make_bundle(root)
    assert list((root / "_build").glob("*.gz")) == []


def test_the_crate_has_what_the_specification_demands(small_clone):
    built, cff = revision(small_clone), citation(small_clone)
    graph = crate({"a b.md": b"text"}, cff, built)["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    assert len(entities) == len(graph)
    assert entities["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    assert entities["ro-crate-metadata.json"]["conformsTo"]["@id"].endswith("/ro/crate/1.1")
    root = entities["./"]
    assert all(root[key] for key in ("name", "description", "datePublished", "license"))
    assert entities["a%20b.md"]["encodingFormat"] == "text/markdown"

    def references(value):
        if isinstance(value, dict):
            yield from [value["@id"]] if set(value) == {"@id"} else ()
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    missing = set(references(graph)) - set(entities)
    assert missing == {"https://w3id.org/ro/crate/1.1"}
    paper = entities[root["citation"]["@id"]]  # one is no list of one
    assert paper["name"] == cff["references"][0]["title"]
    assert paper["@type"] == "ScholarlyArticle"
    assert [entities[author["@id"]]["@type"] for author in paper["author"]] == ["Person"] * 2


def test_a_notebook_keeps_its_code_outputs_and_key():
    cell = {"cell_type": "code", "id": "x1", "metadata": {"tags": ["t"]}, "source": "1 at 0"}
    cell["outputs"] = [{"data": {"text/plain": ["<Figure at 0x7f00>"]}}]
    notebook = {"cells": [cell], "metadata": {"crcen": {"key": "k", "seconds": 1}}}
    kept = json.loads(without_times(json.dumps(notebook).encode()))
    assert kept["cells"] == [
        cell | {"id": "cell-0", "outputs": [{"data": {"text/plain": ["<Figure>"]}}]}
    ]
    assert kept["metadata"] == {"crcen": {"key": "k"}}
