"""Tests of the PDF, printed from the book with the smallest settings."""

import re
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from joined import Chapter, adapt, contents, read_chapters, table_of_contents
from pdf import PdfError, find_browser, make_pdf, print_page
from provenance import citation, revision
from pypdf import PdfReader

A4 = (595, 842)  # points
FOOT = 60  # above the sheet's lower edge
FIELDS = ("Parameters", "Attributes", "Returns", "Yields", "Raises")  # of the module's functions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def browser():
    try:
        return find_browser()
    except PdfError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def report(book, browser):
    return PdfReader(make_pdf(book))


@pytest.fixture(scope="session")
def texts(report):
    return [" ".join(page.extract_text().split()) for page in report.pages]


@pytest.fixture(scope="session")
def chapters(book):
    return read_chapters(book)


def headings(outline, level=0):
    """The bookmarks as (level, title, destination)."""
    for entry in outline:
        if isinstance(entry, list):
            yield from headings(entry, level + 1)
        else:
            yield level, entry.title, entry


def test_bookmarks_are_the_parts_chapters_and_sections_of_the_book(report, chapters, texts):
    expected, part = [], ""
    for chapter in chapters:
        if chapter.part != part:
            part = chapter.part
            expected.append((0, part))
        level = 1 if part else 0
        for heading in chapter.article.select("h1, section > h2"):
            expected.append((level + (heading.name == "h2"), heading.text.removesuffix("#")))
    marks = list(headings(report.outline))
    assert [(level, title) for level, title, _ in marks] == expected
    parts = {chapter.part for chapter in chapters}
    for _, title, mark in marks:
        if title not in parts:
            assert title in texts[report.get_destination_page_number(mark)]


def test_the_contents_give_the_page_of_every_heading(report, texts):
    first = report.get_destination_page_number(report.outline[0])
    front = " ".join(texts[1:first])  # the contents, after the cover
    for level, title, mark in headings(report.outline):
        if level:  # not a part
            number = report.get_destination_page_number(mark) + 1
            assert re.search(rf"{re.escape(title)} ?{number}\b", front), title


def last_line(page):
    """The lowest text of a page above its foot; text is extracted in another order."""
    placed = []

    def see(text, cm, tm, *_):
        if text.strip() and (y := cm[5] + cm[3] * tm[5]) > FOOT:
            placed.append((y, text.strip()))

    page.extract_text(visitor_text=see)
    lowest = min(y for y, _ in placed)
    return "".join(text for y, text in placed if y < lowest + 3)


def test_no_page_ends_with_what_announces_the_next_thing(report):
    announcing = {title for _, title, _ in headings(report.outline)}
    announcing |= {"Examples", "References", *(f"{field}:" for field in FIELDS)}
    first = report.get_destination_page_number(report.outline[0])
    assert announcing.isdisjoint(map(last_line, report.pages[first:]))


def test_every_page_is_a4_and_all_but_the_cover_are_numbered(report, texts):
    for number, (page, text) in enumerate(zip(report.pages, texts, strict=True), 1):
        assert tuple(map(round, page.mediabox[2:])) == A4
        if number > 1:
            assert re.match(rf"{number}\D", text)  # the foot comes first in the text
    assert "Version 0.1.0" in texts[0]
    assert "arxiv.org/abs/1906.04026" in texts[0]  # the paper's title breaks anywhere


def test_title_author_and_date_are_those_of_the_release(book, report):
    cff = citation(book)
    assert report.metadata.title == cff["title"]
    assert report.metadata.author == cff["authors"][0]["name"]
    assert report.metadata.creation_date == revision(book).date
    assert "not known" in report.metadata.subject  # the copy that was built has no git
    assert report.trailer["/Root"]["/Lang"] == "en"
    assert report.viewer_preferences.display_doctitle


def test_mathematics_is_typeset_and_no_control_is_printed(texts):
    text = " ".join(texts)
    controls = ("Code: ", "Rerun this page", "Cite Figure", "Link to this")
    for left in ("\\frac", "\\(", "\\lambda", *controls):
        assert left not in text


