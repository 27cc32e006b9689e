"""The findings as one HTML file that needs no network, written whole or not at all."""

from __future__ import annotations

import io
import os
from datetime import date
from html import escape

import crcen
from crcen.mishaps import write_whole
from crcen.own.figure import describe, draw
from crcen.own.findings import Findings
from crcen.own.words import answer, shown

_STYLE = """
:root { color-scheme: light dark; --line: #8886; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.answer { font-size: 1.05rem; max-width: 46rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem .3rem 0; text-align: left; border-bottom: 1px solid var(--line);
         vertical-align: top; }
figure { margin: 0; display: flex; flex-wrap: wrap; background: #fff; }
svg { flex: 1 1 20rem; min-width: 0; height: auto; }
.note, footer { color: #767676; font-size: .875rem; }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e6e6e6; }
  .note, footer { color: #a0a4aa; } }
"""


def write_page(f: Findings, path: str | os.PathLike[str]) -> None:
    """Write the page.

    Parameters
    ----------
    f : Findings
        What it tells.
    path : path
        A file ``.html``; one that is there is replaced.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    write_whole(path, page(f))


def page(f: Findings) -> str:
    """Lay the findings out as HTML, with all text of the table as text."""
    title = escape(f"{f.table.labels[1]} in {f.table.name}")
    first, *rest = answer(f)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{title}</h1>",
        f'<p class="answer"><strong>{escape(first)}</strong></p>',
        *(f'<p class="answer">{escape(line)}</p>' for line in rest),
        f'<figure role="img" aria-label="{escape(describe(f))}">{_svg(f)}</figure>',
    ]
    for table in shown(f):
        parts.append(f"<h2>{escape(table.title)}</h2>")
        html = table.cells.to_html(index=False, border=0, escape=True, justify="left")
        parts.append(f'<div class="wide" tabindex="0">{html}</div>')
        if table.note:
            parts.append(f'<p class="note">{escape(table.note)}</p>')
    asked = ", ".join(f"{name} {value:g}" for name, value in f.wish.items())
    parts.append(
        f"</main><footer>crcen {escape(crcen.__version__)}, {date.today().isoformat()}; asked for "
        f"{escape(asked)}.</footer></body></html>\n"
    )
    return "\n".join(parts)


def _svg(f: Findings) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figures = [Figure(figsize=(4.8, 3.6), layout="constrained") for _ in range(2)]
    parts = []
    with rc_context({"svg.hashsalt": "crcen", "svg.fonttype": "path"}):
        draw(f, [figure.subplots() for figure in figures])
        for figure in figures:
            to = io.StringIO()
            FigureCanvasSVG(figure).print_svg(to, metadata={"Date": None})
            parts.append(to.getvalue().partition("<svg")[2])
    return "".join(f"<svg{part}" for part in parts)
