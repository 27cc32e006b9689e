"""Tests that a proposition has one number: where it stands, and in texts that cannot link to it.

The book numbers the propositions and the links to them. Docstrings, tables, alternative texts and
the ledger say "Proposition 4"; what they say is compared with what the book counts.
"""

import ast
import re

import jupytext
import pytest
import yaml
from conftest import ROOT
from joined import contents

DIRECTIVE = re.compile(r"^`{3,}\{prf:proposition\} (.+)\n:label: (prop-[a-z-]+)$", re.MULTILINE)
MENTION = re.compile(r"Propositions?\s+(\d+)")
LINK = re.compile(r"\{prf:ref\}`(prop-[a-z-]+)`")
CHAPTERS = {path.stem: path.read_text() for path in sorted((ROOT / "notebooks").glob("*.md"))}


def statements():
    """The chapter and the number of each proposition by its label, in the order of the book."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    stems = [name.rpartition("/")[2] for _, name in contents(toc)]
    found = [(label, s) for s in stems for _, label in DIRECTIVE.findall(CHAPTERS.get(s, ""))]
    return {label: (chapter, number) for number, (label, chapter) in enumerate(found, 1)}


def stated_in(chapter):
    """The labels of a chapter's own propositions."""
    return [label for _, label in DIRECTIVE.findall(CHAPTERS[chapter])]


STATED = statements()
CHAPTER_OF = {number: chapter for chapter, number in STATED.values()}
NUMBERED = [(path, n) for path, text in CHAPTERS.items() for n in MENTION.findall(text)]


def docstrings():
    """Every name of the module that can be imported, with its docstring."""
    for path in sorted((ROOT / "crcen").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        tree = ast.parse(path.read_text())
        yield module, ast.get_docstring(tree) or ""
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield f"{module}.{node.name}", ast.get_docstring(node) or ""


IN_DOCSTRINGS = [(name, int(n)) for name, doc in docstrings() for n in MENTION.findall(doc)]


def test_every_proposition_has_a_label_and_a_title_of_its_own():
    stated = [pair for text in CHAPTERS.values() for pair in DIRECTIVE.findall(text)]
    directives = sum(text.count("{prf:proposition}") for text in CHAPTERS.values())
    titles, labels = zip(*stated, strict=True)
    assert len(set(labels)) == len(set(titles)) == directives == len(STATED)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_prose_links_to_a_proposition_and_types_no_number(chapter):
    notebook = jupytext.reads(CHAPTERS[chapter], "md:myst")
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    captions = [
        cell.metadata["mystnb"]["figure"]["caption"]
        for cell in notebook.cells
        if "figure" in cell.metadata.get("mystnb", {})
    ]
    assert [text for text in [*prose, *captions] if MENTION.search(text)] == []
    assert {label for text in prose for label in LINK.findall(text)} <= STATED.keys()


@pytest.mark.parametrize(("chapter", "number"), NUMBERED)
def test_a_number_in_code_is_that_of_a_proposition_of_the_page_or_of_a_link(chapter, number):
    linked = {STATED[label][1] for label in LINK.findall(CHAPTERS[chapter])}
    here = {n for n, stem in CHAPTER_OF.items() if stem == chapter}
    assert int(number) in here | linked


@pytest.mark.parametrize(("name", "number"), IN_DOCSTRINGS)
def test_what_a_docstring_numbers_is_a_proposition_beside_which_the_function_is_named(name, number):
    beside = [
        chapter
        for chapter, text in CHAPTERS.items()
        if f"{{py:obj}}`{name}`" in text
        and number in {STATED[label][1] for label in LINK.findall(text) + stated_in(chapter)}
    ]
    assert beside, f"no chapter names {name} and states Proposition {number} or links to it"


def test_numbers_stand_in_docstrings_not_in_other_text_of_the_module():
    text = "".join(path.read_text() for path in (ROOT / "crcen").rglob("*.py"))
    assert len(MENTION.findall(text)) == len(IN_DOCSTRINGS) > 5


def test_the_ledger_has_a_law_with_the_chapter_of_its_proposition():
    claims = yaml.safe_load((ROOT / "notebooks/claims.yml").read_text())
    laws = {
        name: int(MENTION.search(entry["where"])[1])
        for name, entry in claims.items()
        if MENTION.search(entry["where"])
    }
    given = {
        name: s for s, text in CHAPTERS.items() for name in re.findall(r'claim\(\s*"(L\d+)"', text)
    }
    shown = laws.keys() & given.keys()  # that the book has all is tested in test_chapters.py
    assert {name: given[name] for name in shown} == {name: CHAPTER_OF[laws[name]] for name in shown}
    assert len(shown) > 10


def test_the_tests_name_propositions_that_there_are():
    texts = [path.read_text() for path in (ROOT / "tests").glob("test_*.py")]
    assert {int(n) for text in texts for n in MENTION.findall(text)} <= CHAPTER_OF.keys()
