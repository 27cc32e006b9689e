"""Tests that what the pages name by a number, and each number, is a link, and of folded code."""

import json
import re

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from mentions import split
from named_code import DEFINED

# What one may call by a number, as a reader sees it; not the numbers of other books, as in 12.3.
NAMED = re.compile(
    r"\b(Propositions?|Eqs?\.|Equations?|[Cc]laims?|Laws?|Tables?|Figures?)\s(L?\d+[a-z]?)\b(?!\.\d)"
)
ALONE = ["a", "code", "pre", "button", "th", "summary", "style", "script", "h1", "h2", "h3", "h4"]


@pytest.fixture(scope="module")
def articles(html):
    """The content of every page."""
    paths = sorted((html / "book").rglob("*.html"))
    return {
        path: BeautifulSoup(path.read_text(), "html.parser").select_one("article") for path in paths
    }


def alone(text):
    """Whether a text is code, a heading, a link or the number of the thing itself."""
    if text.find_parent(ALONE) or text.find_parent(class_=["caption-number", "admonition-title"]):
        return True
    return bool(text.find_parent(class_="math"))


def own(text, kind):
    """Whether it is the table or the figure in whose caption it stands."""
    return kind in ("Table", "Figure") and text.find_parent(["caption", "figcaption"])


def test_every_thing_that_is_named_by_a_number_is_linked(articles):
    targets = {tag["id"] for article in articles.values() for tag in article.select("[id]")}
    left = [
        (path.stem, found[0], text)
        for path, article in articles.items()
        for text in article.find_all(string=NAMED)
        for found in NAMED.finditer(text)
        if not alone(text)
        and not own(text, found[1])
        # a small build may have no verdict on claims about single data sets
        and not (found[1].lower().startswith("claim") and f"claim-{found[2]}" not in targets)
    ]
    assert left == []


def test_every_link_leads_to_what_it_names(html, articles):
    links = [
        (path, link) for path, article in articles.items() for link in article.select("a.mention")
    ]
    assert len(links) > 150
    for path, link in links:
        file, anchor = link["href"].split("#")
        target = (path.parent / file).resolve() if file else path
        there = articles[target].select_one(f"[id='{anchor}']")
        number = re.search(r"L?\d+[a-z]?$", link.text)[0]
        said = {
            "prop": lambda tag: tag.select_one(".caption-number").text,
            "equation": lambda tag: tag.select_one(".eqno").text,
            "claim": lambda tag: tag.strong.text,
            "ledger": lambda tag: tag.text,
            "tab": lambda tag: tag.select_one(".caption-number").text,
            "fig": lambda tag: re.search(r"the paper.s Figure \d+", tag.figcaption.text)[0],
        }[anchor.partition("-")[0]](there)
        assert re.search(rf"(?<!\d){number}(?!\w)", said), (path.stem, link, said)


def test_a_claim_leads_to_its_line_of_the_ledger_and_back(articles):
    ledger = next(article for path, article in articles.items() if path.stem == "claims")
    lines = {tag["id"]: tag["href"] for tag in ledger.select("a[id^=ledger-]")}
    cards = {
        card["id"]: (path, card.strong.a["href"])
        for path, article in articles.items()
        for card in article.select(".claim")
    }
    assert len(cards) == len(lines) > 40
    for card, (path, line) in cards.items():
        number = card.removeprefix("claim-")
        assert line == f"claims.html#ledger-{number}"
        assert lines[f"ledger-{number}"] == f"{path.name}#{card}"


def test_tables_are_numbered_after_those_of_the_paper(articles, book):
    numbers = [
        int(number.text.removeprefix("Table "))
        for article in articles.values()
        for number in article.select("table.report caption > .caption-number")
    ]
    tables = [table for article in articles.values() for table in article.select("table.report")]
    assert sorted(numbers) == list(range(1, len(tables) + 1))
    assert [table["id"] for table in tables] == [f"tab-{number}" for number in numbers]
    for number, chapter in ((1, "simulations"), (2, "datasets"), (3, "benchmark")):
        (path,) = (path for path, a in articles.items() if a.select(f"table#tab-{number}"))
        assert path.stem == chapter


def test_a_long_table_can_be_sorted(articles):
    for article in articles.values():
        for table in article.select("table.report"):
            long = len(table.select("tr")) > 20 and not table.select("[rowspan]")
            assert not long or "sortable" in table["class"]


