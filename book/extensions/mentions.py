"""Sphinx extension: what the text names by a number is a link to it.

"Proposition 4", "Eq. 7", "claim 12a" and "Table 3" stand in captions, tables, the ledger and
docstrings, where no role can be written. In code, headings and links they are left alone. A claim
leads to its verdict, and from there to its line of the ledger. "Figure 1" in a text is the paper's,
as the book's own figures are referred to by name: it leads to the figure that draws it anew.
"""

import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from typing import Any, NamedTuple

from docutils import nodes
from numbered_tables import table_numbers
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

LEDGER = "book/chapters/claims"
NUMBERS = r"L?\d+[a-z]?\b(?!\.\d)"
MENTION = re.compile(
    r"\b(Proposition|Eq|Equation|[Cc]laim|Law|Table|Figure)s?\.?[ \u00a0]"
    rf"{NUMBERS}(?:(?:, | and | or | to |–){NUMBERS})*"
)
ONE = re.compile(NUMBERS)
KINDS = {"Eq": "Equation", "claim": "Claim", "Law": "Claim"}
LEFT_ALONE = {"a", "button", "code", "pre", "script", "style", "summary", "svg", "textarea", "th"}
LEFT_ALONE |= {f"h{level}" for level in range(1, 7)}
LEFT_ALONE_NODES = (
    nodes.literal,
    nodes.literal_block,
    nodes.reference,
    nodes.title,
    nodes.rubric,
    nodes.math,
    nodes.raw,
    addnodes.desc_signature,
)
CLAIM = re.compile(r'<div class="claim" id="claim-(\w+)"')
LINE = re.compile(r'<a (href="[^"]*#claim-(\w+)")>\2</a>')  # the first cell of the ledger
REDRAWN = re.compile(r"the paper.s Figure (\d+)")


class Place(NamedTuple):
    """Where something stands: a page and an anchor on it."""

    page: str
    anchor: str


def note_places(app: Sphinx, document: nodes.document) -> None:
    """Keep which claims have their verdict on a page, and which of the paper's figures it draws."""
    html = "".join(node.astext() for node in document.findall(nodes.raw))
    metadata = app.env.metadata[app.env.docname]
    metadata["claims"] = CLAIM.findall(html)
    metadata["ledger"] = [claim for _, claim in LINE.findall(html)]
    metadata["redrawn"] = {
        number: figure["ids"][0]
        for figure in document.findall(nodes.figure)
        for caption in figure.findall(nodes.caption)
        for number in REDRAWN.findall(caption.astext())
    }


def places(env: BuildEnvironment) -> dict[tuple[str, str], Place]:
    """Return where each thing with a number stands, by its kind and number."""
    found = {}
    for page, numbers in env.toc_fignumbers.items():
        for kind, name in (("Proposition", "proposition"), ("Equation", "displaymath")):
            for anchor, number in numbers.get(name, {}).items():
                found[kind, ".".join(map(str, number))] = Place(page, anchor)
    for page, metadata in env.metadata.items():
        for claim in metadata.get("claims", ()):
            found["Claim", claim] = Place(page, f"claim-{claim}")
        for figure, anchor in metadata.get("redrawn", {}).items():
            found["Figure", figure] = Place(page, anchor)
    for page, tables in table_numbers(env).items():
        for table in tables:
            found["Table", str(table)] = Place(page, f"tab-{table}")
    return found


def split(text: str) -> Iterator[tuple[str, str, str]]:
    """Cut a text into what is a mention, with its kind and number, and what is none.

    Examples
    --------
    >>> list(split("By Eq. 7, as claims 9a and 9b"))
    [('By ', '', ''), ('Eq. 7', 'Equation', '7'), (', as ', '', ''), ('claims 9a', 'Claim', '9a'), \
(' and ', '', ''), ('9b', 'Claim', '9b')]
    """
    end = 0
    for mention in MENTION.finditer(text):
        yield text[end : mention.start()], "", ""
        kind, end = KINDS.get(mention[1], mention[1]), mention.start()
        for number in ONE.finditer(text, mention.start(), mention.end()):
            start = end if end == mention.start() else number.start()
            if start > end:
                yield text[end:start], "", ""
            yield text[start : number.end()], kind, number[0]
            end = number.end()
    if text[end:]:
        yield text[end:], "", ""


