"""Tests of the pages, built once with the smallest settings, and of how a build goes."""

import json
import re
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import build
from test_propositions import STATED

from crcen.study.datasets import DATASETS, TABLE_2

pytestmark = pytest.mark.slow

REQUESTED_LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "modulepreload"}
CSS_REFERENCE = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)")
JS_REFERENCE = re.compile(
    r"(?:\bimport\b\s*\(?|\bfrom|\.src\s*=|\bfetch\()\s*[\"'`]((?:https?:)?//[^\"'`]+)"
)

# Tools, lists and the account of how all was made: they begin with what they are.
NOTHING_ARGUED = {"claims", "controls", "datasets", "engine", "explorer", "your-data"}


@pytest.fixture(scope="session")
def pages(html):
    """Every page by its path; in ``_static`` there are only the theme's templates."""
    paths = [path for path in html.rglob("*.html") if html / "_static" not in path.parents]
    return {path: BeautifulSoup(path.read_text(), "html.parser") for path in paths}


@pytest.fixture(scope="session")
def articles(pages):
    """The content of every page of the book, without menus."""
    found = {path: page.select_one("article.bd-article") for path, page in pages.items()}
    return {path: article for path, article in found.items() if article}


@pytest.fixture(scope="session")
def contents(book):
    """The pages that the table of contents lists."""

    def files(entry):
        yield from ([entry["file"]] if "file" in entry else [])
        for key in ("parts", "chapters", "sections"):
            for child in entry.get(key, []):
                yield from files(child)

    toc = yaml.safe_load((book / "_toc.yml").read_text())
    return [toc["root"], *files(toc)]


def links(path, page):
    """The pages and anchors of this book to which a page links."""
    for link in page.select("a[href]"):
        url = urlsplit(link["href"])
        if not url.scheme and not url.netloc:
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            yield target, unquote(url.fragment)


def test_every_chapter_is_built_and_reached_from_the_front_page(html, pages, contents):
    front = html / f"{contents[0]}.html"
    reached, waiting = set(), [front]
    while waiting:
        path = waiting.pop()
        if path in pages and path not in reached:
            reached.add(path)
            waiting += [target for target, _ in links(path, pages[path])]
    assert {html / f"{name}.html" for name in contents} <= reached
    assert f"{contents[0]}.html" in (html / "index.html").read_text()


def test_every_notebook_is_a_chapter(book, contents):
    notebooks = {f"book/chapters/{path.stem}" for path in (book / "notebooks").glob("*.md")}
    assert notebooks == {name for name in contents if name.startswith("book/chapters/")}


def test_links_and_anchors_resolve(pages):
    anchors = {
        path: {tag.get("id") or tag.get("name") for tag in page.select("[id], a[name]")}
        for path, page in pages.items()
    }
    broken = {
        f"{path.name}: {target}#{anchor}"
        for path, page in pages.items()
        for target, anchor in links(path, page)
        if not target.exists() or (anchor and anchor not in anchors.get(target, ()))
    }
    assert broken == set()


def test_no_page_requests_another_host(html, pages):
    asked = set()
    for path, page in pages.items():
        for tag in page.select("[src], [srcset], [poster], object[data], link[href], image[href]"):
            if tag.name != "link" or REQUESTED_LINKS & set(tag.get("rel", [])):
                for name in ("src", "srcset", "poster", "data", "href"):
                    asked |= {(path.name, url) for url in tag.get(name, "").split()}
        for tag in page.select("script:not([src])"):
            asked |= {(path.name, url) for url in re.findall(r"https?://[^\s\"']+", tag.text)}
        for tag in page.select("style, [style]"):
            css = tag.text if tag.name == "style" else tag["style"]
            asked |= {(path.name, url) for url in CSS_REFERENCE.findall(css)}
    for pattern, reference in (("*.css", CSS_REFERENCE), ("*.js", JS_REFERENCE)):
        for path in html.rglob(pattern):
            asked |= {(path.name, url) for url in reference.findall(path.read_text())}
    assert {(name, url) for name, url in asked if urlsplit(url).netloc} == set()


