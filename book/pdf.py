"""Print the built book as one PDF, with Chromium: ``make pdf``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from joined import Line, join_pages, read_chapters, table_of_contents
from provenance import Revision, author_name, citation, revision

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notebooks"))
from driver import ROOT
from driver.execution import scratch_folder

from crcen.mishaps import told

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

# Make what is too wide for the sheet as much smaller as it must be; return what stays too wide.
# Code that would become too small to read wraps.
FIT = """
selector => [...document.querySelectorAll(selector)].filter(element => {
  const share = element.clientWidth / element.scrollWidth;
  if (share < 0.85 && element.matches("pre")) element.style.whiteSpace = "pre-wrap";
  else if (share < 1) element.style.zoom = Math.max(0.5, 0.99 * share);
  return element.scrollWidth > element.clientWidth + 1;
}).map(element => element.textContent.trim().slice(0, 60))
"""
# Keep together what is lower than so many pixels; what is higher breaks, or it would leave a large
# part of a page empty.
KEEP = """
heights => Object.entries(heights).forEach(([selector, height]) =>
  document.querySelectorAll(selector).forEach(
    element => element.style.breakInside = element.offsetHeight < height ? "avoid" : "auto"))
"""
WIDE = ".table-scroll, .pst-scrollable-table-container, .output.text_html, div.math, pre, figure"
HEIGHTS = {"table": 320, ".cell_input, pre, [class*='highlight'], .admonition": 200}
# Lay the page out from nothing: Chromium prints what it has printed before with other breaks.
ANEW = """
() => {
  const root = document.documentElement;
  root.style.display = "none";
  root.offsetHeight;
  root.style.display = "";
}
"""
NUMBER = """
numbers => document.querySelectorAll("[data-page-of]").forEach(
  element => element.textContent = numbers[element.dataset.pageOf] ?? "")
"""


class PdfError(Exception):
    """The book cannot be printed; the text says what is missing and what to do."""


def find_browser() -> str:
    """Find the browser that prints.

    Raises
    ------
    PdfError
        If there is none.
    """
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise PdfError(
        f"no browser prints the PDF: none of {', '.join(BROWSERS)} is on the PATH. Install one, "
        "on Debian with `apt-get install chromium`."
    )


def print_page(html: Path, target: Path) -> None:
    """Print an HTML file, and fill in the page numbers."""
    from playwright.sync_api import sync_playwright
    from pypdf import PdfReader

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser())
        page = browser.new_page(
            viewport={"width": 642, "height": 971},  # A4 without the margins of print.css
            color_scheme="light",
        )
        page.emulate_media(media="print", color_scheme="light")
        page.goto(html.as_uri())
        page.evaluate("() => document.fonts.ready")
        if wide := page.evaluate(FIT, WIDE):
            raise PdfError(f"too wide for the page: {'; '.join(wide)}")
        page.evaluate(KEEP, HEIGHTS)
        before: dict[str, int] = {}
        for _ in range(5):  # a number with fewer digits may move a line, so look again
            page.evaluate(ANEW)
            page.pdf(path=target, prefer_css_page_size=True, print_background=True, tagged=True)
            reader = PdfReader(target)
            numbers = {
                name.removeprefix("/"): (reader.get_destination_page_number(place) or 0) + 1
                for name, place in reader.named_destinations.items()
            }
            if numbers == before:
                break
            page.evaluate(NUMBER, numbers)
            before = numbers
        else:
            raise PdfError("the page numbers of the contents do not settle: make it a page longer.")
        browser.close()


def finish(source: Path, target: Path, lines: list[Line], root: Path, built: Revision) -> None:
    """Give the PDF bookmarks and a title, and for the browser's clock the date of the commit."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import Fit, IndirectObject

    reader, cff = PdfReader(source), citation(root)
    writer = PdfWriter(clone_from=reader)
    parents: dict[int, IndirectObject] = {}
    for line in lines:
        place = reader.named_destinations[f"/{line.anchor}"]
        number = reader.get_destination_page_number(place)
        parent = parents.get(line.level - 1)
        fit = Fit.xyz(left=0, top=place.top)
        parents[line.level] = writer.add_outline_item(
            title=line.text, page_number=number, parent=parent, fit=fit
        )
    date = f"D:{built.date:%Y%m%d%H%M%S}Z"
    writer.metadata = {
        "/Title": cff["title"],
        "/Author": ", ".join(author_name(a) for a in cff["authors"]),
        "/Subject": f"Version {built.version}, commit {built.commit_name or 'not known'}",
        "/CreationDate": date,
        "/ModDate": date,
    }
    writer.write(target)


def make_pdf(root: Path = ROOT) -> Path:
    """Print the book that was built in a folder.

    Parameters
    ----------
    root : Path
        The project's folder.

    Returns
    -------
    Path
        The PDF, written whole or not at all.

    Raises
    ------
    FileNotFoundError
        If the book has not been built.
    PdfError
        If there is no browser, or something is too wide for a page.
    """
    find_browser()
    built, target = revision(root), root / "_build/crcen-report.pdf"
    with scratch_folder(root / "_build") as folder:  # and no build meanwhile
        joined, printed, done = (Path(folder, f"report.{end}") for end in ("html", "print", "pdf"))
        chapters = read_chapters(root)
        joined.write_text(join_pages(chapters, root, built), "utf8")
        print_page(joined, printed)
        finish(printed, done, table_of_contents(chapters), root, built)
        done.replace(target)
    return target


def main() -> int:
    """Run the command line and return the exit status."""
    return told("pdf.py", print_book)


def print_book() -> int:
    """Print the book, say where it is or why there is none, and return the exit status."""
    try:
        print(make_pdf())
    except (PdfError, FileNotFoundError) as error:
        print(f"pdf.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