class Linked(HTMLParser):
    """Links the mentions in displayed HTML, and leaves all else of it as it is."""

    def __init__(self, transform: "LinkMentions") -> None:
        super().__init__(convert_charrefs=False)
        self.transform, self.html, self.alone, self.here = transform, "", list[str](), ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Copy a tag, and note what it begins."""
        self.html += self.get_starttag_text() or ""
        if tag in LEFT_ALONE:
            self.alone.append(tag)
        if tag == "table" or ("class", "claim") in attrs:
            self.here = dict(attrs).get("id", "")

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        """Copy a tag that is empty."""
        self.html += self.get_starttag_text() or ""

    def handle_endtag(self, tag: str) -> None:
        """Copy the end of a tag."""
        self.html += f"</{tag}>"
        if self.alone and self.alone[-1] == tag:
            self.alone.pop()

    def handle_data(self, data: str) -> None:
        """Copy a text with its mentions as links."""
        if self.alone:
            self.html += data
            return
        for text, kind, number in split(data):
            place = self.transform.places.get((kind, number))
            if place and place.anchor == self.here:
                place = self.transform.line_of(number) if kind == "Claim" else None
            uri = place and escape(self.transform.uri(place))
            self.html += f'<a class="mention" href="{uri}">{text}</a>' if uri else text

    def handle_entityref(self, name: str) -> None:
        """Copy an entity."""
        self.html += f"&{name};"

    def handle_charref(self, name: str) -> None:
        """Copy an entity."""
        self.html += f"&#{name};"

    def handle_comment(self, data: str) -> None:
        """Copy a comment."""
        self.html += f"<!--{data}-->"


class LinkMentions(SphinxPostTransform):
    """Make the links of a page."""

    default_priority = 600  # after references have been resolved
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Go through the texts of a page, and through its displayed HTML."""
        self.places = places(self.env)
        for text in list(self.document.findall(nodes.Text)):
            if MENTION.search(text) and not self.left_alone(text):
                around = set(self.anchors_around(text))
                text.parent.replace(text, [self.link(*part, around) for part in split(text)])
        for node in list(self.document.findall(nodes.raw)):
            if node["format"] == "html":
                html = self.linked(node.astext())
                node.replace_self(nodes.raw(html, html, **node.attributes))

    def left_alone(self, node: nodes.Node) -> bool:
        """Whether a text is part of code, of a heading or of a link."""
        while node.parent:
            node = node.parent
            if isinstance(node, LEFT_ALONE_NODES):
                return True
        return False

    def anchors_around(self, node: nodes.Node) -> Iterator[str]:
        """Yield the anchors of all in which a text stands."""
        while node.parent:
            node = node.parent
            yield from node["ids"]

    def link(self, text: str, kind: str, number: str, around: set[str]) -> nodes.Node:
        """Return a part of a text, as a link if it leads anywhere else."""
        place = self.places.get((kind, number))
        if not place or place.anchor in around:
            return nodes.Text(text)
        link = nodes.reference("", text, internal=True, classes=["mention"])
        link["refuri"] = self.uri(place)
        return link

    def linked(self, html: str) -> str:
        """Return displayed HTML with its mentions as links, and anchors in the ledger's lines."""
        if self.env.docname == LEDGER:
            html = LINE.sub(r'<a id="ledger-\2" \1>\2</a>', html)
        if not MENTION.search(html):
            return html
        parser = Linked(self)
        parser.feed(html)
        parser.close()
        return parser.html

    def line_of(self, claim: str) -> Place | None:
        """Return the line of the ledger on a claim, if there is one."""
        lines = self.env.metadata.get(LEDGER, {}).get("ledger", ())
        return Place(LEDGER, f"ledger-{claim}") if claim in lines else None

    def uri(self, place: Place) -> str:
        """Return the address of a place from here."""
        here = self.env.docname
        page = "" if place.page == here else self.app.builder.get_relative_uri(here, place.page)
        return f"{page}#{place.anchor}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("doctree-read", note_places)
    app.add_post_transform(LinkMentions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