def test_every_script_style_and_image_is_there(pages):
    missing = {
        (path.name, url)
        for path, page in pages.items()
        for tag, name in (("script", "src"), ("img", "src"), ("link[rel~=stylesheet]", "href"))
        for url in (found[name] for found in page.select(f"{tag}[{name}]"))
        if not url.startswith("data:") and not (path.parent / urlsplit(url).path).exists()
    }
    assert missing == set()


def test_data_to_download_lie_beside_the_pages(pages):
    path, page = next((path, page) for path, page in pages.items() if path.stem == "benchmark")
    file = path.parent / page.select_one("a[download='cells.csv']")["href"]
    assert file.read_text().startswith("protocol,")
    assert [path.name for path, page in pages.items() if page.select("a[href^='data:']")] == []


def test_no_two_things_of_a_page_have_one_anchor(pages):
    for path, page in pages.items():
        ids = [tag["id"] for tag in page.select("[id]")]
        assert sorted({name for name in ids if ids.count(name) > 1}) == [], path.name


def test_apostrophes_are_no_straight_marks(articles):
    for path, article in articles.items():
        left = [
            text
            for text in article.find_all(string=re.compile(r"\w'\w"))
            if not text.find_parent(["code", "pre", "script", "style", "textarea"])
        ]
        assert left == [], path.name


def test_a_set_has_one_name_in_all_tables(pages):
    """Of the six: the title of the benchmark, or the name of the file, in small letters."""
    titles = {DATASETS[name].title.lower(): DATASETS[name].title for name in TABLE_2}
    for path, page in pages.items():
        cells = {cell.get_text(strip=True) for cell in page.select("table.report td")}
        named = {text for text in cells if text.lower() in titles}
        assert named <= {*titles, *titles.values()}, path.name


def test_every_image_has_a_text_alternative(pages):
    without = {
        (path.name, image["src"])
        for path, page in pages.items()
        for image in page.select("img")
        if not image.get("alt", "").strip()
    }
    assert without == set()


def test_every_figure_has_a_number_and_a_caption(articles):
    for path, article in articles.items():
        for image in article.select(".cell_output img, figure img"):
            figure = image.find_parent("figure")
            assert figure, f"{path.name}: {image['src']} is not in a figure"
            assert figure.select_one("figcaption .caption-number"), f"{path.name}: {figure}"
            assert figure.select_one("figcaption .caption-text").text.strip(), path.name


def test_a_chapter_that_argues_leads_with_what_came_out_and_a_figure_of_its_own(articles, book):
    stated = {p.stem for p in (book / "notebooks").glob("*.md")} - NOTHING_ARGUED
    seen = {path.stem: article for path, article in articles.items() if path.stem in stated}
    assert seen.keys() == stated
    for chapter, article in seen.items():
        lead = article.h1.find_next_sibling()
        assert lead.get("class", [""])[0] == "chapter-lead", chapter
        said, figure = lead.find_all(recursive=False)
        sentences = re.split(r"(?<=[.?!])\s+(?=[A-Z(])", " ".join(said.text.split()))
        assert 2 <= len(sentences) <= 3, (chapter, sentences)
        assert said.select("a.number"), chapter
        anchor = figure["id"].removesuffix("-here")
        assert [tag["id"] for tag in article.select(f"figure[id^='{anchor}']")] == [
            f"{anchor}-here",
            anchor,
        ]
        assert figure.select_one("figcaption .caption-number a")["href"] == f"#{anchor}"
        again = article.select_one(f"figure#{anchor} img")
        for name in ("src", "alt", "width", "height"):
            assert figure.img[name] == again[name], (chapter, name)
        assert "loading" not in figure.img.attrs


