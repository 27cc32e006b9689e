"""Sphinx extension: take from the style sheets what applies to no page.

Nine tenths of the theme's are for what this book does not have. When all pages are written, a rule
stays whose classes, ids, elements and attributes all occur: in a page, or as a word in a script,
which may add them. So does a custom property that is used, and a font that is there.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

SKIPPED = r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|url\([^\"')]*\)|\\."
BRACES = re.compile(rf"{SKIPPED}|[{{}};]", re.DOTALL)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
GROUPS = ("@media", "@supports", "@layer", "@container")
BY_BROWSERS = {"open"}  # an attribute of what is unfolded

Statement = tuple[str, str | None]


def statements(css: str) -> Iterator[Statement]:
    """Yield what stands before each brace or semicolon, with what the braces hold.

    Examples
    --------
    >>> list(statements("@import 'a;b'; p { color: red } @media print { p { margin: 0 } }"))
    [("@import 'a;b'", None), ('p', ' color: red '), ('@media print', ' p { margin: 0 } ')]
    """
    depth = start = opened = 0
    for mark in BRACES.finditer(css):
        if mark[0] == "{":
            depth += 1
            opened = mark.end() if depth == 1 else opened
        elif mark[0] == "}":
            depth -= 1
            if not depth:
                yield css[start : opened - 1].strip(), css[opened : mark.start()]
                start = mark.end()
        elif mark[0] == ";" and not depth:
            yield css[start : mark.start()].strip(), None
            start = mark.end()
    if css[start:].strip():
        yield css[start:].strip(), None


def split(text: str, at: str = ",") -> list[str]:
    """Split text, but not within brackets or quotes.

    Examples
    --------
    >>> split("a, b:is(c, d)")
    ['a', ' b:is(c, d)']
    """
    parts, depth, start = [], 0, 0
    for mark in re.finditer(rf"{SKIPPED}|[()\[\]{re.escape(at)}]", text, re.DOTALL):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(mark[0], 0)
        if mark[0] == at and not depth:
            parts.append(text[start : mark.start()])
            start = mark.end()
    return [*parts, text[start:]]


def names(selector: str) -> set[str]:
    """Return what has to occur where a selector applies; what brackets hold may be left out.

    Examples
    --------
    >>> sorted(names("ul.nav > li#here:not(.x) a[href^='#a']:hover::after"))
    ['#here', '.nav', '[href]', 'a', 'li', 'ul']
    """
    selector = re.sub(r"\[\s*([\w-]+)(?:\"[^\"]*\"|'[^']*'|[^\]])*\]", r"[\1]", selector)
    while (shorter := re.sub(r"\([^()]*\)", "", selector)) != selector:
        selector = shorter
    found = set(re.findall(r"\[[\w-]+\]", selector))
    selector = re.sub(r"\[[\w-]+\]", "", selector)
    selector = re.sub(r"::?[\w-]+", "", selector)
    for mark in re.finditer(r"([.#]?)((?:\\.|[\w-])+)", selector):
        name = mark[2].replace("\\", "")
        found.add(mark[1] + (name if mark[1] else name.lower()))
    return found


class Used:
    """What occurs in the pages, and the words of their scripts."""

    def __init__(self, pages: list[str], scripts: list[str]) -> None:
        html = "".join(pages)
        tags = "\n".join(set(re.findall(r"<[a-zA-Z](?:\"[^\"]*\"|'[^']*'|[^'\">])*>", html)))
        within = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
        code = "\n".join([*scripts, *set(within)])
        self.words = set(re.findall(r"[\w-]+", code)) | BY_BROWSERS
        for name in re.findall(r"dataset\.(\w+)", code):
            self.words.add("data-" + re.sub("[A-Z]", lambda m: f"-{m[0].lower()}", name))
        self.names = {tag.lower() for tag in re.findall(r"<([a-zA-Z][\w-]*)", tags)}
        self.names |= {f"[{name}]" for name in re.findall(r"\s([\w-]+)(?==|[\s>])", tags)}
        for attribute, mark in (("class", "."), ("id", "#")):
            for value in re.findall(rf"\s{attribute}=[\"']([^\"']*)", tags):
                self.names |= {mark + name for name in value.split()}
        self.properties = set(re.findall(r"--[\w-]+", tags + code))

    def __contains__(self, selector: str) -> bool:
        return all(n in self.names or n.strip(".#[]") in self.words for n in names(selector))


def purge(css: str, used: Used, folder: Path) -> str:
    """Return a style sheet without the rules that apply nowhere, and without comments."""
    kept = []
    for head, body in statements(COMMENT.sub("", css)):
        if body is None:
            kept.append(f"{head};")
        elif head.startswith("@font-face"):
            files = re.findall(r"url\(['\"]?(?!data:)([^'\")?#]+)", body)
            kept += [f"{head}{{{body}}}"] if all((folder / file).exists() for file in files) else []
        elif head.startswith(GROUPS):
            inside = purge(body, used, folder)
            kept += [f"{head}{{{inside}}}"] if inside else []
        elif head.startswith("@"):
            kept.append(f"{head}{{{body}}}")
        else:
            selectors = [part.strip() for part in split(head) if part in used]
            kept += [f"{','.join(selectors)}{{{body}}}"] if selectors else []
    return "\n".join(kept)


def tidy(css: str, properties: set[str], animations: set[str]) -> str:
    """Return a style sheet without custom properties and animations that are used nowhere."""
    kept = []
    for head, body in statements(css):
        if body is None:
            kept.append(f"{head};")
        elif head.startswith(GROUPS):
            kept.append(f"{head}{{{tidy(body, properties, animations)}}}")
        elif "keyframes" in head:
            kept += [f"{head}{{{body}}}"] if head.split()[-1] in animations else []
        else:
            lines = [line.strip() for line in split(body, ";") if line.strip()]
            of = [line.partition(":")[0].strip() for line in lines]
            stay = [
                line
                for line, name in zip(lines, of, strict=True)
                if not name.startswith("--") or name in properties
            ]
            kept += [f"{head}{{{';'.join(stay)}}}"] if stay else []
    return "\n".join(kept)


def lean(sheets: dict[Path, str], used: Used) -> dict[Path, str]:
    """Purge all style sheets of the book; a custom property may be used in another than its own."""
    sheets = {path: purge(css, used, path.parent) for path, css in sheets.items()}
    while True:
        css = "\n".join(sheets.values())
        properties = used.properties | set(re.findall(r"var\(\s*(--[\w-]+)", css))
        animations = set(re.findall(r"[\w-]+", " ".join(re.findall(r"animation[^;}]*", css))))
        tidied = {path: tidy(css, properties, animations) for path, css in sheets.items()}
        if tidied == sheets:
            return sheets
        sheets = tidied


def write(app: Sphinx, error: Exception | None) -> None:
    """Do it at the end of each build, with all pages that there are."""
    if error or app.builder.format != "html":
        return
    root = Path(app.outdir)
    static = root / "_static"
    pages = [path for path in root.rglob("*.html") if static not in path.parents]
    sheets = {path: path.read_text("utf8") for path in sorted(static.rglob("*.css"))}
    used = Used(
        [path.read_text("utf8") for path in pages],
        [path.read_text("utf8") for path in static.rglob("*.js")],
    )
    for path, css in lean(sheets, used).items():
        if css != sheets[path]:
            path.write_text(css, "utf8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("build-finished", write, priority=800)  # after what no page loads is removed
    return {"parallel_read_safe": True, "parallel_write_safe": True}
