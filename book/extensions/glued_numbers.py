"""Sphinx extension: a number that a run put into the text leads to the cell that made it.

So do the number of a figure, that of a table, and a verdict, for the numbers that stand in them.
What the link shows in place says what they rest on: the cell, the parameters and the commit, and,
where it is recorded, whether another processor gave the same.
"""

import hashlib
import json
import re
from html import escape
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from mentions import CLAIM
from myst_nb.ext.glue.roles import PasteTextRole
from myst_nb.ext.glue.utils import PendingGlueReference
from numbered_tables import TABLE, table_numbers
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

RECORDED = "notebooks/recorded.json"  # what chapters said, by `verify.py --record`
ELSEWHERE = "notebooks/elsewhere.yml"  # what reruns on other machines found
LEDGER = "book/chapters/claims"  # where these are listed
#: What a cell displays, up to the name of it that leads to the cell.
DISPLAYED = re.compile(
    r'(<(?:figure|table|div)\b[^>]* id="((?:fig|tab|claim)-[^"]+)"(?:(?!</figure>|</table>).)*?'
    r'<span class="(?:caption-number|verdict[^"]*)">)([^<]+?)( ?</span>)',
    re.DOTALL,
)


class Number(PasteTextRole):
    """The role ``glue:text``, whose text keeps the name of the number."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Make the text as MyST-NB does; a reference to another page has the name already."""
        made, messages = super().run()
        for node in made:
            if isinstance(node, nodes.inline):
                node["number"] = self.text.partition(":")[0]
        return made, messages


def note_numbers(app: Sphinx, document: nodes.document) -> None:
    """Give each cell the names of its numbers as anchors, and keep what they rest on."""
    chapter = Path(app.env.doc2path(app.env.docname))
    if chapter.suffix != ".ipynb":
        return
    notebook = json.loads(chapter.read_text("utf8"))
    texts, verdicts = dict[str, str](), dict[str, str]()
    displayed = app.env.metadata[app.env.docname]["displayed"] = list[str]()
    for cell in document.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        for output in notebook["cells"][cell["cell_index"]].get("outputs", ()):
            if scrap := output.get("metadata", {}).get("scrapbook"):
                cell["ids"].append(f"number-{scrap['name']}")
                said = output["data"].get(f"{scrap['mime_prefix']}text/plain", "")
                texts[scrap["name"]] = "".join(said).strip("'\"")
            if claim := output.get("metadata", {}).get("crcen_claim"):
                verdicts[f"claim-{claim['number']}"] = claim["verdict"]
        html = "".join(node.astext() for node in cell.findall(nodes.raw))
        names = [figure["ids"][0] for figure in cell.findall(nodes.figure)]
        names += [f"claim-{claim}" for claim in CLAIM.findall(html)]
        before = sum(name.startswith("table-") for name in displayed)
        names += [f"table-{before + k}" for k in range(len(TABLE.findall(html)))]  # in order
        cell["ids"] += [f"number-{name}" for name in names]
        displayed += names
    app.env.metadata[app.env.docname]["numbers"] = texts
    app.env.metadata[app.env.docname]["verdicts"] = verdicts
    app.env.metadata[app.env.docname]["made"] = notebook["metadata"].get("crcen", {})
    for file in (Path(app.srcdir, name) for name in (RECORDED, ELSEWHERE)):
        if file.exists():  # or Sphinx would read the page in every build
            app.env.note_dependency(str(file))