def test_every_figure_is_cited(articles):
    figures = {
        figure["id"].removesuffix("-here")
        for article in articles.values()
        for figure in article.select("figure[id]")
    }
    links = {
        a["href"].rpartition("#")[2]
        for article in articles.values()
        for a in article.select("p a[href]:not(.headerlink)")
    }
    assert figures - links == set()


def test_no_cell_shows_an_error(book, pages):
    outputs = [
        (path.stem, output["output_type"], output.get("name"))
        for path in (book / "book/chapters").glob("*.ipynb")
        for cell in json.loads(path.read_text())["cells"]
        for output in cell.get("outputs", [])
    ]
    assert outputs
    assert [(stem, *kind) for stem, *kind in outputs if {"error", "stderr"} & set(kind)] == []
    shown = [path for path, page in pages.items() if "Traceback (most recent" in page.text]
    assert [path for path in shown if "book/api" not in str(path)] == []  # examples of errors


def test_equations_carry_the_numbers_of_the_paper(html):
    paper = ["loss", "network", "stationary", "chain", "five", "key"]
    for chapter, names, first in (("key-equation", paper, 1), ("simulations", ["fresh"], 7)):
        page = BeautifulSoup((html / f"book/chapters/{chapter}.html").read_text(), "html.parser")
        numbers = [page.select_one(f"#equation-eq-{name} .eqno").text.strip("#") for name in names]
        assert numbers == [f"({first + k})" for k in range(len(names))]


def test_propositions_have_the_numbers_of_their_order_and_links_say_them(html, articles):
    seen = {
        box["id"]: (path.stem, box.select_one(".caption-number").text.strip())
        for path, article in articles.items()
        for box in article.select(".proposition")
    }
    names = {label: f"Proposition {number}" for label, (_, number) in STATED.items()}
    assert seen == {label: (chapter, names[label]) for label, (chapter, _) in STATED.items()}
    links = [
        (link["href"].partition("#")[2], link.text)
        for article in articles.values()
        for link in article.select("a.reference[href*='#prop-']")
    ]
    assert {label for label, _ in links} <= names.keys()
    assert [text for label, text in links if text != names[label]] == []
    index = (html / "searchindex.js").read_text()
    assert all(label in index for label in names)


def test_no_markup_is_left_unread(articles):
    for path, article in articles.items():
        for code in article.select("pre, code"):
            code.extract()
        assert not re.search(r"\{[\w:]+\}`|<!--|\]\(|\*\*", article.text), path.name


# How a build goes, on a book of two pages that has this book's configuration and extensions


def front(root):
    page = BeautifulSoup((root / "_build/html/book/index.html").read_text(), "html.parser")
    return page.select_one("article p").text


def test_a_changed_line_of_the_module_changes_the_front_page(small_book):
    assert "ran in" in build(small_book).stdout
    assert front(small_book) == "It is 41 exactly."
    (small_book / "crcen/answer.py").write_text("ANSWER = 42\n")
    assert "ran in" in build(small_book).stdout
    assert front(small_book) == "It is 42 exactly."
    assert "ran in" not in build(small_book).stdout
    assert front(small_book) == "It is 42 exactly."


def test_a_failing_notebook_fails_the_build(small_book):
    (small_book / "crcen/answer.py").write_text("ANSWER = 1 / 0\n")
    built = build(small_book)
    assert built.returncode != 0
    assert "one: cell [1] raised ZeroDivisionError" in built.stdout
    assert "one-failed.ipynb" in built.stdout
    assert not list((small_book / "_build/html").rglob("one.html"))


def test_a_figure_that_no_chapter_has_fails_the_build_by_its_name(small_book):
    with (small_book / "book/index.md").open("a") as file:
        file.write("\n```{chapter-figure} fig-bounds\n```\n")
    built = build(small_book, "-W", "--keep-going")
    assert built.returncode != 0
    assert "index.md:5: WARNING: chapter-figure: no figure is named 'fig-bounds'" in built.stdout