def test_links_lead_into_the_pdf_or_to_the_web(report):
    targets, inside = set(), 0
    for page in report.pages:
        for annotation in page.get("/Annots", []):
            link = annotation.get_object()
            if "/A" in link and "/URI" in link["/A"]:
                targets.add(link["/A"]["/URI"])
            elif "/Dest" in link:
                assert link["/Dest"] in report.named_destinations
                inside += 1
    assert inside > 100
    assert {urlsplit(target).scheme for target in targets} == {"https"}


@pytest.fixture
def printed(tmp_path, browser):
    """Print a body; return the right end of its texts, and the sizes of their letters."""

    def put(body):
        page = tmp_path / "page.html"
        style = "@page { size: A4; margin: 20mm } div, pre { overflow: visible }"
        page.write_text(f"<style>{style} pre {{ font-size: 10pt }}</style>{body}")
        print_page(page, tmp_path / "page.pdf")
        ends, sizes = [], []

        def see(text, cm, tm, font, size):
            if text.strip():
                ends.append(cm[0] * tm[4] + cm[4])
                sizes.append(round(abs(cm[0] * tm[0] * size), 1))

        PdfReader(tmp_path / "page.pdf").pages[0].extract_text(visitor_text=see)
        return max(ends), max(sizes)

    return put


def test_what_is_too_wide_is_made_smaller_or_refused(printed):
    def table(columns):
        cells = "".join(f"<td>column{number:03d}</td>" for number in range(columns))
        return f'<div class="table-scroll"><table><tr>{cells}</tr></table></div>'

    end, _ = printed(table(12))
    assert end < A4[0]
    with pytest.raises(PdfError, match="too wide for the page: column000"):
        printed(table(60))


def test_wide_code_becomes_a_little_smaller_and_wider_code_wraps(printed):
    sizes = [printed(f"<pre>{'word ' * words}</pre>")[1] for words in (10, 17, 60)]
    assert sizes[0] == sizes[2] > sizes[1] > 0.85 * sizes[0]


def test_anchors_links_and_images_of_a_page_fit_the_joined_document(tmp_path):
    def address(name):
        return (tmp_path / f"_build/html/book/{name}.html").as_uri()

    page = BeautifulSoup(
        '<article><h1 id="top">T<a class="headerlink" href="#top">#</a></h1><a href="#top">a</a>'
        '<a href="other.html#top">b</a><a href="other.html">c</a><a href="data.csv">d</a>'
        '<a href="https://example.org/x">e</a><a href="https://example.org/x">example.org/x</a>'
        '<img src="../_images/i.svg"><details class="code hidden-in-print">code</details>'
        '<details class="code"><summary>Code</summary><pre>f</pre></details>'
        f"<code>--jobs</code><code>{'x ' * 30}</code></article>",
        "html.parser",
    ).article
    adapt(page, address("one"), {address("one"): "one", address("other"): "other"})
    assert [a["href"] for a in page.select("a")] == [
        "#one--top",
        "#other--top",
        "#other",
        "https://example.org/x",
        "https://example.org/x",
    ]
    assert page.text.startswith("Tabcde (https://example.org/x)example.org/xf--jobs")
    assert [code.get("style") for code in page.select("code")] == ["white-space: nowrap", None]
    assert page.h1["id"] == "one--top"
    assert page.img["src"] == (tmp_path / "_build/html/_images/i.svg").as_uri()


def test_a_part_stands_before_its_first_chapter():
    toc = {"root": "f", "parts": [{"caption": "P", "chapters": [{"file": "a"}, {"file": "b"}]}]}
    pages = [
        Chapter(name, part, BeautifulSoup(f"<article><h1>{name}</h1></article>", "html.parser"))
        for part, name in contents(toc)
    ]
    assert [(line.level, line.text) for line in table_of_contents(pages)] == [
        (1, "f"),
        (0, "P"),
        (1, "a"),
        (1, "b"),
    ]


def test_without_a_book_or_a_browser_the_error_says_what_to_do(small_book, monkeypatch):
    with pytest.raises(FileNotFoundError, match="build the book first, with `make book`"):
        read_chapters(small_book)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PdfError, match="apt-get install chromium"):
        make_pdf(small_book)