class LinkNumbers(SphinxPostTransform):
    """Make the links of a page."""

    default_priority = 3  # before numbers of other pages are put in
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Put each number of a page into a link."""
        for node in list(self.document.findall(nodes.Element)):
            if isinstance(node, PendingGlueReference) and node.gtype == "text":
                self.link(node, node.refdoc, node.key)
            elif "number" in node and isinstance(node, nodes.inline):
                self.link(node, self.env.docname, node["number"])

    def link(self, node: nodes.Element, page: str, name: str) -> None:
        """Put a number into a link to its cell, if it is known and stands in no link."""
        known = name in self.env.metadata.get(page, {}).get("numbers", {})
        if not known or isinstance(node.parent, nodes.reference | nodes.title):
            return
        here = self.env.docname
        file = "" if page == here else self.app.builder.get_relative_uri(here, page)
        link = nodes.reference("", "", internal=True, classes=["number"])
        link["refuri"] = f"{file}#number-{name}"
        node.parent.replace(node, link)
        link += node


def digest(root: Path) -> str:
    """Return a checksum of the recorded fits and searches."""
    found = hashlib.sha256()
    for file in sorted((root / "results").rglob("*.parquet")):
        found.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return found.hexdigest()[:12]


def basis(page: str, title: str, made: dict[str, Any], commit: str, record: str) -> str:
    """Say what all numbers of a chapter rest on."""
    values = ", ".join(f"{name} = {value!r}" for name, value in made["parameters"].items())
    text = (
        f"Computed by a cell of <em>{escape(title)}</em> at commit <code>{escape(commit)}</code>, "
        f"profile {escape(made['profile'])}"
    )
    if values:
        text += f", with <code>{escape(values)}</code>"
    if record and "results" in made["parameters"]:
        text += f", from the record of fits, SHA-256 <code>{record}…</code>"
    return f"<p>{text}.</p>"


def elsewhere(said: str, recorded: str | None, kernels: str, drawn: int, ledger: str) -> str:
    """Say what is recorded of a number.

    Examples
    --------
    >>> elsewhere("0.52", "0.51", "numba znver4", 0, "")
    '<p>Recorded with kernels numba znver4: 0.51, not the same.</p>'
    """
    if recorded is None:
        return ""
    same = "the same" if recorded == said else "not the same"
    text = f"Recorded with kernels {escape(kernels)}: {escape(recorded)}, {same}."
    if drawn and ledger:
        runs = "a rerun" if drawn == 1 else f"{drawn} reruns"
        text += f' The chapter was part of <a href="{ledger}#rerun-elsewhere">{runs} elsewhere</a>.'
    return f"<p>{text}</p>"


def read(file: Path) -> Any:
    """Read a file of YAML or JSON; what is not there is empty."""
    return (yaml.safe_load(file.read_text("utf8")) if file.exists() else None) or {}


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    known: dict[str, Any] = {}

    def look(app: Sphinx) -> None:
        """Read once a build what is recorded."""
        root = Path(app.srcdir)
        file = root / RECORDED
        known["recorded"] = json.loads(file.read_text("utf8")) if file.exists() else {}
        known["elsewhere"] = list(read(root / ELSEWHERE))
        known["digest"] = digest(root) if (root / "results").exists() else ""

    def tell(
        app: Sphinx, page: str, template: str, context: dict[str, Any], document: object
    ) -> None:
        """Hand what the numbers of a page rest on to the previews."""
        metadata = app.env.metadata.get(page, {})
        revision, made = context.get("revision"), metadata.get("made")
        if not document or not revision or not made:
            return
        chapter = Path(page).name
        texts = known["recorded"].get("chapters", {}).get(chapter, {}).get("said", {})
        kernels = ", ".join(
            f"{name} {' and '.join(kinds) if isinstance(kinds, list) else kinds}"
            for name, kinds in known["recorded"].get("kernels", {}).items()
        )
        drawn = sum(chapter in run["chapters"] for run in known["elsewhere"])
        ledger = app.builder.get_relative_uri(page, LEDGER) if LEDGER in app.env.found_docs else ""
        title = app.env.titles[page].astext()
        common = basis(page, title, made, revision.commit_name or "not known", known["digest"])
        shows = dict.fromkeys((f"number-{name}" for name in metadata["displayed"]), common)
        for kind, of in (("texts", metadata["numbers"]), ("verdicts", metadata["verdicts"])):
            for name, said in of.items():
                recorded = texts.get(kind, {}).get(name.removeprefix("claim-"))
                words = {"not": "not reproduced"} if kind == "verdicts" else {}
                said, recorded = (words.get(word, word) for word in (said, recorded))
                text = elsewhere(said, recorded, kernels, drawn, ledger)
                shows[f"number-{name}"] = common + text
        context["numbers"] = shows
        names = {name: name for name in metadata["displayed"]}
        for position, table in enumerate(table_numbers(app.env)[page]):
            names[f"tab-{table}"] = f"table-{position}"

        def link(found: re.Match[str]) -> str:
            if found[2] not in names:
                return found[0]
            to = f'<a class="number" href="#number-{names[found[2]]}">{found[3]}</a>'
            return found[1] + to + found[4]

        context["body"] = DISPLAYED.sub(link, context["body"])

    app.add_role_to_domain("glue", "text", Number(), override=True)
    app.add_post_transform(LinkNumbers)
    app.connect("builder-inited", look)
    app.connect("doctree-read", note_numbers)
    app.connect("html-page-context", tell, priority=850)  # when the state is known
    return {"parallel_read_safe": True, "parallel_write_safe": True}