def test_all_code_is_folded_under_a_line_that_says_which(articles):
    folds = [fold for article in articles.values() for fold in article.select("details.code")]
    cells = [cell for article in articles.values() for cell in article.select(".cell_input")]
    assert len(folds) == len(cells) > 200
    for fold in folds:
        assert "open" not in fold.attrs
        line = fold.summary.text
        found = re.fullmatch(r"Code(?:: .+| under “.+”), (\d+) lines?", line)
        assert found, line
        assert int(found[1]) == len(fold.pre.text.rstrip().splitlines())
        shown = fold.find_parent(class_="cell").select(".cell_output figure .caption-number")
        for number in shown[:1]:
            assert line.startswith(f"Code: {number.text.strip()}")
        if "Code under" in line:
            assert not DEFINED.findall(fold.pre.text)


def test_every_figure_can_be_downloaded_and_cited(html, articles):
    seen = 0
    for path, article in articles.items():
        for figure in article.select("figure[id]"):
            if figure["id"].endswith("-here"):
                assert not figure.find_next_sibling(class_="download")
                continue
            line = figure.find_next_sibling(class_="download")
            svg, data = (path.parent / link["href"] for link in line.select("a[download]"))
            assert svg.resolve().read_text().startswith("<svg")
            drawn = pd.read_csv(data.resolve())
            assert drawn["mark"].isin(["line", "points", "area", "bar"]).all()
            assert drawn[["x", "y"]].notna().any(axis=None)
            entry = line.pre.text
            assert f"{path.relative_to(html).as_posix()}\\#{figure['id']}" in entry
            assert f", {figure.select_one('.caption-number').text.strip()}," in entry
            assert "commit" in entry
            seen += 1
    assert seen > 20


@pytest.fixture(scope="module")
def sources(book):
    """The code that glued each number, by chapter and name, from the executed notebooks."""
    return {
        (path.stem, output["metadata"]["scrapbook"]["name"]): "".join(cell["source"])
        for path in (book / "book/chapters").glob("*.ipynb")
        for cell in json.loads(path.read_text())["cells"]
        for output in cell.get("outputs", [])
        if "scrapbook" in output.get("metadata", {})
    }


def test_every_number_of_a_run_leads_to_the_cell_that_made_it(articles, sources):
    linked = set()
    for path, article in articles.items():
        for text in article.select(".pasted-text"):
            assert text.parent.name == "a", (path.stem, text)
            file, anchor = text.parent["href"].split("#")
            chapter = (path.parent / file).resolve() if file else path
            cell = articles[chapter].find(id=anchor)
            cell = cell if cell.name == "div" else cell.find_parent(class_="cell")
            code = sources[chapter.stem, anchor.removeprefix("number-")]
            assert cell.pre.text.strip() == code.strip()
            linked.add((chapter.stem, anchor))
    assert len(linked) > 300


def test_what_a_run_displays_leads_to_the_cell_that_made_it(book, articles):
    """Each figure, table and verdict, by the code of the cell to which its name leads."""
    seen = dict.fromkeys(("fig", "tab", "claim"), 0)
    for path in sorted((book / "book/chapters").glob("*.ipynb")):
        page = (book / "_build/html/book/chapters" / path.name).with_suffix(".html")
        article = articles[page]
        for name in article.select("figure[id], table[id^=tab-], div.claim"):
            if name["id"].endswith("-here"):
                continue
            link = name.select_one(".caption-number > a.number, .verdict > a.number")
            cell = name.find_parent(class_="cell")
            if cell is None:  # a drawing, of no run
                assert link is None
                continue
            anchor = article.find(id=link["href"].removeprefix("#"))
            assert anchor is cell or anchor.find_parent(class_="cell") is cell
            seen[name["id"].partition("-")[0]] += 1
    assert min(seen.values()) > 20


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("Eqs. 6 and 7", ["Eqs. 6", "7"]),
        ("claims 9a, 9b or L3", ["claims 9a", "9b", "L3"]),
        ("Proposition 12.3", []),
        ("Equations 1 to 7 carry", ["Equations 1", "7"]),
        ("the Table 3–like 4 rows", ["Table 3"]),
        ("a claim, 3 laws", []),
    ],
)
def test_a_mention_is_a_name_with_its_numbers(text, linked):
    parts = list(split(text))
    assert [part for part, kind, _ in parts if kind] == linked
    assert "".join(part for part, _, _ in parts) == text
